/*
 * Keeps an eye on the certificates of the generation that serves: whether their files have changed, how long they are good for. Master, a look every few
 * seconds.
 */
#ifndef DOIPD_CERTIFICATE_WATCH_H
#define DOIPD_CERTIFICATE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "generation.h"

struct certificate_watch {
    unsigned generation; /* whose certificates these are */
    uint64_t seen;       /* the files at the last look */
    uint64_t tried;      /* and as they were loaded, or found to be no good */
    int64_t look_at;     /* ms */
    int64_t renew_at;    /* ms; a self-made one that ends soon */
    size_t staples_told; /* how many OCSP responses the log has said to have expired */
    int told; /* how soon the end was when the log last said so: 0 not, 1 to 3 soon, sooner, now */
};

/* What the files of a configuration are now: two numbers are the same as long as no file was written or replaced. */
uint64_t certificate_watch_stamp(const struct config *config);

/*
 * Looks, when it is time to: true when a reload would bring a good new certificate. Files that change are let alone until two looks have found them
 * the same; a set that can't be used is said once, and changes nothing.
 */
bool certificate_watch_look(struct certificate_watch *watch, const struct generation *serving,
                            int64_t now);

#endif
