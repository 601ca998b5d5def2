/*
 * Requests per second: see rate.h.
 */
#include "rate.h"

int64_t
rate_due(const struct rate *rate)
{
    return rate->count == 0 ? 0 : rate->looks[(rate->count - 1) % RATE_LOOKS].at + RATE_LOOK_MS;
}

void
rate_look(struct rate *rate, int64_t now, uint64_t total)
{
    size_t place = rate->count % RATE_LOOKS;

    if (now < rate_due(rate))
        return;
    rate->looks[place].at = now;
    rate->looks[place].total = total;
    rate->count++;
}

double
rate_per_second(const struct rate *rate, int64_t now, uint64_t total)
{
    size_t oldest = rate->count < RATE_LOOKS ? 0 : rate->count % RATE_LOOKS;
    int64_t span = rate->count == 0 ? 0 : now - rate->looks[oldest].at;

    /* A worker can write any number into its part of the total. */
    if (span <= 0 || total < rate->looks[oldest].total)
        return 0;
    return (double)(total - rate->looks[oldest].total) * 1000 / (double)span;
}
