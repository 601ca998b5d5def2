/*
 * The scoreboard: a shared memory page set per generation in which each worker says how many connections it has and what its
 * threads are doing. Made by the master; written by workers, without locks; read by the master after a worker's death and by
 * workers to share the load. The master trusts nothing in it: texts are copied with bounds.
 */
#ifndef DOIPD_SCOREBOARD_H
#define DOIPD_SCOREBOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a thread is doing. A handler is running while `busy` is set. */
struct score_thread {
    atomic_bool busy;
    char handler[32];
    char operation[64];
    char target[128];
};

struct score_worker {
    atomic_int connections;
    atomic_int fatal_thread; /* 1 + the thread that took a fatal signal; 0: none */
    atomic_bool accepting;
    struct score_thread threads[]; /* scoreboard.threads of them */
};

struct scoreboard {
    size_t workers;
    size_t threads;
    size_t stride;
    size_t size;
    char *base;
};

/* False where the system has no memory for it. */
bool scoreboard_init(struct scoreboard *board, size_t workers, size_t threads);
void scoreboard_fini(struct scoreboard *board);

struct score_worker *scoreboard_worker(const struct scoreboard *board, size_t worker);

/* Clears a worker's part before a new process takes it. */
void scoreboard_clear(const struct scoreboard *board, size_t worker);

/* True when the worker has clearly more connections than its share of all that accept. */
bool scoreboard_above_share(const struct scoreboard *board, size_t worker);

/* Marks a thread's part: busy with a handler, and done. The target may be "". NULL: no part. */
void score_begin(struct score_thread *score, const char *handler, const char *operation, const char *target);
void score_end(struct score_thread *score);

/* What the worker was doing, as text for the log ("in handler store, operation 0.DOIP/Op.Create, target x"), "" for nothing. */
void scoreboard_describe(const struct scoreboard *board, size_t worker, char *text, size_t size);

/* In a worker: fatal signals note the thread that took them; `score` NULL for a thread without a part. */
void score_watch_process(struct score_worker *worker);
void score_watch_thread(int thread);

#endif
