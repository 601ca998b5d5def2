/*
 * The least rate of a peer: see pace.h. Pure arithmetic.
 */
#include "pace.h"

void
pace_set(struct pace *pace, uint64_t bytes_per_second, int grace_ms)
{
    pace->rate = bytes_per_second;
    pace->most = pace->left = (int64_t)bytes_per_second * grace_ms;
}

void
pace_begin(struct pace *pace, uint64_t bytes, int64_t waited)
{
    pace->left = pace->most;
    pace->bytes = bytes;
    pace->waited = waited;
}

int64_t
pace_patience(struct pace *pace, uint64_t bytes, int64_t waited)
{
    uint64_t come = bytes > pace->bytes ? bytes - pace->bytes : 0;
    int64_t gone = waited - pace->waited;

    if (pace->rate == 0)
        return -1;
    pace->bytes += come;
    pace->waited = waited;
    /* Either is compared first: the products could overflow. */
    pace->left = gone >= pace->left / (int64_t)pace->rate ? 0 : pace->left - gone * (int64_t)pace->rate;
    if (come >= (uint64_t)(pace->most - pace->left) / 1000)
        pace->left = pace->most;
    else
        pace->left += (int64_t)come * 1000;
    return pace->left / (int64_t)pace->rate;
}
