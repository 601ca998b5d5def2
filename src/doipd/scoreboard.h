/*
 * The scoreboard: a shared memory page set per generation in which each worker says how many connections it has and what its
 * threads are doing, and who is connected. Made by the master; written by workers, without locks; read by the master after a worker's death and by
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
enum { SCORE_HANDLER = 32, SCORE_OPERATION = 64, SCORE_TARGET = 128, SCORE_ADDRESS = 64, SCORE_CLIENT = 64, SCORE_WORDS = 160 };

/* Connections of one worker that have a place, at most; others are counted only. */
enum { SCORE_PLACES_MOST = 16384 };

/* fatal_thread: one that the worker has not started. */
enum { SCORE_FOREIGN = -1 };

/* Instead of a worker's number. */
#define SCORE_ALL SIZE_MAX

/* What a thread is doing. A handler is running while `busy` is set. */
struct score_thread {
    atomic_bool busy;
    _Atomic(int64_t) began; /* monotonic us: short calls follow each other within a millisecond */
    _Atomic(uint64_t) handler[SCORE_HANDLER / 8];
    _Atomic(uint64_t) operation[SCORE_OPERATION / 8];
    _Atomic(uint64_t) target[SCORE_TARGET / 8];
};

/* A copy of that, NUL-terminated. */
struct score_report {
    int64_t began; /* monotonic ms */
    char handler[SCORE_HANDLER];
    char operation[SCORE_OPERATION];
    char target[SCORE_TARGET];
};

/* What a connection is at. */
enum score_phase {
    SCORE_FREE, /* a place that nobody has */
    SCORE_HANDSHAKE,
    SCORE_IDLE,    /* between requests */
    SCORE_READING, /* a request comes in, or what is left of it */
    SCORE_RUNNING, /* a handler runs, or is about to */
    SCORE_WRITING, /* the answer waits for the client */
    SCORE_CLOSING,
    SCORE_PHASES
};

/* A connection's place. Times are monotonic ms, bytes those of the connection. */
struct score_connection {
    atomic_uint phase;
    unsigned next; /* of the free places; the worker's own */
    atomic_uint counted; /* addresses.h's note; 0: none. Of a worker that died, the master's */
    _Atomic(int64_t) connected;
    _Atomic(int64_t) changed; /* the phase */
    _Atomic(uint64_t) requests;
    _Atomic(uint64_t) bytes_in;
    _Atomic(uint64_t) bytes_out;
    _Atomic(uint64_t) address[SCORE_ADDRESS / 8];
    _Atomic(uint64_t) client[SCORE_CLIENT / 8];
};

/* A copy of that, NUL-terminated. */
struct score_seen {
    enum score_phase phase;
    int64_t connected;
    int64_t changed;
    uint64_t requests;
    uint64_t bytes_in;
    uint64_t bytes_out;
    char address[SCORE_ADDRESS];
    char client[SCORE_CLIENT];
};

struct score_worker {
    atomic_int connections;
    _Atomic(uint64_t) requests; /* answered by this process */
    atomic_uint places_used;    /* ever, from the first */
    atomic_uint free_place;     /* 1 + the first of them that is free again; 0: none */
    atomic_int fatal_thread; /* 1 + the thread that took a fatal signal or ended the worker; 0: none */
    atomic_bool done;        /* the worker ends in order */
    _Atomic(uint64_t) words[SCORE_WORDS / 8]; /* why it ends itself */
    atomic_bool accepting;
    struct score_thread threads[]; /* scoreboard.threads of them: score_parts() */
};

struct scoreboard {
    const struct scoreboard *next; /* of another generation; a worker's own list */
    size_t workers;
    size_t threads;
    size_t stride;
    size_t size;
    char *base;
    size_t places; /* for connections, of each worker */
    size_t connections_size;
    struct score_connection *connections;
};

/* How many parts a worker has that may run handlers in so many threads: each one's; the control thread's, which opens the handlers; and from
 * score_held() on as many for answers that come later. */
static inline size_t
score_held(size_t threads)
{
    return threads + 1;
}

static inline size_t
score_parts(size_t threads)
{
    return score_held(threads) + threads;
}

/* `connections`: most of each worker. False where the system has no memory for it. */
bool scoreboard_init(struct scoreboard *board, size_t workers, size_t threads, size_t connections);
void scoreboard_fini(struct scoreboard *board);

struct score_worker *scoreboard_worker(const struct scoreboard *board, size_t worker);

/* Clears a part whose process is gone. */
void scoreboard_clear(const struct scoreboard *board, size_t worker);

/* The connections of all its workers, as they say. */
long scoreboard_open(const struct scoreboard *board);

/* True when the worker has clearly more connections than its share of all that accept. */
bool scoreboard_above_share(const struct scoreboard *board, size_t worker);

/* Marks a thread's part: busy with a handler, and done. The target may be "". NULL: no part. */
void score_begin(struct score_thread *score, const char *handler, const char *operation, const char *target);
void score_end(struct score_thread *score);

/* Copies what a thread is doing. False: no handler is running, or that changed meanwhile. */
bool score_read(const struct score_thread *score, struct score_report *report);
/* The same as text: "in handler store, operation 0.DOIP/Op.Create, target x". */
void score_describe(const struct score_report *report, char *text, size_t size);

/*
 * What the worker was doing, as text for the log ("in handler store, operation 0.DOIP/Op.Create, target x"), "" for nothing. Of one that
 * ended itself while nothing ran, the last call.
 */
void scoreboard_describe(const struct scoreboard *board, size_t worker, char *text, size_t size);

/*
 * A place for a new connection, in phase SCORE_HANDSHAKE; NULL when there is none left, which the other calls take as well. The caller holds a lock
 * over taking and giving back.
 */
struct score_connection *score_connection_take(const struct scoreboard *board, size_t worker, const char *address,
                                               int64_t now);
void score_connection_give_back(const struct scoreboard *board, size_t worker, struct score_connection *place);
/* The owner of the connection: what it is at now, and (after a request) whose it is and how much it has been. */
void score_connection_phase(struct score_connection *place, enum score_phase phase, int64_t now);
void score_connection_count(struct score_connection *place, const char *client, uint64_t requests, uint64_t in, uint64_t out);

/* How many places of a worker to look at, what the connection in one is at, and all that is known of it (false: the place is free). */
size_t scoreboard_places(const struct scoreboard *board, size_t worker);
/* Since when (monotonic ms) those of a worker, or of all (SCORE_ALL), are idle that have been so the longest, `most` of them (64 are enough). -1: none
 * is. */
int64_t scoreboard_idle_since(const struct scoreboard *board, size_t worker, size_t most);
atomic_uint *scoreboard_counted(const struct scoreboard *board, size_t worker, size_t index);
enum score_phase scoreboard_phase(const struct scoreboard *board, size_t worker, size_t index);
bool scoreboard_connection(const struct scoreboard *board, size_t worker, size_t index, struct score_seen *seen);
const char *score_phase_name(enum score_phase phase);

/* In a worker that ends itself: why. And in the master: the same, "" for nothing. */
void score_last_words(struct score_worker *score, const char *text);
void scoreboard_last_words(const struct scoreboard *board, size_t worker, char text[SCORE_WORDS]);

#endif
