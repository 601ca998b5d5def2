/*
 * Time that only goes forward, in milliseconds and microseconds. Any thread.
 */
#ifndef DOIPD_CLOCK_H
#define DOIPD_CLOCK_H

#include <stdint.h>
#include <time.h>

/* When this thread last looked. */
extern _Thread_local int64_t clock_seen_us;

static inline int64_t
clock_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    clock_seen_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    return clock_seen_us;
}

static inline int64_t
clock_ms(void)
{
    return clock_us() / 1000;
}

/* Instead of another look, for a thread of the pool that has just had one: with the event that it serves, or after what may have taken long. */
static inline int64_t
clock_lately_us(void)
{
    return clock_seen_us;
}

static inline int64_t
clock_lately_ms(void)
{
    return clock_lately_us() / 1000;
}

#endif
