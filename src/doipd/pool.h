/*
 * The threads of a worker: all equal, waiting on one epoll set. Whoever gets an event takes it one step further; a step that runs a handler may
 * take long, so the pool keeps one thread out of handlers, grows when the others are in them, and shrinks when they idle.
 */
#ifndef DOIPD_POOL_H
#define DOIPD_POOL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "scoreboard.h"

/* What an epoll entry points to; first member of whatever waits for events. */
struct source {
    void (*ready)(struct source *source, uint32_t events);
};

/* Something that waits for a thread that may enter a handler; first come, first served. */
struct pool_waiting {
    struct pool_waiting *next;
    void (*run)(struct pool_waiting *waiting);
};

struct pool {
    int epoll;
    int stop_event;
    int threads_most;
    struct score_worker *score;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    int total;
    int busy; /* in handlers */
    struct pool_waiting *first;
    struct pool_waiting **last;
    int *free_indexes; /* of the scoreboard's thread parts */
    int free_count;
    bool has_left;
    pthread_t left;       /* the last thread that left, to be joined by the next one or by pool_stop() */
    int64_t complain_at;  /* ms; of threads that can't be started */
};

bool pool_init(struct pool *pool, int threads_most, struct score_worker *score);

/* Starts the first threads. False when not one could be started. */
bool pool_start(struct pool *pool);

/* Asks for leave to run a handler in the calling thread. False: `waiting` was queued, and its run() is called in a thread that has
 * leave; the caller must not touch it any more. */
bool pool_enter(struct pool *pool, struct pool_waiting *waiting);
void pool_leave(struct pool *pool);

/* The calling thread's part of the scoreboard. */
struct score_thread *pool_score(void);

/* Ends all threads, which must not be in handlers, and waits until nothing of them runs: handlers may be unloaded then. */
void pool_stop(struct pool *pool);

#endif
