/*
 * The element files of one state of a repository (pieces.h). In the tool's one thread, beside the
 * service.
 */
#include "pieces.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool_sql.h"

/* ------------------------------------------------------------------ the place */

int
pieces_place(const char *place, struct failure *failure)
{
    int fd = -1;

    if (mkdir(place, 0700) == 0 || errno == EEXIST)
        fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return failure_set(failure, "%s: %s", place, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    failure_set(failure, "%s: %s", place,
                errno == EWOULDBLOCK ? "another doip-store writes to it" : strerror(errno));
    close(fd);
    return -1;
}

static bool
is_one_of(const char *name, const char *const *names)
{
    for (; names != NULL && *names != NULL; names++) {
        if (strcmp(name, *names) == 0)
            return true;
    }
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "lost+found") == 0;
}

bool
pieces_empty(int place, const char *const *besides)
{
    int fd = openat(place, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *names = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    bool empty = names != NULL;

    while (empty && (entry = readdir(names)) != NULL)
        empty = is_one_of(entry->d_name, besides);
    if (names != NULL)
        closedir(names);
    else if (fd >= 0)
        close(fd);
    return empty;
}

bool
pieces_same(int place, const char *path)
{
    struct stat ours, theirs;

    return fstat(place, &ours) == 0 && stat(path, &theirs) == 0 && ours.st_ino == theirs.st_ino &&
           ours.st_dev == theirs.st_dev;
}

/* ------------------------------------------------------------------ the pieces */

static int
copy_round(struct connection *catalog, struct copying *copying, struct failure *failure)
{
    struct blob page[SOURCE_PAGE];
    int64_t after = 0;
    size_t count;

    while ((count = source_files(catalog, &after, page)) > 0) {
        for (size_t i = 0; i < count; i++) {
            if (elements_copy(copying, &page[i], failure) != REPOSITORY_OK)
                return REPOSITORY_FAILED;
        }
    }
    return connection_status(catalog, failure);
}

/* The sweep finds the lock taken, and tries again after the next change. */
static struct connection *
copy_rest(const struct connection *source, const struct order *order, struct copying *copying,
          pieces_snapshot snapshot, struct failure *failure)
{
    struct connection *made = NULL;
    struct blobs *blobs = blobs_open(order->root, failure);
    int readers = -1;

    if (blobs == NULL)
        return NULL;
    if ((readers = blobs_readers(blobs, LOCK_SH)) < 0)
        failure_set(failure, "%s/readers.lock: %s", order->root, strerror(errno));
    else
        made = snapshot(source, order->place, failure);
    copying->last = true;
    if (made != NULL && copy_round(made, copying, failure) != REPOSITORY_OK)
        connection_free(&made);
    if (readers >= 0)
        close(readers);
    blobs_close(&blobs);
    return made;
}

struct connection *
pieces_copy(struct connection *source, const struct order *order, struct copying *copying,
            pieces_snapshot snapshot, struct failure *failure)
{
    struct connection *made = NULL;
    copying->from = elements_open(order->root, false, failure);
    if (copying->from >= 0 && copy_round(source, copying, failure) == REPOSITORY_OK)
        made = copy_rest(source, order, copying, snapshot, failure);
    progress_clear(&copying->progress);
    if (copying->from >= 0)
        close(copying->from);
    return made;
}

/* ------------------------------------------------------------------ what is too much */

struct cleaning {
    struct connection *catalog;
    json_int_t *removed;
};

static int
clean_file(int elements, const char *path, const struct blob *blob, void *closure,
           struct failure *failure)
{
    struct cleaning *cleaning = closure;
    if (blob != NULL && source_blob(cleaning->catalog, blob, true) != 0)
        return REPOSITORY_OK;
    if (connection_status(cleaning->catalog, failure) != REPOSITORY_OK)
        return REPOSITORY_FAILED;
    if (unlinkat(elements, path, 0) != 0)
        return failure_set(failure, "elements/%s: %s", path, strerror(errno));
    ++*cleaning->removed;
    return REPOSITORY_OK;
}

int
pieces_clean(struct connection *catalog, int elements, bool flat, json_int_t *removed,
             struct failure *failure)
{
    struct cleaning cleaning = {catalog, removed};

    return elements_walk(elements, flat, clean_file, &cleaning, failure);
}
