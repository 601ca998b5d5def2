/*
 * The gate before the hashing of passwords: see gate.h. First come, first served.
 */
#include <stddef.h>

#include "gate.h"

void
gate_init(struct gate *gate, int places, int queued_most)
{
    *gate = (struct gate){.places = places, .queued_most = queued_most, .last = &gate->first};
    pthread_mutex_init(&gate->lock, NULL);
}

enum gate_answer
gate_enter(struct gate *gate, struct gate_pass *pass, int64_t now)
{
    enum gate_answer answer = GATE_FULL;

    if (pass->held)
        return GATE_OPEN;
    pthread_mutex_lock(&gate->lock);
    if (gate->places > 0) {
        gate->places--;
        pass->held = true;
        answer = GATE_OPEN;
    } else if (gate->queued < gate->queued_most) {
        pass->next = NULL;
        pass->since = now;
        *gate->last = pass;
        gate->last = &pass->next;
        gate->queued++;
        answer = GATE_QUEUED;
    }
    pthread_mutex_unlock(&gate->lock);
    return answer;
}

struct gate_pass *
gate_leave(struct gate *gate, struct gate_pass *pass)
{
    struct gate_pass *next;

    if (!pass->held)
        return NULL;
    pass->held = false;
    pthread_mutex_lock(&gate->lock);
    next = gate->first;
    if (next == NULL) {
        gate->places++;
    } else {
        gate->first = next->next;
        if (gate->first == NULL)
            gate->last = &gate->first;
        gate->queued--;
        next->held = true;
    }
    pthread_mutex_unlock(&gate->lock);
    return next;
}
