/*
 * A worker: the process that serves connections and runs handlers. Forked by the master, which never returns into it.
 */
#ifndef DOIPD_WORKER_H
#define DOIPD_WORKER_H

#include <jansson.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "authenticate.h"
#include "config.h"
#include "handlers.h"
#include "held.h"
#include "listener.h"
#include "log.h"
#include "pool.h"
#include "privileges.h"
#include "scoreboard.h"

struct connection;
struct acceptor;

/* Exit statuses of a worker. FAILED: it could not start; BROKEN: a handler harmed it, and its last words on the scoreboard say how. */
enum { WORKER_EXIT_DONE = 0, WORKER_EXIT_FAILED = 3, WORKER_EXIT_BROKEN = 4 };

/* What a generation gives to each of its workers. */
struct worker_setup {
    struct config *config;
    const struct account *account;
    bool started_by_root;
    SSL_CTX *tls;
    json_t *service;
    const struct listener_set *listeners;
    const struct scoreboard *board;
    const struct scoreboard *boards; /* of all generations that there were at the fork; that one too */
    unsigned generation;
    size_t index; /* of the worker, from 0 */
    size_t part;  /* of the scoreboard */
    int channel;
};

struct worker {
    const struct worker_setup *setup;
    const struct config *config;
    json_t *service;
    struct handler_set handlers;
    pthread_mutex_t serial; /* held while a handler that is not thread-safe runs */
    struct pool pool;
    struct held_places held;
    struct authenticator authenticator;
    struct score_worker *score;
    struct acceptor *acceptors; /* one per listening socket */
    size_t acceptor_count;
    int wake; /* an eventfd: the control thread has something new to look at */
    atomic_bool draining;
    atomic_bool last_call; /* draining is nearly over, or the service ends: a connection does after the answer that it gets now */
    atomic_int accepting; /* threads that may have an accepted socket in hand, not yet counted below */
    pthread_mutex_t lock; /* of the list below */
    struct connection *connections;
    atomic_int count;
    _Atomic(int64_t) full_said; /* for worker_may_say(): that workers.connections or limits.connections is reached, */
    _Atomic(int64_t) address_said; /* limits.connections_per_address, */
    _Atomic(int64_t) accept_said;  /* or accepting fails */
};

/* Runs a worker to its end; never returns. */
_Noreturn void worker_main(const struct worker_setup *setup);

/* Makes the control thread look again, from any thread. */
void worker_wake(struct worker *worker);

/* Whether what lasts is worth another line in the log: once a minute, for all threads together. *said is when it last was. */
bool worker_may_say(_Atomic(int64_t) *said);

#endif
