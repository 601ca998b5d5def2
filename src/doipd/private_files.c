/*
 * Small secrets on disk: see private_files.h. Runs in the master.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "private_files.h"

enum { MOST = 1024 * 1024 };

/* The place spoken of, for messages. */
struct place {
    const char *base;
    const char *directory;
    const char *name;
    char *reason;
    size_t size;
};

static int
say(const struct place *place, const char *what)
{
    snprintf(place->reason, place->size, "%s/%s/%s: %s", place->base, place->directory, place->name, what);
    return -1;
}

/* The directory, opened and found to be ours alone; -1 with errno ENOENT and no reason where it does not exist. */
static int
open_directory(const struct place *place)
{
    struct stat status;
    int base = open(place->base, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;

    if (base < 0)
        return errno == ENOENT ? -1 : say(place, strerror(errno));
    fd = openat(base, place->directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    close(base);
    if (fd < 0)
        return errno == ENOENT ? -1 : say(place, strerror(errno));
    if (fstat(fd, &status) == 0 && status.st_uid == geteuid() && (status.st_mode & 077) == 0)
        return fd;
    close(fd);
    errno = EPERM;
    return say(place, "the directory must belong to the user that starts doipd, with mode 0700");
}

static bool
read_all(int fd, char **text, size_t *length)
{
    char *data = malloc(MOST);
    size_t got = 0;
    ssize_t n = 0;

    while (data != NULL && got < MOST && (n = read(fd, data + got, MOST - got)) > 0)
        got += (size_t)n;
    if (data == NULL || n < 0) {
        free(data);
        return false;
    }
    *text = data;
    *length = got;
    return true;
}

int
private_file_read(const char *base, const char *directory, const char *name, char **text, size_t *length,
                  char *reason, size_t size)
{
    struct place place = {base, directory, name, reason, size};
    struct stat status;
    int folder, fd, result;

    reason[0] = '\0';
    folder = open_directory(&place);
    if (folder < 0)
        return reason[0] == '\0' ? 0 : -1;
    fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    close(folder);
    if (fd < 0)
        return errno == ENOENT ? 0 : say(&place, strerror(errno));
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_uid != geteuid() || (status.st_mode & 077) != 0)
        result = say(&place, "must be a file of the user that starts doipd, with mode 0600");
    else
        result = read_all(fd, text, length) ? 1 : say(&place, strerror(errno));
    close(fd);
    return result;
}

static bool
write_all(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, text, length);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            text += n;
            length -= (size_t)n;
        }
    }
    return fsync(fd) == 0;
}

static bool
write_in(int folder, const char *name, const char *text, size_t length)
{
    char fresh[256];
    int fd, saved;

    snprintf(fresh, sizeof fresh, "%s.new", name);
    unlinkat(folder, fresh, 0);
    fd = openat(folder, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    if (write_all(fd, text, length) && renameat(folder, fresh, folder, name) == 0 && fsync(folder) == 0) {
        close(fd);
        return true;
    }
    saved = errno;
    close(fd);
    unlinkat(folder, fresh, 0);
    errno = saved;
    return false;
}

bool
private_file_write(const char *base, const char *directory, const char *name, const char *text, size_t length,
                   char *reason, size_t size)
{
    struct place place = {base, directory, name, reason, size};
    int parent = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC), folder;
    bool done;

    reason[0] = '\0';
    if (parent < 0 || (mkdirat(parent, directory, 0700) < 0 && errno != EEXIST)) {
        say(&place, strerror(errno));
        if (parent >= 0)
            close(parent);
        return false;
    }
    fsync(parent);
    close(parent);
    folder = open_directory(&place);
    if (folder < 0) {
        if (reason[0] == '\0')
            say(&place, strerror(errno));
        return false;
    }
    done = write_in(folder, name, text, length);
    if (!done)
        say(&place, strerror(errno));
    close(folder);
    return done;
}
