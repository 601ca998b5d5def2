/*
 * The gate before the hashing of passwords: so many of a worker's threads may be behind it at once. Who finds it closed is queued without a
 * thread, and handed on to the pool when its turn comes. Any thread.
 */
#ifndef DOIPD_GATE_H
#define DOIPD_GATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct pool_waiting;

/* Who comes to the gate. `waiting` is what the pool is given when its turn has come. */
struct gate_pass {
    struct gate_pass *next;
    struct pool_waiting *waiting;
    int64_t since; /* ms; queued */
    bool held;     /* it is behind the gate */
};

struct gate {
    pthread_mutex_t lock;
    int places; /* that are free */
    int queued;
    int queued_most;
    struct gate_pass *first;
    struct gate_pass **last;
};

void gate_init(struct gate *gate, int places, int queued_most);

enum gate_answer {
    GATE_OPEN,   /* the pass is held */
    GATE_QUEUED, /* the caller must not touch the pass any more: it comes back by the pool, held */
    GATE_FULL,   /* too many are queued */
};
enum gate_answer gate_enter(struct gate *gate, struct gate_pass *pass, int64_t now);

/* Gives a held pass back. Who is next, held by now: the caller hands it to the pool. NULL: nobody. */
struct gate_pass *gate_leave(struct gate *gate, struct gate_pass *pass);

#endif
