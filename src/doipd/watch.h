/*
 * Looking after workers: every few seconds each is asked for its pulse, and its size and its count of requests are looked at. One that does not
 * answer is killed, one that has become too large or old is replaced. Master only.
 */
#ifndef DOIPD_WATCH_H
#define DOIPD_WATCH_H

#include "generation.h"

struct watch {
    int64_t period;   /* ms, between two looks */
    int64_t patience; /* ms, for an answer */
    int64_t due;      /* ms; the next look */
};

/* `watchdog`: how soon the master itself must tell that all is well, in ms; 0: nobody wants to know. */
void watch_init(struct watch *watch, int64_t watchdog);

/* Looks where it is time. True when it has looked, and a worker of this generation (NULL: it does not matter) has answered lately. */
bool watch_look(struct watch *watch, struct generation *serving, int64_t now);

#endif
