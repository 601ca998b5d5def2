/*
 * Element bytes as files (elements.h): looking through them. In the tool's one thread.
 */
#include "elements.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 1 << 20 };

int
elements_open(const char *root, bool make, struct failure *failure)
{
    char *path;
    int fd;

    if (asprintf(&path, "%s/elements", root) < 0)
        return failure_set(failure, "memory is short");
    if (make && mkdir(path, 0700) != 0 && errno != EEXIST)
        fd = -1;
    else
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        failure_set(failure, "%s: %s", path, strerror(errno));
    free(path);
    return fd;
}

/* ------------------------------------------------------------------ walking */

static DIR *
walk_open(int directory, const char *name)
{
    int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *names = fd < 0 ? NULL : fdopendir(fd);

    if (names == NULL && fd >= 0)
        close(fd);
    return names;
}

/* The files of one of the directories; it is "" for those that lie in elements/ itself. */
static int
walk_names(DIR *names, int elements, const char *directory, elements_found found, void *closure,
           struct failure *failure)
{
    const struct dirent *entry;
    int status = REPOSITORY_OK;
    size_t digits = strlen(directory);
    char path[3 + sizeof(entry->d_name)];

    while (status == REPOSITORY_OK && (entry = readdir(names)) != NULL) {
        struct blob blob;
        bool known =
            blob_parse(&blob, entry->d_name) && strncmp(entry->d_name, directory, digits) == 0;

        snprintf(path, sizeof(path), "%.2s%s%s", directory, digits > 0 ? "/" : "", entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            status = found(elements, path, known ? &blob : NULL, closure, failure);
    }
    return status;
}

static int
walk_directory(int elements, const char *directory, elements_found found, void *closure,
               struct failure *failure)
{
    DIR *names = walk_open(elements, directory[0] == '\0' ? "." : directory);
    int status;

    if (names == NULL && errno == ENOENT)
        return REPOSITORY_OK;
    if (names == NULL)
        return failure_set(failure, "elements/%s: %s", directory, strerror(errno));
    status = walk_names(names, elements, directory, found, closure, failure);
    closedir(names);
    return status;
}

int
elements_walk(int elements, bool flat, elements_found found, void *closure, struct failure *failure)
{
    int status = REPOSITORY_OK;

    if (flat)
        return walk_directory(elements, "", found, closure, failure);
    for (int i = 0; i < 256 && status == REPOSITORY_OK; i++) {
        char name[3];

        snprintf(name, sizeof(name), "%02x", i);
        status = walk_directory(elements, name, found, closure, failure);
    }
    return status;
}

/* ------------------------------------------------------------------ reading */

static bool
write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, data, size);

        if (written < 0 && errno != EINTR)
            return false;
        if (written > 0) {
            data += written;
            size -= (size_t)written;
        }
    }
    return true;
}

static bool
read_pieces(int in, int out, EVP_MD_CTX *digest, char *piece, struct blob *read_,
            struct progress *progress)
{
    ssize_t got;

    while ((got = read(in, piece, PIECE)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 || (out >= 0 && !write_all(out, piece, (size_t)got)))
            return false;
        EVP_DigestUpdate(digest, piece, (size_t)got);
        read_->length += (uint64_t)got;
        progress_add(progress, (uint64_t)got);
    }
    return EVP_DigestFinal_ex(digest, read_->sha256, NULL) == 1;
}

/* What of it is in memory is dropped first, where nothing else needs it: the disk is to be read. */
bool
elements_read(int in, int out, struct blob *read_, struct progress *progress)
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    char *piece = malloc(PIECE);
    bool good = false;
    int error;

    memset(read_, 0, sizeof(*read_));
    posix_fadvise(in, 0, 0, POSIX_FADV_DONTNEED);
    posix_fadvise(in, 0, 0, POSIX_FADV_SEQUENTIAL);
    errno = ENOMEM;
    if (digest != NULL && piece != NULL && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1)
        good = read_pieces(in, out, digest, piece, read_, progress);
    error = errno;
    posix_fadvise(in, 0, 0, POSIX_FADV_DONTNEED);
    blob_name(read_);
    EVP_MD_CTX_free(digest);
    free(piece);
    errno = error;
    return good;
}
