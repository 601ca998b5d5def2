/*
 * Requests that are answered later: see held.h.
 */
#include <stdlib.h>

#include "clock.h"
#include "held.h"
#include "metrics.h"

bool
held_init(struct held_places *places, struct score_thread *first, size_t count)
{
    places->first = first;
    places->count = count;
    places->unused = calloc(count + 1, sizeof *places->unused);
    pthread_mutex_init(&places->lock, NULL);
    for (size_t i = 0; places->unused != NULL && i < count; i++)
        places->unused[i] = count - 1 - i;
    return places->unused != NULL;
}

bool
held_begin(struct held_places *places, struct held *held, const char *handler,
           const doip_request *request)
{
    bool any;

    pthread_mutex_lock(&places->lock);
    any = places->count > 0;
    if (any)
        held->place = &places->first[places->unused[--places->count]];
    pthread_mutex_unlock(&places->lock);
    if (any)
        score_begin(held->place, handler, doip_request_operation(request),
                    doip_request_target(request));
    return any;
}

void
held_expect(struct held_places *places, unsigned kind)
{
    atomic_store_explicit(&places->expected[kind % PACE_KINDS], true, memory_order_relaxed);
}

bool
held_expected(const struct held_places *places, unsigned kind)
{
    return atomic_load_explicit(&places->expected[kind % PACE_KINDS], memory_order_relaxed);
}

void
held_end(struct held_places *places, const struct held *held, doip_result result)
{
    metrics_call(held->metric, result == DOIP_OK ? METRICS_CALL_OK : METRICS_CALL_ERROR,
                 (uint64_t)(clock_us() - held->began));
    score_end(held->place);
    pthread_mutex_lock(&places->lock);
    places->unused[places->count++] = (size_t)(held->place - places->first);
    pthread_mutex_unlock(&places->lock);
}
