/*
 * A generation: a configuration, what was built from it, and the workers that serve it. A reload builds a new one completely and swaps only when it is
 * ready. Master only.
 */
#ifndef DOIPD_GENERATION_H
#define DOIPD_GENERATION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "channel.h"
#include "worker.h"

enum generation_state {
    GENERATION_STARTING, /* its first workers load their handlers */
    GENERATION_SERVING,
    GENERATION_RETIRING, /* its workers drain */
    GENERATION_FAILED,   /* it never served: its workers are told to stop */
};

/* Workers must be ready within this time. */
enum { GENERATION_START_MS = 60000 };

enum child_state { CHILD_NONE, CHILD_STARTING, CHILD_READY, CHILD_RETIRING };

struct child {
    enum child_state state;
    pid_t pid;
    int channel;
    size_t number;      /* of the worker, from 1 */
    size_t part;        /* of the scoreboard; the slot's for good, or of whoever left it */
    int64_t started;    /* ms */
    int64_t kill_at;    /* ms; while retiring */
    int64_t respawn_at; /* ms; while there is none */
    int64_t delay;      /* ms; before the next one, growing while they keep dying */
    int64_t asked;      /* ms; for its pulse, and answered (watch.c) */
    int64_t answered;
    bool spent;         /* it has done its part, and is to be replaced */
};

struct generation {
    struct generation *next; /* the master's list */
    unsigned number;
    enum generation_state state;
    int64_t started;
    struct config *config;
    struct account account;
    bool started_by_root;
    uint64_t stamp; /* of the certificates' files, as they were before they were read */
    SSL_CTX *tls;
    json_t *service;
    struct listener_set listeners;
    struct scoreboard board;
    struct child *children; /* `slots` of them: the first `count` are to serve, in the others are those that left their place */
    size_t count;
    size_t slots;
    char failure[CHANNEL_TEXT]; /* why it can't start */
};

/* Builds one from a configuration, which it takes over also on failure; `previous` (may be NULL) lends its listening sockets. NULL with the reason; nothing was changed
 * then. No worker runs yet. */
struct generation *generation_new(struct config *config, unsigned number, const struct generation *previous,
                                  char *reason, size_t size);

/* Frees one that has no workers. */
void generation_free(struct generation **generation);

/* Forks the workers that are missing and due. `all`: the list of generations, whose descriptors a child closes. */
void generation_spawn(struct generation *generation, struct generation *all, int64_t now);

/* There is none now: the next one starts after the delay so far, at once for the first death, later and later while they keep dying. */
void child_schedule(struct child *child, int64_t now);

/* Lets the workers, which are all ready, accept connections. */
void generation_serve(struct generation *generation);

/* Takes what a worker says. */
void generation_hear(struct generation *generation, struct child *child, int64_t now);

/* Puts a worker aside, in a slot of those that left, as it is; another starts in its place. Where there is no slot, nothing happens. One that still
 * serves is told to retire when the other is ready. */
void generation_make_room(struct generation *generation, struct child *child, int64_t now);

/* Takes a worker's death. */
void generation_reaped(struct generation *generation, struct child *child, int status, int64_t now);

/* How its workers end: while others serve, as the last ones, or without draining. */
enum generation_end { END_REPLACED, END_LAST, END_AT_ONCE };

/* Lets its workers end. */
void generation_retire(struct generation *generation, int64_t now, enum generation_end how);

/* Kills retiring workers that overstay. */
void generation_enforce(struct generation *generation, int64_t now);

/* When it next wants attention (spawn, kill, start deadline), -1 for never. */
int64_t generation_due(const struct generation *generation);

bool generation_all_ready(const struct generation *generation);
bool generation_empty(const struct generation *generation);

#endif
