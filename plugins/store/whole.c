/*
 * An object with the data of all its elements, as they were at one moment (repository.h), however
 * long the client takes to read them. In each worker process; a whole belongs to one thread.
 *
 * A few elements are all opened at once, and so kept. Many would need as many descriptors: then a
 * lock, shared by such readers, keeps the sweep away (sweep.c) until the last of them is done.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "repository_impl.h"

#define OPEN_MAX_AT_ONCE 8

struct repository_whole {
    struct repository *repository;
    json_t *object;
    struct catalog_data *list;
    size_t count;
    size_t next;
    int readers; /* -1: not locked */
    int open[OPEN_MAX_AT_ONCE];
    int current; /* the one given last, where it is not among those */
};

static void
whole_forget(struct repository_whole *whole)
{
    for (int i = 0; i < OPEN_MAX_AT_ONCE; i++) {
        if (whole->open[i] >= 0)
            close(whole->open[i]);
        whole->open[i] = -1;
    }
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
    if ((*whole)->current >= 0)
        close((*whole)->current);
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

/* One look into the catalog. */
static int
whole_look(struct repository_whole *whole, const char *id, struct failure *failure)
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
    }
    status = connection_status(connection, failure);
    database_release(&connection);
    return status == REPOSITORY_OK && number == 0 ? REPOSITORY_UNKNOWN : status;
}

/* Opens what is to be opened at once; REPOSITORY_UNKNOWN when something was removed since, or the
 * lock must be taken first. */
static int
whole_open(struct repository_whole *whole, struct failure *failure)
{
    if (whole->count > OPEN_MAX_AT_ONCE) {
        if (whole->readers >= 0)
            return REPOSITORY_OK;
        whole->readers = blobs_readers(whole->repository->blobs, LOCK_SH);
        return whole->readers >= 0 ? REPOSITORY_UNKNOWN
                                   : repository_missing(&whole->list[0].blob, errno, failure);
    }
    for (size_t i = 0; i < whole->count; i++) {
        whole->open[i] = blobs_bytes(whole->repository->blobs, &whole->list[i].blob);
        if (whole->open[i] < 0 && errno == ENOENT)
            return REPOSITORY_UNKNOWN;
        if (whole->open[i] < 0)
            return repository_missing(&whole->list[i].blob, errno, failure);
    }
    return REPOSITORY_OK;
}

static int
whole_fill(struct repository_whole *whole, const char *id, struct failure *failure)
{
    for (int look = 0; look < LOOKS_MAX; look++) {
        int status = whole_look(whole, id, failure);

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
repository_whole(struct repository *repository, const char *id, struct repository_whole **whole,
                 struct failure *failure)
{
    int status;

    *whole = calloc(1, sizeof(**whole));
    if (*whole == NULL)
        return failure_set(failure, "memory is short");
    (*whole)->repository = repository;
    (*whole)->readers = (*whole)->current = -1;
    for (int i = 0; i < OPEN_MAX_AT_ONCE; i++)
        (*whole)->open[i] = -1;
    status = whole_fill(*whole, id, failure);
    if (status != REPOSITORY_OK)
        repository_whole_free(whole);
    return status;
}

int
repository_whole_next(struct repository_whole *whole, const char **element_id,
                      struct repository_bytes *bytes, struct failure *failure)
{
    const struct catalog_data *data;

    if (whole->current >= 0)
        close(whole->current);
    whole->current = -1;
    if (whole->next == whole->count)
        return 0;
    data = &whole->list[whole->next];
    if (whole->readers < 0) {
        bytes->fd = whole->open[whole->next];
    } else {
        bytes->fd = whole->current = blobs_bytes(whole->repository->blobs, &data->blob);
        if (bytes->fd < 0)
            return repository_missing(&data->blob, errno, failure);
    }
    bytes->length = data->blob.length;
    *element_id = data->id;
    whole->next++;
    return 1;
}
