/*
 * Nothing stays that is not needed: bytes that nothing points to any more, and what crashed
 * processes left in incoming/. In each worker process: on the janitor's thread after changes, and
 * when the repository is opened.
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

struct sweep {
    struct repository *repository;
    size_t count;
    uint64_t bytes; /* of all that was removed */
    size_t removed;
    size_t held_count;
    int held[BATCH]; /* files whose blocks are given back outside the lock */
    bool good;
};

/* What could not be done now is tried again, by the janitor. */
static void
sweep_later(struct repository *repository)
{
    atomic_store(blobs_untidy(repository->blobs), true);
}

/* Under the write lock, and alone: what a change in the same transaction dropped would be gone
 * before it is committed. Removes files, then rows. */
static int
sweep_work(struct connection *connection, void *closure, struct failure *failure)
{
    struct sweep *sweep = closure;
    struct catalog_garbage garbage[BATCH];

    sweep->count = catalog_garbage(connection, garbage, BATCH);
    for (size_t i = 0; i < sweep->count; i++) {
        int held = -1;

        if (blobs_remove(sweep->repository->blobs, &garbage[i].blob, garbage[i].small, &held)) {
            catalog_forget(connection, &garbage[i]);
            sweep->bytes += garbage[i].blob.length;
            sweep->removed++;
        } else {
            sweep->good = false;
        }
        if (held >= 0)
            sweep->held[sweep->held_count++] = held;
    }
    return connection_status(connection, failure);
}

static void
sweep_count(const struct sweep *sweep)
{
    atomic_fetch_add(&sweep->repository->swept, sweep->bytes);
    atomic_fetch_add(&sweep->repository->swept_count, sweep->removed);
}

/* One transaction: true when there may be more. */
static bool
sweep_batch(struct repository *repository)
{
    struct sweep sweep = {.repository = repository, .good = true};
    struct failure failure;

    if (database_write_alone(repository->database, sweep_work, &sweep, &failure) != REPOSITORY_OK)
        sweep.good = false;
    else
        sweep_count(&sweep);
    for (size_t i = 0; i < sweep.held_count; i++)
        close(sweep.held[i]);
    if (!sweep.good)
        sweep_later(repository);
    return sweep.good && sweep.count == BATCH;
}

/* A look without the write lock. */
static bool
sweep_needed(struct repository *repository)
{
    struct catalog_garbage garbage;
    struct failure failure;
    struct connection *connection = database_reader(repository->database, &failure);
    bool needed;

    if (connection == NULL) {
        sweep_later(repository);
        return false;
    }
    needed = catalog_garbage(connection, &garbage, 1) > 0;
    if (connection_status(connection, &failure) != REPOSITORY_OK)
        sweep_later(repository);
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
        sweep_later(repository);
        return;
    }
    while (sweep_batch(repository))
        continue;
    close(readers);
}

/* ------------------------------------------------------------------ stages */

struct listed {
    struct blob *list;
    size_t count;
};

/* Gives the bytes of a stage that nothing points to rows without uses. */
static int
register_work(struct connection *connection, void *closure, struct failure *failure)
{
    const struct listed *listed = closure;

    for (size_t i = 0; i < listed->count; i++)
        catalog_blob(connection, &listed->list[i], NULL, false);
    return connection_status(connection, failure);
}

static void
stage_settle(struct repository *repository, struct stage **stage)
{
    struct listed listed = {.list = NULL};
    struct failure failure;
    int status = stage_list(*stage, &listed.list, &listed.count, &failure);

    if (status == REPOSITORY_OK && listed.count > 0)
        status = database_write(repository->database, register_work, &listed, &failure);
    free(listed.list);
    if (status == REPOSITORY_OK) {
        stage_free(stage);
    } else {
        stage_leave(stage);
        sweep_later(repository);
    }
}

void
repository_abandon(struct repository *repository, struct stage **stage)
{
    if (*stage == NULL)
        return;
    stage_settle(repository, stage);
    repository_sweep(repository);
}

/* Takes care of what dead processes left, then sweeps. */
static void
repository_tidy(struct repository *repository)
{
    struct stage *stage;
    void *place = NULL;

    while ((stage = stage_adopt(repository->blobs, &place)) != NULL)
        stage_settle(repository, &stage);
    sweep_garbage(repository);
}

bool
repository_clean(void *closure)
{
    struct repository *repository = closure;

    if (atomic_exchange(blobs_untidy(repository->blobs), false))
        repository_tidy(repository);
    else
        sweep_garbage(repository);
    return !atomic_load(blobs_untidy(repository->blobs));
}

void
repository_begin(struct repository *repository)
{
    repository_tidy(repository);
    if (atomic_load(blobs_untidy(repository->blobs)))
        repository_sweep(repository);
}

void
repository_sweep(struct repository *repository)
{
    janitor_ask(repository->janitor);
}

void
repository_settle(struct repository *repository)
{
    struct failure failure;

    janitor_settle(repository->janitor);
    index_settle(repository->index, &failure);
}
