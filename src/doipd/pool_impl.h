/*
 * What the files of the pool share (pool.h): pool.c has the threads, how they come and go; pool_lead.c what each does, leading or following;
 * pool_enter.c is what connections ask of it. Nobody else includes this. "Locked" is with the pool's lock held.
 */
#ifndef DOIPD_POOL_IMPL_H
#define DOIPD_POOL_IMPL_H

#include "pool.h"

enum { POOL_THREADS_FIRST = 3 };

struct pool_thread {
    struct pool *pool;
    int index;
    bool used;
    bool leads;
    int64_t quick_since; /* µs; in a quick handler while it leads; 0: not */
    int64_t entered;     /* µs; in a handler */
};

/* The calling thread. */
extern _Thread_local struct pool_thread *pool_self;

/* Locked. False: there are as many as may be, or the system refuses, which is logged. */
bool pool_add_thread(struct pool *pool);

/* Locked. Another one leads, if this one did. */
void pool_give_up_lead(struct pool *pool, struct pool_thread *thread);

/* Locked: one thread is never given to a handler. */
bool pool_may_enter(const struct pool *pool);

/* Locked: waits for the lead, or for something to run. False when the thread is to end. */
bool pool_follow(struct pool *pool, struct pool_thread *thread);

/* Serves until this thread has no lead, and nothing is left that it could do without. */
void pool_serve(struct pool *pool, struct pool_thread *thread);

#endif
