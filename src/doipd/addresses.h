/*
 * How many connections there are from each address, counted by all workers of all generations together: a table in shared memory, made by
 * the master before it forks. Lock-free. Where a connection is counted is noted on the scoreboard, so that the master can take back what a
 * worker that died had counted; it trusts nothing in either. Of IPv6 a network (/64) is an address. Any thread.
 */
#ifndef DOIPD_ADDRESSES_H
#define DOIPD_ADDRESSES_H

#include <stdatomic.h>
#include <stdbool.h>

#include "scoreboard.h"

/* In the master, once, before any worker. False: no memory or random bytes. */
bool addresses_init(void);

/*
 * Counts a connection from a peer ("192.0.2.1:40000") and notes where in *counted, which is 0 before: how many there are from its
 * address now. 0 where there was no room left to count it, which must not shut anybody out.
 */
unsigned addresses_enter(const char *peer, atomic_uint *counted);

/* Its end; without effect where it was not counted. */
void addresses_leave(atomic_uint *counted);

/* The master, when a worker is gone and before its part of the scoreboard is cleared. */
void addresses_worker_gone(const struct scoreboard *board, size_t worker);

#endif
