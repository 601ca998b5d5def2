/*
 * Accepting connections in a worker: each listening socket's entry in the worker's epoll set, paused while the worker has enough
 * or the system lacks resources, and resumed by the control thread.
 */
#ifndef DOIPD_ACCEPTOR_H
#define DOIPD_ACCEPTOR_H

#include <stdint.h>

#include "worker.h"

struct acceptor {
    struct source source;
    struct worker *worker;
    int fd;
    const char *text;
    pthread_mutex_t lock;
    bool armed;
    int64_t resume_at; /* monotonic ms; while paused */
};

/* Makes and arms one for each listening socket. Control thread, as all of these. */
bool acceptors_start(struct worker *worker);

/* Arms those whose pause is over; gives the time of the next that is not, -1 for none. */
int64_t acceptors_resume(struct worker *worker, int64_t now);

/* Disarms all for good, and takes what is queued; the worker is draining. */
void acceptors_stop(struct worker *worker);

/* After that: closes the sockets as soon as no thread has one in its hand, so that an address that nobody serves any more refuses
 * connections instead of letting them wait. */
void acceptors_close(struct worker *worker);

#endif
