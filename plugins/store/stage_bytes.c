/*
 * Element bytes on their way in (blobs.h): gathered, then hashed and written to a stage's file, and
 * synced. In each worker process, from any thread; of more than a piece (relay.h), they are hashed
 * and written in a thread of the stage's own, while the caller reads on.
 */
#include "blobs_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* The kernel is told to start writing so many bytes at a time, so that the sync at the end is
 * short. */
#define WRITE_BEHIND (8u << 20)

/* A piece, in whichever thread; why not is in stage->why. */
static bool
stage_store(void *closure, const void *data, size_t size)
{
    struct stage *stage = closure;
    const char *next = data;

    if (EVP_DigestUpdate(stage->digest, data, size) != 1) {
        failure_set(&stage->why, "SHA-256 failed");
        return false;
    }
    while (size > 0) {
        ssize_t written = write(stage->data, next, size);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            stage_fail(&stage->why, "stored");
            return false;
        }
        next += written;
        size -= (size_t)written;
        stage->length += (uint64_t)written;
    }
    if (stage->length - stage->behind >= WRITE_BEHIND) {
        sync_file_range(stage->data, (off64_t)stage->behind,
                        (off64_t)(stage->length - stage->behind), SYNC_FILE_RANGE_WRITE);
        stage->behind = stage->length;
    }
    return true;
}

int
stage_begin(struct stage *stage, struct failure *failure)
{
    if (stage->relay == NULL)
        stage->relay = relay_new(stage_store, stage);
    if (stage->relay == NULL)
        return failure_set(failure, "memory is short");
    stage->length = stage->behind = 0;
    stage->data = openat(stage->directory, "data", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (stage->data < 0)
        return stage_fail(failure, "stored");
    if (EVP_DigestInit_ex(stage->digest, EVP_sha256(), NULL) != 1)
        return failure_set(failure, "SHA-256 is not to be had");
    return REPOSITORY_OK;
}

char *
stage_room(struct stage *stage, size_t *room)
{
    return relay_room(stage->relay, room);
}

/* All that was given is stored, or *failure says why not. */
static int
stage_gather(struct stage *stage, struct failure *failure)
{
    if (relay_end(stage->relay))
        return REPOSITORY_OK;
    *failure = stage->why;
    return REPOSITORY_FAILED;
}

int
stage_write(struct stage *stage, const void *data, size_t size, struct failure *failure)
{
    const char *next = data;

    while (size > 0) {
        size_t room;
        char *place = relay_room(stage->relay, &room);
        size_t part = size < room ? size : room;

        if (place != next)
            memcpy(place, next, part);
        next += part;
        size -= part;
        if (!relay_give(stage->relay, part))
            return stage_gather(stage, failure);
    }
    return REPOSITORY_OK;
}

int
stage_end(struct stage *stage, struct blob *blob, struct failure *failure)
{
    int result = stage_gather(stage, failure);

    if (result != REPOSITORY_OK)
        return result;
    memset(blob, 0, sizeof(*blob));
    if (EVP_DigestFinal_ex(stage->digest, blob->sha256, NULL) != 1)
        return failure_set(failure, "SHA-256 failed");
    blob_name(blob);
    blob->length = stage->length;
    if (!stage->deferred && fsync(stage->data) != 0)
        return stage_fail(failure, "synced to disk");
    result = close(stage->data);
    stage->data = -1;
    if (result != 0 || renameat(stage->directory, "data", stage->directory, blob->name) != 0)
        return stage_fail(failure, "stored");
    return REPOSITORY_OK;
}
