/*
 * Stages (blobs.h): the directories of changes under way, whose bytes (stage_bytes.c) are linked
 * among the elements. In each worker process, from any thread; a stage belongs to one thread at a
 * time.
 */
#include "blobs_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* A process that was killed may hold its locks for so long, while its last sync goes on. */
#define DYING_S 10

int
stage_fail(struct failure *failure, const char *what)
{
    return failure_set(failure, "element bytes can't be %s: %s", what, strerror(errno));
}

/* Opens and locks the stage's directory: false with errno, EWOULDBLOCK where another has it. */
static bool
stage_lock(struct stage *stage)
{
    struct stat opened, named;

    stage->directory = openat(stage->blobs->incoming, stage->name,
                              O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (stage->directory < 0)
        return false;
    if (flock(stage->directory, LOCK_EX | LOCK_NB) != 0) {
        close(stage->directory);
        stage->directory = -1;
        errno = EWOULDBLOCK;
        return false;
    }
    /* Between its making and its locking, a sweep may have taken it for a dead one's and removed
     * it. */
    if (fstat(stage->directory, &opened) == 0 &&
        fstatat(stage->blobs->incoming, stage->name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
        opened.st_ino == named.st_ino)
        return true;
    close(stage->directory);
    stage->directory = -1;
    errno = ENOENT;
    return false;
}

/* Of the directory itself: fails, too, where something is left in it. */
static void
stage_remove(const struct stage *stage)
{
    if (unlinkat(stage->blobs->incoming, stage->name, AT_REMOVEDIR) != 0)
        atomic_store(blobs_untidy(stage->blobs), true);
}

static bool
stage_make(struct stage *stage)
{
    for (int attempt = 0; attempt < 8; attempt++) {
        if (!blobs_random(stage->name) || mkdirat(stage->blobs->incoming, stage->name, 0700) != 0)
            return false;
        if (stage_lock(stage))
            return true;
        if (errno != ENOENT && errno != EWOULDBLOCK) {
            int error = errno;

            stage_remove(stage);
            errno = error;
            return false;
        }
    }
    return false;
}

static struct stage *
stage_allocate(struct blobs *blobs)
{
    struct stage *stage = calloc(1, sizeof(*stage));

    if (stage == NULL)
        return NULL;
    stage->blobs = blobs;
    stage->directory = stage->data = -1;
    return stage;
}

struct stage *
stage_new(struct blobs *blobs, struct failure *failure)
{
    struct stage *stage = stage_allocate(blobs);

    if (stage == NULL) {
        failure_set(failure, "memory is short");
        return NULL;
    }
    stage->digest = EVP_MD_CTX_new();
    if (stage->digest == NULL)
        failure_set(failure, "memory is short");
    else if (!stage_make(stage))
        stage_fail(failure, "staged");
    else
        return stage;
    stage_leave(&stage);
    return NULL;
}

void
stage_leave(struct stage **stage)
{
    if (*stage == NULL)
        return;
    relay_free(&(*stage)->relay);
    if ((*stage)->data >= 0)
        close((*stage)->data);
    if ((*stage)->directory >= 0)
        close((*stage)->directory);
    EVP_MD_CTX_free((*stage)->digest);
    free(*stage);
    *stage = NULL;
}

/* The stage's directory, to read its names; the caller closes it. */
static DIR *
stage_names(const struct stage *stage)
{
    int fd = openat(stage->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *names = fd < 0 ? NULL : fdopendir(fd);

    if (names == NULL && fd >= 0)
        close(fd);
    return names;
}

void
stage_free(struct stage **stage)
{
    const struct dirent *entry;
    DIR *names = *stage == NULL ? NULL : stage_names(*stage);

    while (names != NULL && (entry = readdir(names)) != NULL) {
        if (entry->d_name[0] != '.')
            unlinkat((*stage)->directory, entry->d_name, 0);
    }
    if (names != NULL)
        closedir(names);
    if (*stage != NULL)
        stage_remove(*stage);
    stage_leave(stage);
}

/* ------------------------------------------------------------------ among the elements */

/* What is known of the file in elements/: false with errno. One of another length is damaged, and
 * counts as none. */
static bool
stage_look(const struct stage *stage, const struct blob *blob, struct stat *status)
{
    char path[BLOB_PATH];

    blob_path(blob, path);
    if (fstatat(stage->blobs->elements, path, status, AT_SYMLINK_NOFOLLOW) != 0)
        return false;
    errno = ENOENT;
    return S_ISREG(status->st_mode) && (uint64_t)status->st_size == blob->length;
}

/* Links the staged bytes into elements/, in place of a damaged file where there is one. */
static bool
stage_link(const struct stage *stage, const struct blob *blob, struct stat *status)
{
    char path[BLOB_PATH];
    int elements = stage->blobs->elements;

    blob_path(blob, path);
    if (!blobs_directory(stage->blobs, blob))
        return false;
    if (linkat(stage->directory, blob->name, elements, path, 0) != 0 && errno != EEXIST)
        return false;
    if (!stage_look(stage, blob, status)) {
        unlinkat(stage->directory, "again", 0);
        if (linkat(stage->directory, blob->name, stage->directory, "again", 0) != 0 ||
            renameat(stage->directory, "again", elements, path) != 0 ||
            !stage_look(stage, blob, status))
            return false;
    }
    path[2] = '\0'; /* its directory */
    return stage->deferred || blobs_sync_directory(elements, path);
}

void
stage_defer(struct stage *stage)
{
    stage->deferred = true;
}

int
stage_sync(struct stage *stage, struct failure *failure)
{
    return syncfs(stage->directory) == 0 ? REPOSITORY_OK : stage_fail(failure, "synced to disk");
}

int
stage_seal(struct stage *stage, struct failure *failure)
{
    if (fsync(stage->directory) != 0 || fsync(stage->blobs->incoming) != 0)
        return stage_fail(failure, "synced to disk");
    return REPOSITORY_OK;
}

int
stage_publish(struct stage *stage, struct blob *blob, struct failure *failure)
{
    struct stat status;

    if (!stage_link(stage, blob, &status))
        return stage_fail(failure, "put in their place");
    blob->inode = status.st_ino;
    return REPOSITORY_OK;
}

int
stage_confirm(struct stage *stage, const struct blob *blob, struct failure *failure)
{
    struct stat status;

    /* The same file as was synced: nobody can have removed it and put it back but under the lock
     * that we hold. */
    stage->deferred = false;
    if (stage_look(stage, blob, &status) && status.st_ino == blob->inode)
        return REPOSITORY_OK;
    return stage_link(stage, blob, &status) ? REPOSITORY_OK
                                            : stage_fail(failure, "put in their place");
}

/* ------------------------------------------------------------------ what the dead left */

/* Whether an entry of incoming/ that could not be locked is to be looked at again. */
static bool
stage_again(const struct stage *stage)
{
    switch (errno) {
    case ENOENT:
        return false;
    case ENOTDIR: /* a scratch file, which nobody opens by name */
        return unlinkat(stage->blobs->incoming, stage->name, 0) != 0;
    case EWOULDBLOCK: /* of one who lives; or, soon after a crash, who is not quite dead yet */
        return blobs_clock() - stage->blobs->opened < DYING_S;
    default:
        return true;
    }
}

/* Whether the entry of incoming/ is a stage that nobody has: locked, then. */
static bool
stage_take(struct stage *stage, const char *name)
{
    if (name[0] == '.' || strlen(name) >= sizeof(stage->name))
        return false;
    strcpy(stage->name, name);
    if (stage_lock(stage))
        return true;
    if (stage_again(stage))
        atomic_store(blobs_untidy(stage->blobs), true);
    return false;
}

struct stage *
stage_adopt(struct blobs *blobs, void **place)
{
    const struct dirent *entry;
    struct stage *stage = stage_allocate(blobs);

    if (*place == NULL) {
        int fd = openat(blobs->incoming, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        *place = fd < 0 ? NULL : fdopendir(fd);
        if (*place == NULL && fd >= 0)
            close(fd);
    }
    if (stage == NULL || *place == NULL)
        atomic_store(blobs_untidy(blobs), true);
    while (stage != NULL && *place != NULL && (entry = readdir(*place)) != NULL) {
        if (stage_take(stage, entry->d_name))
            return stage;
    }
    if (*place != NULL)
        closedir(*place);
    *place = NULL;
    stage_leave(&stage);
    return NULL;
}

int
stage_list(struct stage *stage, struct blob **list, size_t *count, struct failure *failure)
{
    const struct dirent *entry;
    DIR *names = stage_names(stage);
    int result = names == NULL ? stage_fail(failure, "listed") : REPOSITORY_OK;

    *list = NULL;
    *count = 0;
    while (names != NULL && result == REPOSITORY_OK && (entry = readdir(names)) != NULL) {
        struct blob blob = {.length = 0};
        struct blob *grown;
        struct stat status;

        if (!blob_parse(&blob, entry->d_name) ||
            fstatat(stage->directory, entry->d_name, &status, 0) != 0)
            continue;
        blob.length = (uint64_t)status.st_size;
        grown = realloc(*list, (*count + 1) * sizeof(**list));
        if (grown == NULL)
            result = failure_set(failure, "memory is short");
        else
            (*list = grown)[(*count)++] = blob;
    }
    if (names != NULL)
        closedir(names);
    return result;
}
