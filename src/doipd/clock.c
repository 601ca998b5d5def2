/*
 * What each thread has seen of the clock: see clock.h.
 */
#include "clock.h"

_Thread_local int64_t clock_seen_us;
