/*
 * Creates and updates (repository.h): bytes are staged as they come, published when all of the
 * request is there, and the catalog's transaction makes it true. In each worker process, from any
 * thread; a change belongs to one thread.
 *
 * In what order it becomes durable: the bytes; the stage's directory, which remembers them; their
 * places among the elements; the catalog. After a crash anywhere on the way, the stage says which
 * bytes may point nowhere (sweep.c).
 */
#include <stdlib.h>
#include <string.h>

#include "repository_impl.h"

struct staged {
    char *element;
    struct blob blob;
};

struct repository_change {
    struct repository *repository;
    char *client;
    struct stage *stage; /* NULL: no bytes yet */
    struct staged *staged;
    size_t count;
};

struct repository_change *
repository_change_new(struct repository *repository, const char *client)
{
    struct repository_change *change = calloc(1, sizeof(*change));

    if (change == NULL)
        return NULL;
    change->repository = repository;
    if (client != NULL && (change->client = strdup(client)) == NULL)
        repository_change_free(&change);
    return change;
}

void
repository_change_free(struct repository_change **change)
{
    if (*change == NULL)
        return;
    stage_free(&(*change)->stage);
    for (size_t i = 0; i < (*change)->count; i++)
        free((*change)->staged[i].element);
    free((*change)->staged);
    free((*change)->client);
    free(*change);
    *change = NULL;
}

/* ------------------------------------------------------------------ bytes */

int
repository_stage_begin(struct repository_change *change, const char *element,
                       struct failure *failure)
{
    struct staged *staged = realloc(change->staged, (change->count + 1) * sizeof(*staged));

    if (staged != NULL) {
        change->staged = staged;
        staged[change->count] = (struct staged){.element = strdup(element)};
    }
    if (staged == NULL || staged[change->count].element == NULL)
        return failure_set(failure, "memory is short");
    change->count++;
    if (change->stage == NULL)
        change->stage = stage_new(change->repository->blobs, failure);
    return change->stage == NULL ? REPOSITORY_FAILED : stage_begin(change->stage, failure);
}

int
repository_stage_write(struct repository_change *change, const void *data, size_t size,
                       struct failure *failure)
{
    return stage_write(change->stage, data, size, failure);
}

int
repository_stage_end(struct repository_change *change, struct failure *failure)
{
    return stage_end(change->stage, &change->staged[change->count - 1].blob, failure);
}

static int
change_publish(struct repository_change *change, struct failure *failure)
{
    int status = change->stage == NULL ? REPOSITORY_OK : stage_seal(change->stage, failure);

    for (size_t i = 0; i < change->count && status == REPOSITORY_OK; i++)
        status = stage_publish(change->stage, &change->staged[i].blob, failure);
    return status;
}

/* ------------------------------------------------------------------ the commit */

/* Under the write lock: the numbers of the staged bytes, by element id. NULL: failed, and latched.
 */
static json_t *
change_blobs(struct repository_change *change, struct connection *connection)
{
    json_t *blobs = json_object();
    struct failure failure;

    if (blobs == NULL)
        connection_fail(connection, "memory is short");
    for (size_t i = 0; i < change->count && !connection->failed; i++) {
        const struct staged *staged = &change->staged[i];

        if (stage_confirm(change->stage, &staged->blob, &failure) != REPOSITORY_OK)
            connection_fail(connection, failure.text);
        else if (json_object_set_new_nocheck(
                     blobs, staged->element,
                     json_integer(catalog_blob(connection, &staged->blob))) != 0)
            connection_fail(connection, "memory is short");
    }
    return blobs;
}

/* What is to be written: a create (no terms) or an update. */
struct writing {
    const char *id;
    const json_t *object;
    const struct repository_terms *terms; /* NULL: create */
};

/* Under the write lock: writes it, and gives what then stands in the catalog. */
static json_t *
change_write(struct repository_change *change, struct connection *connection, int64_t number,
             const struct writing *writing)
{
    json_t *blobs = change_blobs(change, connection);

    if (writing->terms == NULL)
        number = catalog_add(connection, writing->id, writing->object, blobs, change->client);
    else
        catalog_change(connection, number, writing->object, blobs, writing->terms->drop,
                       change->client);
    json_decref(blobs);
    return catalog_object(connection, number);
}

/* Under the write lock: whether it can be written to what is there. */
static int
change_check(const struct writing *writing, int64_t number, int64_t version,
             struct failure *failure)
{
    if (writing->terms == NULL)
        return number == 0 ? REPOSITORY_OK : REPOSITORY_TAKEN;
    if (number == 0)
        return REPOSITORY_UNKNOWN;
    return repository_expect(writing->id, version, writing->terms->version, failure);
}

static int
change_transaction(struct repository_change *change, const struct writing *writing,
                   json_t **stored, struct failure *failure)
{
    struct connection *connection = database_writer(change->repository->database, failure);
    int64_t number, version;
    int status;

    if (connection == NULL)
        return REPOSITORY_FAILED;
    number = catalog_find(connection, writing->id, &version);
    status = connection_status(connection, failure);
    if (status == REPOSITORY_OK)
        status = change_check(writing, number, version, failure);
    if (status != REPOSITORY_OK) {
        database_rollback(&connection);
        return status;
    }
    *stored = change_write(change, connection, number, writing);
    status = database_commit(&connection, failure);
    if (status != REPOSITORY_OK) {
        json_decref(*stored);
        *stored = NULL;
    }
    return status;
}

static int
change_commit(struct repository_change *change, const struct writing *writing, json_t **stored,
              struct failure *failure)
{
    struct repository *repository = change->repository;
    int status = change_publish(change, failure);

    *stored = NULL;
    if (status == REPOSITORY_OK)
        status = change_transaction(change, writing, stored, failure);
    if (status != REPOSITORY_OK)
        repository_abandon(repository, &change->stage);
    else if (writing->terms != NULL || atomic_load(&repository->untidy))
        repository_sweep(repository);
    return status;
}

int
repository_create(struct repository_change *change, const char *id, const json_t *object,
                  json_t **stored, struct failure *failure)
{
    const struct writing writing = {.id = id, .object = object};

    return change_commit(change, &writing, stored, failure);
}

int
repository_update(struct repository_change *change, const char *id, const json_t *object,
                  const struct repository_terms *terms, json_t **stored, struct failure *failure)
{
    const struct writing writing = {.id = id, .object = object, .terms = terms};

    return change_commit(change, &writing, stored, failure);
}
