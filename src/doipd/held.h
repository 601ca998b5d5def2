/*
 * Requests whose handler answers later (doip_later()) and has given its thread back: where they stand on the scoreboard, so that they are seen
 * as those are whose handler runs, and counted when they are complete. Any thread of a worker, and those of handlers.
 */
#ifndef DOIPD_HELD_H
#define DOIPD_HELD_H

#include <doip/handler.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pace.h"
#include "scoreboard.h"

/* A worker's places for them. */
struct held_places {
    pthread_mutex_t lock;
    struct score_thread *first;
    size_t *unused; /* their numbers */
    size_t count;   /* of those */
    atomic_bool expected[PACE_KINDS];
};

/* What is known of one: a part of its connection. */
struct held {
    struct score_thread *place;
    unsigned metric; /* the handler's, for metrics_call() */
    int64_t began;   /* µs; its function */
};

/* Over `count` parts of the scoreboard. False: no memory. */
bool held_init(struct held_places *places, struct score_thread *first, size_t count);

/* Takes a place for a request, about which `held` tells but for the place. False: there is none, and it is to be waited for in the thread. */
bool held_begin(struct held_places *places, struct held *held, const char *handler,
                const doip_request *request);

/* Requests of a kind (pace.h) have been held; and whether any were. */
void held_expect(struct held_places *places, unsigned kind);
bool held_expected(const struct held_places *places, unsigned kind);

/* It is complete. */
void held_end(struct held_places *places, const struct held *held, doip_result result);

#endif
