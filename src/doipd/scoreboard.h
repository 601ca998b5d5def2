/*
 * The scoreboard: a shared memory page set per generation in which each worker says how many connections it has and what its
 * threads are doing. Made by the master; written by workers, without locks; read by the master after a worker's death and by
 * workers to share the load. The master trusts nothing in it: texts are copied with bounds. They are kept as atomic words, because they
 * are read while they are written; what was read counts only if the thread is at the same call afterwards.
 */
#ifndef DOIPD_SCOREBOARD_H
#define DOIPD_SCOREBOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for texts, in bytes. */
enum { SCORE_HANDLER = 32, SCORE_OPERATION = 64, SCORE_TARGET = 128 };

/* What a thread is doing. A handler is running while `busy` is set. */
struct score_thread {
    atomic_bool busy;
    _Atomic(int64_t) began; /* monotonic ms */
    _Atomic(uint64_t) handler[SCORE_HANDLER / 8];
    _Atomic(uint64_t) operation[SCORE_OPERATION / 8];
    _Atomic(uint64_t) target[SCORE_TARGET / 8];
};

/* A copy of that, NUL-terminated. */
struct score_report {
    int64_t began;
    char handler[SCORE_HANDLER];
    char operation[SCORE_OPERATION];
    char target[SCORE_TARGET];
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

/* Clears a part whose process is gone. */
void scoreboard_clear(const struct scoreboard *board, size_t worker);

/* True when the worker has clearly more connections than its share of all that accept. */
bool scoreboard_above_share(const struct scoreboard *board, size_t worker);

/* Marks a thread's part: busy with a handler, and done. The target may be "". NULL: no part. */
void score_begin(struct score_thread *score, const char *handler, const char *operation, const char *target);
void score_end(struct score_thread *score);

/* Copies what a thread is doing. False: no handler is running, or that changed meanwhile. */
bool score_read(const struct score_thread *score, struct score_report *report);
/* The same as text: "in handler store, operation 0.DOIP/Op.Create, target x". */
void score_describe(const struct score_report *report, char *text, size_t size);

/* What the worker was doing, as text for the log ("in handler store, operation 0.DOIP/Op.Create, target x"), "" for nothing. */
void scoreboard_describe(const struct scoreboard *board, size_t worker, char *text, size_t size);

/* In a worker: fatal signals note the thread that took them; `score` NULL for a thread without a part. */
void score_watch_process(struct score_worker *worker);
void score_watch_thread(int thread);

#endif
