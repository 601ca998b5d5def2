/*
 * What kinds of requests take: see pace.h. A mean in which the past counts less and less; two threads that learn at once may lose one of two samples.
 */
#include "pace.h"

enum {
    QUICK_US = 300,
    MOST_US = 1000000, /* one sample counts as no more */
    WEIGHT = 8,
};

bool
pace_is_quick(const struct pace *pace, unsigned kind)
{
    unsigned us = atomic_load_explicit(&pace->us[kind % PACE_KINDS], memory_order_relaxed);

    return us != 0 && us < QUICK_US;
}

void
pace_learn(struct pace *pace, unsigned kind, int64_t took)
{
    atomic_uint *us = &pace->us[kind % PACE_KINDS];
    int64_t before = atomic_load_explicit(us, memory_order_relaxed);

    if (took > MOST_US)
        took = MOST_US;
    if (before != 0)
        took = ((WEIGHT - 1) * before + took) / WEIGHT;
    atomic_store_explicit(us, (unsigned)took + (took == 0), memory_order_relaxed);
}
