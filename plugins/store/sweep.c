/*
 * Nothing stays that is not needed: bytes that nothing points to any more, and what crashed
 * processes left in incoming/. In each worker process, from any thread, after changes and at the
 * start.
 *
 * Bytes are removed only under the catalog's write lock, and only where a committed row of the
 * catalog says that they have no use: file first, then row, so that a crash in between leaves a row
 * and never a file that nobody knows. What was published but not committed gets such a row first. A
 * commit that wants the same bytes finds out, under the same lock, and links its own
 * (stage_confirm).
 */
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "repository_impl.h"

/* So many files are removed in one transaction: writers wait for no more. */
#define BATCH 16

/* Under the write lock: removes files, then rows. False: not all of them could be. */
static bool
sweep_remove(struct repository *repository, struct connection *connection,
             struct catalog_garbage *garbage, size_t count, int held[BATCH])
{
    bool good = true;

    for (size_t i = 0; i < count; i++) {
        held[i] = -1;
        if (blobs_remove(repository->blobs, &garbage[i].blob, &held[i]))
            catalog_forget(connection, garbage[i].number);
        else
            good = false;
    }
    return good;
}

/* One transaction: true when there may be more. */
static bool
sweep_batch(struct repository *repository)
{
    struct catalog_garbage garbage[BATCH];
    struct failure failure;
    int held[BATCH];
    struct connection *connection = database_writer(repository->database, &failure);
    size_t count = connection == NULL ? 0 : catalog_garbage(connection, garbage, BATCH);
    bool good = connection != NULL && sweep_remove(repository, connection, garbage, count, held);

    if (connection != NULL && database_commit(&connection, &failure) != REPOSITORY_OK)
        good = false;
    for (size_t i = 0; i < count; i++) {
        if (held[i] >= 0)
            close(held[i]);
    }
    if (!good)
        atomic_store(&repository->untidy, true);
    return good && count == BATCH;
}

/* A look without the write lock. */
static bool
sweep_needed(struct repository *repository)
{
    struct catalog_garbage garbage;
    struct failure failure;
    struct connection *connection = database_reader(repository->database, &failure);
    bool needed;

    if (connection == NULL)
        return false;
    needed = catalog_garbage(connection, &garbage, 1) > 0;
    database_release(&connection);
    return needed;
}

static void
sweep_garbage(struct repository *repository)
{
    int readers;

    if (!sweep_needed(repository))
        return;
    readers = blobs_readers(repository->blobs, LOCK_EX | LOCK_NB);
    if (readers < 0) { /* one who reads an object of many elements will sweep when it is done */
        atomic_store(&repository->untidy, true);
        return;
    }
    while (sweep_batch(repository))
        continue;
    close(readers);
}

/* ------------------------------------------------------------------ stages */

/* Gives the bytes of a stage that nothing points to rows without uses. */
static int
stage_register(struct repository *repository, const struct blob *list, size_t count)
{
    struct failure failure;
    struct connection *connection = database_writer(repository->database, &failure);

    if (connection == NULL)
        return REPOSITORY_FAILED;
    for (size_t i = 0; i < count; i++)
        catalog_blob(connection, &list[i]);
    return database_commit(&connection, &failure);
}

static void
stage_settle(struct repository *repository, struct stage **stage)
{
    struct blob *list = NULL;
    struct failure failure;
    size_t count = 0;
    int status = stage_list(*stage, &list, &count, &failure);

    if (status == REPOSITORY_OK && count > 0)
        status = stage_register(repository, list, count);
    free(list);
    if (status == REPOSITORY_OK) {
        stage_free(stage);
    } else {
        stage_leave(stage);
        atomic_store(&repository->untidy, true);
    }
}

void
repository_abandon(struct repository *repository, struct stage **stage)
{
    if (*stage == NULL)
        return;
    stage_settle(repository, stage);
    sweep_garbage(repository);
}

void
repository_tidy(struct repository *repository)
{
    struct stage *stage;
    void *place = NULL;

    while ((stage = stage_adopt(repository->blobs, &place)) != NULL)
        stage_settle(repository, &stage);
    sweep_garbage(repository);
}

void
repository_sweep(struct repository *repository)
{
    if (atomic_exchange(&repository->untidy, false))
        repository_tidy(repository);
    else
        sweep_garbage(repository);
}
