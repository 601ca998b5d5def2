/*
 * The channel between master and worker: see channel.h. The master takes nothing from it but the kind and a text for the log.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "channel.h"

bool
channel_open(int *master, int *worker)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
        return false;
    *master = ends[0];
    *worker = ends[1];
    return true;
}

bool
channel_send(int fd, enum channel_kind kind, const char *text)
{
    char first = (char)kind;
    size_t length = strnlen(text, CHANNEL_TEXT - 1);
    struct iovec parts[] = {{&first, 1}, {(char *)(size_t)text, length}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t n;

    do
        n = sendmsg(fd, &message, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n >= 0;
}

enum channel_kind
channel_receive(int fd, char *text)
{
    char first = 0;
    struct iovec parts[] = {{&first, 1}, {text, CHANNEL_TEXT - 1}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t n;

    text[0] = '\0';
    do
        n = recvmsg(fd, &message, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOMEM || errno == ENOBUFS))
        return CHANNEL_NONE;
    if (n <= 0)
        return CHANNEL_CLOSED;
    text[n - 1] = '\0';
    return (enum channel_kind)first;
}
