/*
 * Latencies in log-linear buckets: see histogram.h.
 */
#include "histogram.h"

static unsigned
bucket_of(uint64_t value)
{
    unsigned shift = 0;

    while (value >> shift >= 2 * HISTOGRAM_SUB)
        shift++;
    unsigned bucket = shift * HISTOGRAM_SUB + (unsigned)(value >> shift);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The largest value that falls into a bucket. */
static uint64_t
bucket_end(unsigned bucket)
{
    unsigned shift = bucket < 2 * HISTOGRAM_SUB ? 0 : bucket / HISTOGRAM_SUB - 1;
    uint64_t base = bucket - shift * HISTOGRAM_SUB;

    return ((base + 1) << shift) - 1;
}

void
histogram_add(struct histogram *histogram, uint64_t microseconds)
{
    histogram->counts[bucket_of(microseconds)]++;
    histogram->total++;
    histogram->sum += microseconds;
    if (microseconds > histogram->most)
        histogram->most = microseconds;
}

void
histogram_merge(struct histogram *into, const struct histogram *from)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->counts[i] += from->counts[i];
    into->total += from->total;
    into->sum += from->sum;
    if (from->most > into->most)
        into->most = from->most;
}

uint64_t
histogram_at(const struct histogram *histogram, double share)
{
    uint64_t due = (uint64_t)(share * (double)histogram->total), seen = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen > 0 && seen >= due)
            return bucket_end(i) < histogram->most ? bucket_end(i) : histogram->most;
    }
    return 0;
}
