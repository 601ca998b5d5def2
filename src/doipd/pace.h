/*
 * What kinds of requests take, as measured so far. Any thread of a worker's pool.
 */
#ifndef DOIPD_PACE_H
#define DOIPD_PACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { PACE_KINDS = 256 };

/* µs by a kind's number, a hash: some share a place. 0: unknown. All zero at first. */
struct pace {
    atomic_uint us[PACE_KINDS];
};

/* True where such requests have been done sooner than a thread is woken, or about that. */
bool pace_is_quick(const struct pace *pace, unsigned kind);

/* One took so many µs. */
void pace_learn(struct pace *pace, unsigned kind, int64_t took);

#endif
