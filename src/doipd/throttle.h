/*
 * Failures to authenticate, counted per address and per user, by all workers of all generations together: a table in shared memory, made by
 * the master before it forks. Nobody waits in a thread: while a penalty lasts, attempts are refused unseen. Lock-free: a worker that
 * dies in the middle leaves nothing locked, and at worst a count that is off by one. The master trusts nothing in it. Any thread.
 */
#ifndef DOIPD_THROTTLE_H
#define DOIPD_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

/* What is counted. Each has a number of failures that cost nothing (people mistype); each further one costs twice as
 * long as the last, from a second to a minute. A quarter of an hour without one forgets them. */
enum throttle_kind { THROTTLE_ADDRESS, THROTTLE_USER };

enum {
    THROTTLE_FREE_ADDRESS = 20,
    THROTTLE_FREE_USER = 5,
    THROTTLE_MOST_MS = 60000,
    THROTTLE_FORGET_MS = 900000
};

/* In the master, once, before any worker. False: no memory or random bytes. */
bool throttle_init(void);

/* How long (ms) attempts are still to be refused, 0: they are not. `now`: clock_ms(). */
int64_t throttle_wait(enum throttle_kind kind, const char *name, int64_t now);

/* Counts a failure. */
void throttle_failed(enum throttle_kind kind, const char *name, int64_t now);

/* Forgets them: who it is has been proven. (An address is not forgiven so: an attacker may have an account.) */
void throttle_forgive(enum throttle_kind kind, const char *name);

/* What is counted of a peer's address ("192.0.2.1:40000", "[2001:db8::1]:40000"): it without the port; of IPv6 the network, /64. */
void throttle_address(const char *peer, char *address, int size);

#endif
