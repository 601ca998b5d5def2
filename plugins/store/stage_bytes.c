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

/* Goes to disk while the next comes in, so that the sync at the end is short. */
#define WINDOW ((uint64_t)8 << 20)

static int
stage_put(struct stage *stage, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(stage->data, data, size);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return stage_fail(&stage->why, "stored");
        data += written;
        size -= (size_t)written;
        stage->length += (uint64_t)written;
    }
    return REPOSITORY_OK;
}

/*
 * Has a window written when it is full, and the one before it let go of: an element that is larger
 * would fill the page cache in the place of others, with memory that may cost the kernel more than
 * all else here. The end of it stays, and all of a smaller one. fsync() does not tell again
 * what this wait tells.
 */
static int
stage_let_go(struct stage *stage)
{
    off64_t end = (off64_t)stage->behind, start = end - (off64_t)WINDOW;

    if (stage->length - stage->behind < WINDOW)
        return REPOSITORY_OK;
    sync_file_range(stage->data, end, (off64_t)WINDOW, SYNC_FILE_RANGE_WRITE);
    stage->behind += WINDOW;
    if (end == 0)
        return REPOSITORY_OK;
    if (sync_file_range(stage->data, start, (off64_t)WINDOW,
                        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                            SYNC_FILE_RANGE_WAIT_AFTER) != 0)
        return stage_fail(&stage->why, "synced to disk");
    posix_fadvise(stage->data, start, (off64_t)WINDOW, POSIX_FADV_DONTNEED);
    return REPOSITORY_OK;
}

/* A piece, in whichever thread; why not is in stage->why. */
static bool
stage_store(void *closure, const void *data, size_t size)
{
    struct stage *stage = closure;

    if (EVP_DigestUpdate(stage->digest, data, size) != 1) {
        failure_set(&stage->why, "SHA-256 failed");
        return false;
    }
    return stage_put(stage, data, size) == REPOSITORY_OK && stage_let_go(stage) == REPOSITORY_OK;
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
