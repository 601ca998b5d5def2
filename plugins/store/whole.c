/*
 * An object with the data of all its elements, as they were at one moment (repository.h), however
 * long the client takes to read them. In each worker process; a whole belongs to one thread.
 *
 * A few elements are all opened (or read) at once, and so kept. Many would need as many descriptors
 * or as much memory: then a lock, shared by such readers, keeps the sweep away (sweep.c) until the
 * last of them is done.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "repository_impl.h"

/* What is kept at once. */
#define ELEMENTS_AT_ONCE 8

struct repository_whole {
    struct repository *repository;
    json_t *object;
    struct catalog_data *list;
    size_t count;
    size_t next;
    int readers; /* -1: not locked */
    struct repository_bytes kept[ELEMENTS_AT_ONCE];
    struct repository_bytes current; /* the one given last, where it is not among those */
};

static void
whole_forget(struct repository_whole *whole)
{
    for (int i = 0; i < ELEMENTS_AT_ONCE; i++)
        repository_bytes_fini(&whole->kept[i]);
    json_decref(whole->object);
    whole->object = NULL;
    catalog_data_free(&whole->list, whole->count);
    whole->count = 0;
}

void
repository_whole_free(struct repository_whole **whole)
{
    if (*whole == NULL)
        return;
    whole_forget(*whole);
    repository_bytes_fini(&(*whole)->current);
    if ((*whole)->readers >= 0) {
        close((*whole)->readers);
        repository_sweep((*whole)->repository);
    }
    free(*whole);
    *whole = NULL;
}

json_t *
repository_whole_object(const struct repository_whole *whole)
{
    return whole->object;
}

static bool
whole_is_short(const struct repository_whole *whole)
{
    return whole->count <= ELEMENTS_AT_ONCE;
}

/* What the catalog has of the bytes. */
static void
whole_read_small(struct repository_whole *whole, struct connection *connection)
{
    for (size_t i = 0; whole_is_short(whole) && i < whole->count; i++) {
        whole->kept[i].data = catalog_small(connection, &whole->list[i].blob);
        whole->kept[i].length = whole->list[i].blob.length;
    }
}

/* One look into the catalog. */
static int
whole_look(struct repository_whole *whole, const struct acl_client *client, const char *id,
           struct failure *failure)
{
    struct connection *connection = database_reader(whole->repository->database, failure);
    int64_t number, version;
    int status;

    if (connection == NULL)
        return REPOSITORY_FAILED;
    number = catalog_find(connection, id, &version);
    if (number != 0) {
        whole->object = catalog_object(connection, number);
        catalog_data(connection, number, &whole->list, &whole->count);
        whole_read_small(whole, connection);
    }
    status = connection_status(connection, failure);
    database_release(&connection);
    if (status == REPOSITORY_OK && number == 0)
        return REPOSITORY_UNKNOWN;
    return status == REPOSITORY_OK
               ? repository_allow(whole->repository, client, ACL_READ, whole->object, failure)
               : status;
}

/* Opens what is to be opened at once; REPOSITORY_UNKNOWN when something was removed since, or the
 * lock must be taken first. */
static int
whole_open(struct repository_whole *whole, struct failure *failure)
{
    if (!whole_is_short(whole)) {
        if (whole->readers >= 0)
            return REPOSITORY_OK;
        whole->readers = blobs_readers(whole->repository->blobs, LOCK_SH);
        return whole->readers >= 0 ? REPOSITORY_UNKNOWN
                                   : repository_missing(&whole->list[0].blob, errno, failure);
    }
    for (size_t i = 0; i < whole->count; i++) {
        struct repository_bytes *bytes = &whole->kept[i];

        if (bytes->data != NULL)
            continue;
        bytes->fd = blobs_bytes(whole->repository->blobs, &whole->list[i].blob);
        if (bytes->fd < 0 && errno == ENOENT)
            return REPOSITORY_UNKNOWN;
        if (bytes->fd < 0)
            return repository_missing(&whole->list[i].blob, errno, failure);
    }
    return REPOSITORY_OK;
}

static int
whole_fill(struct repository_whole *whole, const struct acl_client *client, const char *id,
           struct failure *failure)
{
    for (int look = 0; look < LOOKS_MAX; look++) {
        int status = whole_look(whole, client, id, failure);

        if (status != REPOSITORY_OK)
            return status;
        status = whole_open(whole, failure);
        if (status != REPOSITORY_UNKNOWN)
            return status;
        whole_forget(whole);
    }
    return failure_set(failure, "element bytes of '%s' are missing", id);
}

int
repository_whole(struct repository *repository, const struct acl_client *client, const char *id,
                 struct repository_whole **whole, struct failure *failure)
{
    int status;

    *whole = calloc(1, sizeof(**whole));
    if (*whole == NULL)
        return failure_set(failure, "memory is short");
    (*whole)->repository = repository;
    (*whole)->readers = (*whole)->current.fd = -1;
    for (int i = 0; i < ELEMENTS_AT_ONCE; i++)
        (*whole)->kept[i].fd = -1;
    status = whole_fill(*whole, client, id, failure);
    if (status != REPOSITORY_OK)
        repository_whole_free(whole);
    return status;
}

/* The bytes of an element of many, under the lock that keeps them. */
static int
whole_fetch(struct repository_whole *whole, const struct blob *blob, struct failure *failure)
{
    struct connection *connection = database_reader(whole->repository->database, failure);
    int status;

    if (connection == NULL)
        return REPOSITORY_FAILED;
    whole->current.data = catalog_small(connection, blob);
    status = connection_status(connection, failure);
    database_release(&connection);
    if (status != REPOSITORY_OK || whole->current.data != NULL)
        return status;
    whole->current.fd = blobs_bytes(whole->repository->blobs, blob);
    return whole->current.fd >= 0 ? REPOSITORY_OK : repository_missing(blob, errno, failure);
}

int
repository_whole_next(struct repository_whole *whole, const char **element_id,
                      struct repository_bytes *bytes, struct failure *failure)
{
    const struct catalog_data *data;

    repository_bytes_fini(&whole->current);
    if (whole->next == whole->count)
        return 0;
    data = &whole->list[whole->next];
    if (!whole_is_short(whole) && whole_fetch(whole, &data->blob, failure) != REPOSITORY_OK)
        return REPOSITORY_FAILED;
    *bytes = whole_is_short(whole) ? whole->kept[whole->next] : whole->current;
    bytes->length = data->blob.length;
    *element_id = data->id;
    whole->next++;
    return 1;
}
