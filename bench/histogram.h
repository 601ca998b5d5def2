/*
 * Latencies counted in buckets of 1.6 % width, from a microsecond to over an hour; adding is one increment. One histogram per thread, merged at
 * the end.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_SUB = 64, HISTOGRAM_BUCKETS = HISTOGRAM_SUB * 28 };

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t total;
    uint64_t most; /* µs, exact */
    uint64_t sum;
};

void histogram_add(struct histogram *histogram, uint64_t microseconds);
void histogram_merge(struct histogram *into, const struct histogram *from);

/* The latency (µs) that `share` of all (0 to 1) do not exceed; 0 for an empty histogram. */
uint64_t histogram_at(const struct histogram *histogram, double share);

#endif
