/*
 * The pid file: see pid_file.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pid_file.h"

static int held = -1;
static char *held_path;

static bool
write_pid(int fd)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%d\n", (int)getpid());

    return ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)length, 0) == length;
}

/* Opens and locks; the file may have been removed by its last owner between the two, and is then made again. */
static int
open_locked(const char *path)
{
    struct stat there, ours;
    int fd, saved;

    for (;;) {
        fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0)
            return -1;
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
            break;
        if (fstat(fd, &ours) == 0 && lstat(path, &there) == 0 && ours.st_ino == there.st_ino && ours.st_dev == there.st_dev)
            return fd;
        close(fd);
    }
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

bool
pid_file_take(const char *path, char *reason, size_t size)
{
    int fd;

    if (path[0] == '\0' || held >= 0)
        return true;
    fd = open_locked(path);
    if (fd >= 0 && write_pid(fd)) {
        held = fd;
        held_path = strdup(path);
        return true;
    }
    if (errno == EWOULDBLOCK)
        snprintf(reason, size, "pid_file: %s belongs to a doipd that runs: stop it, or set another", path);
    else
        snprintf(reason, size, "pid_file: can't write %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return false;
}

void
pid_file_remove(void)
{
    if (held_path != NULL)
        unlink(held_path);
    pid_file_forget();
}

void
pid_file_forget(void)
{
    if (held >= 0)
        close(held);
    free(held_path);
    held = -1;
    held_path = NULL;
}
