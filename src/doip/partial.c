/*
 * Files that appear under their name only when they are complete: made without a name (O_TMPFILE),
 * so that they vanish with the process however it ends, and linked when all is there. Called by
 * sink.c; a single thread.
 */
#include "partial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/rand.h>

struct partial {
    int directory;
    int fd;
    char temporary[40]; /* its hidden name, "" for none */
};

static bool
partial_random_name(partial *file)
{
    unsigned char random[8];
    char hex[17];

    if (RAND_bytes(random, sizeof(random)) != 1)
        return false;
    for (size_t i = 0; i < sizeof(random); i++)
        snprintf(hex + 2 * i, 3, "%02x", random[i]);
    snprintf(file->temporary, sizeof(file->temporary), ".doip-%s.part", hex);
    return true;
}

static int
partial_open(partial *file)
{
    int fd = -1;

    /* Linking a nameless file goes by way of /proc. */
    if (access("/proc/self/fd", X_OK) == 0)
        fd = openat(file->directory, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
    if (fd >= 0)
        return fd;
    if (!partial_random_name(file))
        return -1;
    fd = openat(file->directory, file->temporary,
                O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0666);
    if (fd < 0)
        file->temporary[0] = '\0';
    return fd;
}

partial *
partial_new(const char *directory, char *reason, size_t size)
{
    partial *file = calloc(1, sizeof(*file));

    if (file == NULL) {
        snprintf(reason, size, "out of memory");
        return NULL;
    }
    file->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    file->fd = file->directory >= 0 ? partial_open(file) : -1;
    if (file->fd < 0) {
        snprintf(reason, size, "cannot make a file in %s: %s", directory, strerror(errno));
        partial_free(&file);
    }
    return file;
}

int
partial_fd(const partial *file)
{
    return file->fd;
}

static bool
partial_link(partial *file, const char *name)
{
    char path[40];

    if (file->temporary[0] == '\0') {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", file->fd);
        return linkat(AT_FDCWD, path, file->directory, name, AT_SYMLINK_FOLLOW) == 0;
    }
    /* Never over another file, which rename(2) would do. */
    if (renameat2(file->directory, file->temporary, file->directory, name, RENAME_NOREPLACE) == 0) {
        file->temporary[0] = '\0';
        return true;
    }
    return errno == EINVAL &&
           linkat(file->directory, file->temporary, file->directory, name, 0) == 0;
}

static bool
partial_replace(partial *file, const char *name)
{
    char path[40];

    if (file->temporary[0] == '\0') {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", file->fd);
        if (!partial_random_name(file))
            return false;
        if (linkat(AT_FDCWD, path, file->directory, file->temporary, AT_SYMLINK_FOLLOW) < 0) {
            file->temporary[0] = '\0';
            return false;
        }
    }
    if (renameat(file->directory, file->temporary, file->directory, name) < 0)
        return false;
    file->temporary[0] = '\0';
    return true;
}

bool
partial_publish(partial *file, const char *name, bool replace, char *reason, size_t size)
{
    if (replace ? partial_replace(file, name) : partial_link(file, name))
        return true;
    snprintf(reason, size, "cannot name the file %s: %s", name, strerror(errno));
    return false;
}

void
partial_unpublish(partial *file, const char *name)
{
    unlinkat(file->directory, name, 0);
}

void
partial_free(partial **file)
{
    partial *gone = *file;

    *file = NULL;
    if (gone == NULL)
        return;
    if (gone->temporary[0] != '\0')
        unlinkat(gone->directory, gone->temporary, 0);
    if (gone->fd >= 0)
        close(gone->fd);
    if (gone->directory >= 0)
        close(gone->directory);
    free(gone);
}
