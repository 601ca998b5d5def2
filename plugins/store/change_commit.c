/*
 * Creates and updates (repository.h) become true: bytes are published when all of the request is
 * there, and the catalog's transaction makes it so. In each worker process, from any thread; a
 * change belongs to one, and to the one that commits for it meanwhile.
 *
 * In what order what is not small becomes durable: the bytes; the stage's directory, which remembers
 * them; their places among the elements; the catalog. After a crash anywhere on the way, the stage
 * says which bytes may point nowhere (sweep.c).
 */
#include <string.h>

#include "change_impl.h"

static int
change_publish(struct repository_change *change, struct failure *failure)
{
    int status = change->stage == NULL ? REPOSITORY_OK : stage_seal(change->stage, failure);

    for (size_t i = 0; i < change->count && status == REPOSITORY_OK; i++) {
        if (change->staged[i].data == NULL)
            status = stage_publish(change->stage, &change->staged[i].blob, failure);
    }
    return status;
}

/* ------------------------------------------------------------------ the commit */

/* The bytes staged last for an element. */
static const struct blob *
change_staged(const char *element, void *closure)
{
    const struct repository_change *change = closure;

    for (size_t i = change->count; i-- > 0;) {
        if (strcmp(change->staged[i].element, element) == 0)
            return &change->staged[i].blob;
    }
    return NULL;
}

/* Under the write lock: the numbers of the staged bytes, by element id, with a use for each. Failures
 * are latched. */
static json_t *
change_blobs(struct repository_change *change, struct connection *connection)
{
    json_t *blobs = json_object();
    struct failure failure;

    if (blobs == NULL)
        connection_fail(connection, "memory is short");
    for (size_t i = 0; i < change->count && !connection->failed; i++) {
        const struct staged *staged = &change->staged[i];
        int64_t number = json_integer_value(json_object_get(blobs, staged->element));

        if (number != 0)
            catalog_use(connection, number, -1);
        if (staged->data == NULL &&
            stage_confirm(change->stage, &staged->blob, &failure) != REPOSITORY_OK)
            connection_fail(connection, failure.text);
        else if (json_object_set_new_nocheck(blobs, staged->element,
                                             json_integer(catalog_blob(connection, &staged->blob,
                                                                       staged->data, true))) != 0)
            connection_fail(connection, "memory is short");
    }
    return blobs;
}

/* An element of the object whose bytes the update replaces or drops. */
static bool
writing_replaces(const char *id, void *closure)
{
    const struct writing *writing = closure;
    json_t *dropped;
    size_t i;

    if (change_staged(id, writing->change) != NULL)
        return true;
    json_array_foreach(writing->terms->drop, i, dropped)
    {
        if (strcmp(json_string_value(dropped), id) == 0)
            return true;
    }
    return false;
}

/* Under the write lock: the limits on what would be there. A change without bytes passes none. */
static int
writing_limits(struct writing *writing, struct connection *connection, int64_t number,
               struct failure *failure)
{
    const struct repository_limits *limits = &writing->change->repository->limits;
    uint64_t total = writing->change->total;

    if (total == 0)
        return REPOSITORY_OK;
    if (limits->quota != 0 && catalog_usage(connection) + total > limits->quota)
        return limit_passed(failure, "The repository", limits->quota, "quota");
    if (limits->object != 0 && writing->terms != NULL &&
        catalog_length(connection, number, writing_replaces, writing) + total > limits->object)
        return limit_passed(failure, "The object", limits->object, "max_object");
    return connection_status(connection, failure);
}

/* Under the write lock: whether it can be written to what is there, which `is` tells but for its
 * elements. */
static int
writing_check(const struct writing *writing, const json_t *is, int64_t version,
              struct failure *failure)
{
    const struct repository_change *change = writing->change;
    int status;

    if (writing->terms == NULL)
        return is == NULL ? REPOSITORY_OK : REPOSITORY_TAKEN;
    if (is == NULL)
        return REPOSITORY_UNKNOWN;
    status = repository_allow(change->repository, change->client, ACL_WRITE, is, failure);
    return status == REPOSITORY_OK
               ? repository_expect(writing->id, version, writing->terms->version, failure)
               : status;
}

