/*
 * The bytes of a change (repository.h) as they come in: small ones wait in memory, to go into the
 * catalog, others in a stage. In each worker process, from any thread; a change belongs to one.
 */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "change_impl.h"

/* Small elements share the catalog's sync; but not more of one change than this, so that neither
 * memory nor the transaction grows with it. */
#define SMALL_ALL_MAX ((size_t)256 << 10)

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

int
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
