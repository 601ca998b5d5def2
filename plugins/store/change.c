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

/* Under the write lock: what a create (number 0) or an update writes, and what then stands in the
 * catalog. */
static json_t *
change_write(struct repository_change *change, struct connection *connection, int64_t number,
             const char *id, const json_t *object)
{
    json_t *blobs = change_blobs(change, connection);

    if (number == 0)
        number = catalog_add(connection, id, object, blobs, change->client);
    else
        catalog_change(connection, number, object, blobs, change->client);
    json_decref(blobs);
    return catalog_object(connection, number);
}

static int
change_transaction(struct repository_change *change, bool create, const char *id,
                   const json_t *object, json_t **stored, struct failure *failure)
{
    struct connection *connection = database_writer(change->repository->database, failure);
    int64_t number;
    int status;

    if (connection == NULL)
        return REPOSITORY_FAILED;
    number = catalog_find(connection, id);
    if (connection_status(connection, failure) == REPOSITORY_OK && create != (number == 0)) {
        database_rollback(&connection);
        return create ? REPOSITORY_TAKEN : REPOSITORY_UNKNOWN;
    }
    *stored = change_write(change, connection, number, id, object);
    status = database_commit(&connection, failure);
    if (status != REPOSITORY_OK) {
        json_decref(*stored);
        *stored = NULL;
    }
    return status;
}

static int
change_commit(struct repository_change *change, bool create, const char *id, const json_t *object,
              json_t **stored, struct failure *failure)
{
    struct repository *repository = change->repository;
    int status = change_publish(change, failure);

    *stored = NULL;
    if (status == REPOSITORY_OK)
        status = change_transaction(change, create, id, object, stored, failure);
    if (status != REPOSITORY_OK)
        repository_abandon(repository, &change->stage);
    else if (!create || atomic_load(&repository->untidy))
        repository_sweep(repository);
    return status;
}

int
repository_create(struct repository_change *change, const char *id, const json_t *object,
                  json_t **stored, struct failure *failure)
{
    return change_commit(change, true, id, object, stored, failure);
}

int
repository_update(struct repository_change *change, const char *id, const json_t *object,
                  json_t **stored, struct failure *failure)
{
    return change_commit(change, false, id, object, stored, failure);
}