/* Under the write lock: writes it, and tells what there is then. */
static int
writing_write(struct writing *writing, struct connection *connection, int64_t number,
              const json_t *is, struct failure *failure)
{
    const struct acl_client *client = writing->change->client;
    const char *name = client == NULL ? NULL : client->id;
    json_t *blobs = change_blobs(writing->change, connection);
    json_t *acl = writing->terms == NULL ? NULL : writing->terms->acl;
    json_t *object = acl_applied(writing->object, is, acl);
    int64_t time;

    if (object == NULL) {
        connection_fail(connection, "memory is short");
    } else if (writing->terms == NULL) {
        catalog_add(connection, writing->id, object, blobs, name, &time);
        writing->stored = catalog_made(connection, writing->id, object, time, name, change_staged,
                                       writing->change);
    } else {
        catalog_change(connection, number, object, blobs, writing->terms->drop, name);
        writing->stored = catalog_object(connection, number);
    }
    json_decref(object);
    json_decref(blobs);
    return connection_status(connection, failure);
}

/* Under the write lock. */
static int
writing_work(struct connection *connection, void *closure, struct failure *failure)
{
    struct writing *writing = closure;
    int64_t version, number = catalog_find(connection, writing->id, &version);
    json_t *is = number == 0 ? NULL : catalog_head(connection, number);
    int status = connection_status(connection, failure);

    json_decref(writing->stored); /* of a transaction that failed */
    writing->stored = NULL;
    if (status == REPOSITORY_OK)
        status = writing_check(writing, is, version, failure);
    if (status == REPOSITORY_OK)
        status = writing_limits(writing, connection, number, failure);
    if (status == REPOSITORY_OK)
        status = writing_write(writing, connection, number, is, failure);
    json_decref(is);
    return status;
}

/* What is to be done when it has ended. */
static void
writing_end(struct writing *writing, int status)
{
    struct repository_change *change = writing->change;

    if (status != REPOSITORY_OK) {
        json_decref(writing->stored);
        writing->stored = NULL;
        repository_abandon(change->repository, &change->stage);
    } else if (writing->terms != NULL) {
        repository_sweep(change->repository);
    }
    if (status == REPOSITORY_OK)
        index_wake(change->repository->index);
}

static int
writing_commit(struct writing *writing, json_t **stored, struct failure *failure)
{
    struct repository_change *change = writing->change;
    int status = change_publish(change, failure);

    if (status == REPOSITORY_OK)
        status = database_write(change->repository->database, writing_work, writing, failure);
    writing_end(writing, status);
    *stored = writing->stored;
    return status;
}

int
repository_create(struct repository_change *change, const char *id, const json_t *object,
                  json_t **stored, struct failure *failure)
{
    struct writing writing = {.change = change, .id = id, .object = object};

    return writing_commit(&writing, stored, failure);
}

int
repository_update(struct repository_change *change, const char *id, const json_t *object,
                  const struct repository_terms *terms, json_t **stored, struct failure *failure)
{
    struct writing writing = {.change = change, .id = id, .object = object, .terms = terms};

    return writing_commit(&writing, stored, failure);
}

/* ------------------------------------------------------------------ later */

bool
repository_change_is_light(const struct repository_change *change)
{
    return change->stage == NULL;
}

static void
change_committed(struct database_job *job)
{
    struct repository_change *change = job->closure;
    struct repository_later *later = &change->later;

    writing_end(&change->writing, job->status);
    later->done(later->closure, job->status, change->writing.stored, &later->failure);
}

static int
change_work(struct connection *connection, void *closure, struct failure *failure)
{
    struct repository_change *change = closure;

    return writing_work(connection, &change->writing, failure);
}

void
repository_commit_later(struct repository_change *change, const char *id, const json_t *object,
                        const struct repository_terms *terms, repository_done done, void *closure)
{
    change->writing = (struct writing){change, id, object, terms, NULL};
    change->later = (struct repository_later){.job = {.work = change_work,
                                                      .closure = change,
                                                      .failure = &change->later.failure,
                                                      .done = change_committed},
                                              .done = done,
                                              .closure = closure};
    database_write_later(change->repository->database, &change->later.job);
}
