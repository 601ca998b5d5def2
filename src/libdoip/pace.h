/*
 * The least rate at which a peer must send or take: a budget of time that waiting for the peer uses up, and that bytes fill again, never over
 * its beginning. So a peer may stop for a while or run ahead, but not stay behind; and what it took at once (or the kernel's buffers did)
 * buys no more than that. Owns nothing; used by readers and writers, in whichever thread owns the stream.
 */
#ifndef LIBDOIP_PACE_H
#define LIBDOIP_PACE_H

#include <stdint.h>

struct pace {
    uint64_t rate; /* bytes per second; 0: any */
    int64_t most;  /* all in bytes * 1000: what a byte is worth, and `rate` is used up by a millisecond */
    int64_t left;
    uint64_t bytes; /* what the stream had counted at the last look, at most so far */
    int64_t waited;
};

/* At most 1 GiB per second. A peer may fall behind by `grace_ms`. */
void pace_set(struct pace *pace, uint64_t bytes_per_second, int grace_ms);

/* From here on it is judged. `bytes` and `waited` (ms) are the stream's counts, as below. */
void pace_begin(struct pace *pace, uint64_t bytes, int64_t waited);

/* Milliseconds that the peer may still be waited for; -1 where there is no rate. */
int64_t pace_patience(struct pace *pace, uint64_t bytes, int64_t waited);

#endif
