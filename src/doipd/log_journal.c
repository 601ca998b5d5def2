/*
 * The journal: see log_journal.h.
 */
#include "log_journal.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void
set_address(struct sockaddr_un *address, const char *path)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(address->sun_path, sizeof(address->sun_path), "%s", path);
}

static bool
is_there(const char *path)
{
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool there;

    set_address(&address, path);
    there = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    if (fd >= 0)
        close(fd);
    return there;
}

int
log_journal_open(const char *path)
{
    return is_there(path) ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
}

bool
log_journal_send(int fd, const char *path, const struct log_line *message,
                 const struct log_line *fields)
{
    char name[] = "MESSAGE=";
    char newline[] = "\n";
    struct sockaddr_un address;
    struct iovec parts[] = {
        {name, sizeof(name) - 1},
        {(char *)(size_t)message->data, message->used},
        {newline, 1},
        {(char *)(size_t)fields->data, fields->used},
    };
    struct msghdr datagram = {
        .msg_name = &address, .msg_namelen = sizeof(address), .msg_iov = parts, .msg_iovlen = 4};

    set_address(&address, path);
    return sendmsg(fd, &datagram, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}
