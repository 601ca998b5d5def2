/*
 * How many requests per second there were lately: a total, looked at every few seconds, over the last minute. Master.
 */
#ifndef DOIPD_RATE_H
#define DOIPD_RATE_H

#include <stddef.h>
#include <stdint.h>

enum { RATE_LOOK_MS = 5000, RATE_LOOKS = 13 };

struct rate {
    size_t count; /* of looks, ever */
    struct {
        int64_t at; /* ms */
        uint64_t total;
    } looks[RATE_LOOKS];
};

/* Takes the total of now, where the last look is old enough. */
void rate_look(struct rate *rate, int64_t now, uint64_t total);
/* When the next look is due. */
int64_t rate_due(const struct rate *rate);
/* Per second, from the oldest look to now. */
double rate_per_second(const struct rate *rate, int64_t now, uint64_t total);

#endif
