/*
 * Element bytes copied from a repository (elements.h): by a hard link, by sharing the disk's blocks,
 * or byte by byte, which shows whether they are what they should be. A file has its name only when
 * it is whole. In the tool's one thread.
 */
#include "elements.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blobs_impl.h"

enum { NAME = BLOB_PATH + 4 };

static int
copy_fail(const char *what, const struct blob *blob, struct failure *failure)
{
    return failure_set(failure, "element bytes %s can't be %s: %s", blob->name, what,
                       strerror(errno));
}

/* The bytes are not what they should be: that is said, and all else is copied. */
static int
copy_wrong(struct copying *copying, const struct blob *blob, const char *reason)
{
    progress_clear(&copying->progress);
    copying->wrong++;
    complain(EXIT_WRONG, "element bytes %s: %s", blob->name, reason);
    return REPOSITORY_OK;
}

static bool
copy_is_there(const struct copying *copying, const struct blob *blob, const char *path)
{
    struct stat status;

    return fstatat(copying->to, path, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(status.st_mode) && (uint64_t)status.st_size == blob->length;
}

/* Fills the new file. */
static int
copy_fill(struct copying *copying, const struct blob *blob, int in, int out,
          struct failure *failure)
{
    struct blob read;

    if (ioctl(out, FICLONE, in) == 0)
        return REPOSITORY_OK;
    if (!elements_read(in, out, &read, &copying->progress))
        return copy_fail("copied", blob, failure);
    if (read.length == blob->length && memcmp(read.sha256, blob->sha256, sizeof(read.sha256)) != 0)
        return copy_wrong(copying, blob, "damaged in the repository, and copied as they are");
    return REPOSITORY_OK;
}

static int
copy_bytes(struct copying *copying, const struct blob *blob, int in, const char *path,
           struct failure *failure)
{
    char fresh[NAME];
    int out, status;

    snprintf(fresh, sizeof(fresh), "%s.new", path);
    out = openat(copying->to, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (out < 0)
        return copy_fail("copied", blob, failure);
    status = copy_fill(copying, blob, in, out, failure);
    if (close(out) != 0 && status == REPOSITORY_OK)
        status = copy_fail("copied", blob, failure);
    if (status == REPOSITORY_OK && renameat(copying->to, fresh, copying->to, path) != 0)
        status = copy_fail("copied", blob, failure);
    return status;
}

/* True when it was linked; else it is to be copied. */
static bool
copy_link(struct copying *copying, const char *from, const char *to)
{
    if (!copying->link)
        return false;
    if (linkat(copying->from, from, copying->to, to, 0) == 0)
        return true;
    if (errno == EEXIST && unlinkat(copying->to, to, 0) == 0 && /* of another length: damaged */
        linkat(copying->from, from, copying->to, to, 0) == 0)
        return true;
    if (errno == EXDEV || errno == EPERM || errno == EOPNOTSUPP)
        copying->link = false;
    return false;
}

static int
copy_file(struct copying *copying, const struct blob *blob, const char *from, const char *to,
          struct failure *failure)
{
    int in, status;

    if (copy_link(copying, from, to)) {
        copying->files++;
        return REPOSITORY_OK;
    }
    in = openat(copying->from, from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (in < 0 && errno == ENOENT)
        return copying->last ? copy_wrong(copying, blob, "missing in the repository")
                             : REPOSITORY_OK;
    if (in < 0)
        return copy_fail("read", blob, failure);
    status = copy_bytes(copying, blob, in, to, failure);
    close(in);
    if (status == REPOSITORY_OK)
        copying->files++;
    return status;
}

int
elements_copy(struct copying *copying, const struct blob *blob, struct failure *failure)
{
    char from[BLOB_PATH], directory[3];
    const char *to = copying->flat ? blob->name : from;

    blob_path(blob, from);
    if (copy_is_there(copying, blob, to))
        return REPOSITORY_OK;
    snprintf(directory, sizeof(directory), "%.2s", blob->name);
    if (!copying->flat && mkdirat(copying->to, directory, 0700) != 0 && errno != EEXIST)
        return copy_fail("copied", blob, failure);
    if (copy_file(copying, blob, from, to, failure) != REPOSITORY_OK)
        return REPOSITORY_FAILED;
    if (copy_is_there(copying, blob, to))
        copying->bytes += blob->length;
    else if (copying->last && faccessat(copying->to, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return copy_wrong(copying, blob, "not as long in the repository as they should be");
    return REPOSITORY_OK;
}
