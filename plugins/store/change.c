/*
 * Creates and updates (repository.h): bytes are staged as they come, published when all of the
 * request is there, and the catalog's transaction makes it true. In each worker process, from any
 * thread; a change belongs to one thread, and to the one that commits for it meanwhile.
 *
 * Small bytes wait in memory and go into the catalog; what follows is of the others.
 *
 * In what order it becomes durable: the bytes; the stage's directory, which remembers them; their
 * places among the elements; the catalog. After a crash anywhere on the way, the stage says which
 * bytes may point nowhere (sweep.c).
 */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "repository_impl.h"

/* Small elements share the catalog's sync; but not more of one change than this, so that neither
 * memory nor the transaction grows with it. */
#define SMALL_ALL_MAX ((size_t)256 << 10)

struct staged {
    char *element;
    struct blob blob;
    uint64_t size; /* so far */
    char *data;    /* of a small one; NULL: it is in the stage */
};

struct repository_change {
    struct repository *repository;
    const struct acl_client *client;
    struct stage *stage; /* NULL: no file yet */
    struct staged *staged;
    size_t count;
    size_t small;   /* bytes in memory */
    uint64_t total; /* bytes of all elements so far */
    uint64_t room;  /* so many the quota left when the first file was begun */
};

struct repository_change *
repository_change_new(struct repository *repository, const struct acl_client *client)
{
    struct repository_change *change = calloc(1, sizeof(*change));

    if (change == NULL)
        return NULL;
    change->repository = repository;
    change->client = client;
    change->room = UINT64_MAX;
    return change;
}

void
repository_change_free(struct repository_change **change)
{
    if (*change == NULL)
        return;
    stage_free(&(*change)->stage);
    if (atomic_load(blobs_untidy((*change)->repository->blobs)))
        repository_sweep((*change)->repository);
    for (size_t i = 0; i < (*change)->count; i++) {
        free((*change)->staged[i].element);
        free((*change)->staged[i].data);
    }
    free((*change)->staged);
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
        staged += change->count++;
        *staged = (struct staged){.element = strdup(element), .data = malloc(1)};
    }
    if (staged == NULL || staged->element == NULL || staged->data == NULL)
        return failure_set(failure, "memory is short");
    return REPOSITORY_OK;
}

/* ------------------------------------------------------------------ limits */

static int
limit_passed(struct failure *failure, const char *what, uint64_t limit, const char *name)
{
    failure_set(failure, "%s would be larger than %llu bytes, which '%s' allows.", what,
                (unsigned long long)limit, name);
    return REPOSITORY_REFUSED;
}

/* What can be known while the bytes come in, so that the disk is not filled first. */
static int
limit_check(const struct repository_change *change, const struct staged *staged,
            struct failure *failure)
{
    const struct repository_limits *limits = &change->repository->limits;

    if (limits->element != 0 && staged->size > limits->element)
        return limit_passed(failure, "The element", limits->element, "max_element");
    if (limits->object != 0 && change->total > limits->object)
        return limit_passed(failure, "The object", limits->object, "max_object");
    if (change->total > change->room)
        return limit_passed(failure, "The repository", limits->quota, "quota");
    return REPOSITORY_OK;
}

/* Looks once how much the quota leaves. */
static int
limit_look(struct repository_change *change, struct failure *failure)
{
    uint64_t quota = change->repository->limits.quota, usage;
    struct connection *connection;
    int status;

    if (quota == 0 || change->room != UINT64_MAX)
        return REPOSITORY_OK;
    connection = database_reader(change->repository->database, failure);
    if (connection == NULL)
        return REPOSITORY_FAILED;
    usage = catalog_usage(connection);
    change->room = usage > quota ? 0 : quota - usage;
    status = connection_status(connection, failure);
    database_release(&connection);
    return status;
}

/* ------------------------------------------------------------------ bytes, on */

