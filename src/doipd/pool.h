/*
 * The threads of a worker: leader and followers. A leader waits on the epoll set and takes each connection that is ready one step further;
 * the others sleep. There are as many leaders as this worker has CPUs to itself, mostly one. A request that may take long
 * the leader leaves to a follower; one that has proven to be quick it runs itself, and a deputy takes the lead away should
 * that take long after all. One thread is never given to a handler, so that handshakes and heads always move.
 */
#ifndef DOIPD_POOL_H
#define DOIPD_POOL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "pace.h"
#include "scoreboard.h"

/* What an epoll entry points to; first member of whatever waits for events. */
struct source {
    void (*ready)(struct source *source);
};

/* Something that waits for a thread that may enter a handler; first come, first served. */
struct pool_waiting {
    struct pool_waiting *next;
    void (*run)(struct pool_waiting *waiting);
};

struct pool_thread;

enum {
    POOL_READY = 16, /* at least as many as there are leaders */
};

struct pool {
    int epoll;
    int stop_event;
    int threads_most;
    int leaders_most;
    int idle_ms; /* a follower beyond the first threads that waits so long ends */
    struct score_worker *score;
    pthread_mutex_t lock;
    pthread_cond_t news; /* for followers */
    pthread_cond_t ended;
    bool stopping;
    int places; /* of `threads`, ever used */
    int total;
    int busy;   /* in handlers */
    int idle;   /* wait for something to do, or are about to look for it */
    int queued; /* wait for a thread */
    int leaders;
    bool watch;      /* leaders run quick handlers: a follower keeps an eye on them */
    bool has_deputy; /* and one does */
    unsigned quick;  /* runs of quick handlers, ever */
    unsigned quick_seen;
    int quiet_looks;
    bool has_left;
    pthread_t left; /* the last thread that left, to be joined by the next one or by pool_stop() */
    int64_t complain_at;              /* ms; of threads that can't be started */
    struct source *ready[POOL_READY]; /* a ring: what epoll gave and no leader has taken yet */
    unsigned ready_first;
    unsigned ready_count;
    struct pool_waiting *first;
    struct pool_waiting **last;
    struct pool_thread *threads; /* by index; of the scoreboard's thread parts, too */
    struct pace pace;
};

/* `processes`: how many workers share the CPUs. */
bool pool_init(struct pool *pool, int threads_most, int processes, struct score_worker *score);

/* Starts the first threads. False when not one could be started. */
bool pool_start(struct pool *pool);

/*
 * Asks for leave to run a handler in the calling thread. False: `waiting` was queued, and its run() is called in a thread that has
 * leave; the caller must not touch it any more. A leader has leave for what is quick only. `kind` (any number) is the same for requests that take alike long.
 */
bool pool_enter(struct pool *pool, struct pool_waiting *waiting, unsigned kind);

/* True where pool_enter() would run such a request in the calling thread at once, and it would soon be done. */
bool pool_runs_now(struct pool *pool, unsigned kind);

/* The handler is done. The thread may have lost the lead meanwhile. */
void pool_leave(struct pool *pool, unsigned kind);

/* Queues somebody for a thread that has leave, from a thread of the pool. */
void pool_queue(struct pool *pool, struct pool_waiting *waiting);

/* What the calling thread, which has leave, does next takes long: another one leads. */
void pool_give_way(struct pool *pool);

/* The calling thread's part of the scoreboard. */
struct score_thread *pool_score(void);

/* Ends all threads, which must not be in handlers, and waits until nothing of them runs: handlers may be unloaded then. */
void pool_stop(struct pool *pool);

#endif
