/*
 * The control socket's file: see control_socket.h. It lies in a directory that only its owner can write, is made under another name, and
 * appears under its own by a rename, when its mode and group are what they should be.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control_socket.h"

enum { BACKLOG = 16, GROUPS_MOST = 1024 };

static bool
complain(char *reason, size_t size, const char *path, const char *what)
{
    snprintf(reason, size, "control.socket: %s: %s", path, what);
    return false;
}

/* The directory of the path; made where it is missing. -1 with the reason. */
static int
open_directory(const char *path, char *reason, size_t size)
{
    const char *slash = strrchr(path, '/');
    char directory[4096];
    struct stat status;
    int fd;

    snprintf(directory, sizeof directory, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    if (mkdir(directory, 0755) < 0 && errno != EEXIST) {
        complain(reason, size, directory, strerror(errno));
        return -1;
    }
    fd = open(directory, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0) {
        complain(reason, size, directory, strerror(errno));
    } else if ((status.st_uid != geteuid() && status.st_uid != 0) || (status.st_mode & 022) != 0) {
        complain(reason, size, directory,
                 "the directory must belong to root or to the user that starts doipd, and nobody "
                 "else may write it");
    } else {
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Binds through the open directory: no path is looked up that could lead elsewhere by now, and no length of one is too long. */
static bool
bind_in(int fd, int directory, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length =
        snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", directory, name);

    errno = ENAMETOOLONG;
    return length < (int)sizeof address.sun_path &&
           bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
}

static bool
set_rights(int directory, const char *name, const struct config *config)
{
    if (config->control.group[0] == '\0')
        return fchmodat(directory, name, 0600, 0) == 0;
    return fchownat(directory, name, (uid_t)-1, config->control.gid, AT_SYMLINK_NOFOLLOW) == 0 &&
           fchmodat(directory, name, 0660, 0) == 0;
}

static bool
put_in_place(struct control_socket *made, const struct config *config)
{
    mode_t before = umask(0177);
    struct stat status;
    char fresh[sizeof made->name + 4];
    bool done;

    snprintf(fresh, sizeof fresh, "%s.new", made->name);
    unlinkat(made->directory, fresh, 0);
    done = bind_in(made->fd, made->directory, fresh);
    umask(before);
    if (!done || !set_rights(made->directory, fresh, config) || listen(made->fd, BACKLOG) < 0 ||
        fstatat(made->directory, fresh, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
        renameat(made->directory, fresh, made->directory, made->name) < 0)
        return false;
    made->device = status.st_dev;
    made->inode = status.st_ino;
    return true;
}

bool
control_socket_open(struct control_socket *made, const struct config *config, char *reason,
                    size_t size)
{
    const char *path = config->control.socket, *name = strrchr(path, '/') + 1;

    *made = (struct control_socket){.fd = -1, .directory = -1};
    if (name[0] == '\0' || strlen(name) >= sizeof made->name - 4)
        return complain(reason, size, path, "its last part must have from 1 to 75 bytes");
    snprintf(made->name, sizeof made->name, "%s", name);
    made->directory = open_directory(path, reason, size);
    if (made->directory < 0)
        return false;
    made->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (made->fd >= 0 && put_in_place(made, config))
        return true;
    complain(reason, size, path, strerror(errno));
    if (made->fd >= 0)
        close(made->fd);
    close(made->directory);
    return false;
}

void
control_socket_close(struct control_socket *made)
{
    struct stat status;

    if (fstatat(made->directory, made->name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        status.st_dev == made->device && status.st_ino == made->inode)
        unlinkat(made->directory, made->name, 0);
    close(made->fd);
    close(made->directory);
}

static bool
is_member(int fd, gid_t group)
{
    gid_t groups[GROUPS_MOST];
    socklen_t length = sizeof groups;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &length) < 0)
        return false;
    for (size_t i = 0; i < length / sizeof groups[0]; i++)
        if (groups[i] == group)
            return true;
    return false;
}

bool
control_socket_permits(int fd, bool has_group, gid_t group)
{
    struct ucred peer;
    socklen_t length = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
        return false;
    return peer.uid == 0 || peer.uid == geteuid() ||
           (has_group && (peer.gid == group || is_member(fd, group)));
}