/* It is not a small one after all: what there is of it goes to a file. */
static int
stage_open(struct repository_change *change, struct staged *staged, struct failure *failure)
{
    int status = limit_look(change, failure);

    if (status == REPOSITORY_OK)
        status = limit_check(change, staged, failure);
    if (status != REPOSITORY_OK)
        return status;
    if (change->stage == NULL)
        change->stage = stage_new(change->repository->blobs, failure);
    status = change->stage == NULL ? REPOSITORY_FAILED : stage_begin(change->stage, failure);
    if (status == REPOSITORY_OK)
        status = stage_write(change->stage, staged->data, staged->blob.length, failure);
    change->small -= staged->blob.length;
    free(staged->data);
    staged->data = NULL;
    return status;
}

static int
stage_small(struct repository_change *change, struct staged *staged, const void *data, size_t size,
            struct failure *failure)
{
    char *grown = realloc(staged->data, staged->size + 1);

    if (grown == NULL)
        return failure_set(failure, "memory is short");
    staged->data = grown;
    memcpy(grown + staged->blob.length, data, size);
    staged->blob.length += size;
    change->small += size;
    return REPOSITORY_OK;
}

char *
repository_stage_room(struct repository_change *change, size_t *room)
{
    return change->staged[change->count - 1].data == NULL ? stage_room(change->stage, room) : NULL;
}

int
repository_stage_write(struct repository_change *change, const void *data, size_t size,
                       struct failure *failure)
{
    struct staged *staged = &change->staged[change->count - 1];
    int status;

    staged->size += size;
    change->total += size;
    if ((status = limit_check(change, staged, failure)) != REPOSITORY_OK)
        return status;
    if (staged->data != NULL && size <= REPOSITORY_SMALL_MAX - staged->blob.length &&
        size <= SMALL_ALL_MAX - change->small)
        return stage_small(change, staged, data, size, failure);
    if (staged->data != NULL && (status = stage_open(change, staged, failure)) != REPOSITORY_OK)
        return status;
    return stage_write(change->stage, data, size, failure);
}

int
repository_stage_end(struct repository_change *change, struct failure *failure)
{
    struct staged *staged = &change->staged[change->count - 1];

    if (staged->data == NULL)
        return stage_end(change->stage, &staged->blob, failure);
    if (EVP_Digest(staged->data, staged->blob.length, staged->blob.sha256, NULL, EVP_sha256(),
                   NULL) != 1)
        return failure_set(failure, "SHA-256 is not to be had");
    blob_name(&staged->blob);
    return REPOSITORY_OK;
}

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

/* A create (no terms) or an update, and what stands in the catalog after it. */
struct writing {
    struct repository_change *change;
    const char *id;
    const json_t *object;
    const struct repository_terms *terms; /* NULL: create */
    json_t *stored;
};

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

static int
change_commit(struct writing *writing, json_t **stored, struct failure *failure)
{
    struct repository_change *change = writing->change;
    int status = change_publish(change, failure);

    if (status == REPOSITORY_OK)
        status = database_write(change->repository->database, writing_work, writing, failure);
    if (status != REPOSITORY_OK) {
        json_decref(writing->stored);
        writing->stored = NULL;
        repository_abandon(change->repository, &change->stage);
    } else if (writing->terms != NULL) {
        repository_sweep(change->repository);
    }
    if (status == REPOSITORY_OK)
        index_wake(change->repository->index);
    *stored = writing->stored;
    return status;
}

int
repository_create(struct repository_change *change, const char *id, const json_t *object,
                  json_t **stored, struct failure *failure)
{
    struct writing writing = {.change = change, .id = id, .object = object};

    return change_commit(&writing, stored, failure);
}

int
repository_update(struct repository_change *change, const char *id, const json_t *object,
                  const struct repository_terms *terms, json_t **stored, struct failure *failure)
{
    struct writing writing = {.change = change, .id = id, .object = object, .terms = terms};

    return change_commit(&writing, stored, failure);
}
