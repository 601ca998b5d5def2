/*
 * The calls that make processes, threads, and descriptors that are no file's, which the fault layer
 * (layer.h) stands in for.
 */
#include "layer.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

pid_t
fork(void)
{
    return layer_fails(CALL_FORK) ? -1 : REAL(fork)();
}

int
pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
               void *argument)
{
    return layer_fails(CALL_THREAD) ? errno
                                    : REAL(pthread_create)(thread, attributes, run, argument);
}

int
socket(int family, int type, int protocol)
{
    return layer_fails(CALL_DESCRIPTOR) ? -1 : REAL(socket)(family, type, protocol);
}

int
socketpair(int family, int type, int protocol, int ends[2])
{
    return layer_fails(CALL_DESCRIPTOR) ? -1 : REAL(socketpair)(family, type, protocol, ends);
}

int
pipe2(int ends[2], int flags)
{
    return layer_fails(CALL_DESCRIPTOR) ? -1 : REAL(pipe2)(ends, flags);
}

int
epoll_create1(int flags)
{
    return layer_fails(CALL_DESCRIPTOR) ? -1 : REAL(epoll_create1)(flags);
}

int
eventfd(unsigned count, int flags)
{
    return layer_fails(CALL_DESCRIPTOR) ? -1 : REAL(eventfd)(count, flags);
}

int
signalfd(int fd, const sigset_t *mask, int flags)
{
    return layer_fails(CALL_DESCRIPTOR) ? -1 : REAL(signalfd)(fd, mask, flags);
}
