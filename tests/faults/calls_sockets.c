/*
 * The calls on sockets and epoll sets that the fault layer (layer.h) stands in for: those of
 * clients, and of the channels between master and workers.
 */
#include "layer.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

ssize_t
recv(int fd, void *data, size_t size, int flags)
{
    return layer_spoils(CALL_RECEIVE, &size) ? -1 : REAL(recv)(fd, data, size, flags);
}

/* Messages come whole or not at all. */
ssize_t
recvmsg(int fd, struct msghdr *message, int flags)
{
    return layer_fails(CALL_MESSAGE) ? -1 : REAL(recvmsg)(fd, message, flags);
}

ssize_t
send(int fd, const void *data, size_t size, int flags)
{
    return layer_spoils(CALL_SEND, &size) ? -1 : REAL(send)(fd, data, size, flags);
}

ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
    return layer_fails(CALL_MESSAGE) ? -1 : REAL(sendmsg)(fd, message, flags);
}

int
accept4(int fd, struct sockaddr *from, socklen_t *length, int flags)
{
    return layer_fails(CALL_ACCEPT) ? -1 : REAL(accept4)(fd, from, length, flags);
}

int
epoll_wait(int fd, struct epoll_event *events, int most, int ms)
{
    return layer_fails(CALL_WAIT) ? -1 : REAL(epoll_wait)(fd, events, most, ms);
}

int
poll(struct pollfd *polls, nfds_t count, int ms)
{
    return layer_fails(CALL_WAIT) ? -1 : REAL(poll)(polls, count, ms);
}

/* What poll() is called in a fortified build. */
int __poll_chk(struct pollfd *polls, nfds_t count, int ms, size_t size);

int
__poll_chk(struct pollfd *polls, nfds_t count, int ms, size_t size)
{
    return layer_fails(CALL_WAIT) ? -1 : REAL(__poll_chk)(polls, count, ms, size);
}

/* Taking something out of a set, the kernel needs no memory. */
int
epoll_ctl(int set, int how, int fd, struct epoll_event *event)
{
    return how != EPOLL_CTL_DEL && layer_fails(CALL_ARM) ? -1
                                                         : REAL(epoll_ctl)(set, how, fd, event);
}
