/*
 * Counters, in memory that the master shares with all workers of all generations, so that they survive a worker's death and a reload: they only grow.
 * Each worker adds to a stripe of its own, with relaxed atomics and without locks, from any thread; the master sums the stripes when it is asked.
 * It trusts nothing in them: a worker that was broken into can lie in these numbers and names, and do no more. Without metrics_init()
 * (a check, a unit test) everything is counted in the process itself.
 */
#ifndef DOIPD_METRICS_H
#define DOIPD_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "operations.h"

/* Plain counters: X(name, family, label's name and value). Those of one family stand together. */
#define METRICS_COUNTERS(X)                                                                 \
    X(CONNECTIONS, "doipd_connections_total", "", "")                                       \
    X(HANDSHAKES_FULL, "doipd_handshakes_total", "result", "full")                          \
    X(HANDSHAKES_RESUMED, "doipd_handshakes_total", "result", "resumed")                    \
    X(HANDSHAKES_TIMEOUT, "doipd_handshakes_total", "result", "timeout")                    \
    X(HANDSHAKES_CLOSED, "doipd_handshakes_total", "result", "closed")                      \
    X(HANDSHAKES_REFUSED, "doipd_handshakes_total", "result", "refused")                    \
    X(CLOSED_ORDERLY, "doipd_connections_closed_total", "cause", "orderly")                 \
    X(CLOSED_IDLE, "doipd_connections_closed_total", "cause", "idle")                       \
    X(CLOSED_HANDSHAKE, "doipd_connections_closed_total", "cause", "handshake")             \
    X(CLOSED_REQUEST_TIMEOUT, "doipd_connections_closed_total", "cause", "request_timeout") \
    X(CLOSED_REQUEST_BROKEN, "doipd_connections_closed_total", "cause", "request_broken")   \
    X(CLOSED_ANSWER_TIMEOUT, "doipd_connections_closed_total", "cause", "answer_timeout")   \
    X(CLOSED_ANSWER_BROKEN, "doipd_connections_closed_total", "cause", "answer_broken")     \
    X(CLOSED_RESOURCES, "doipd_connections_closed_total", "cause", "resources")             \
    X(CLOSED_CROWDED, "doipd_connections_closed_total", "cause", "crowded")                 \
    X(CLOSED_ADDRESS, "doipd_connections_closed_total", "cause", "address")                 \
    X(CLOSED_REQUESTS, "doipd_connections_closed_total", "cause", "requests")               \
    X(WORKERS_STARTED, "doipd_worker_starts_total", "", "")                                 \
    X(DEATHS_SIGNAL, "doipd_worker_deaths_total", "cause", "signal")                        \
    X(DEATHS_EXIT, "doipd_worker_deaths_total", "cause", "exit")                            \
    X(RELOADS_DONE, "doipd_reloads_total", "result", "done")                                \
    X(RELOADS_REFUSED, "doipd_reloads_total", "result", "refused")                          \
    X(LOG_DROPPED, "doipd_log_dropped_total", "", "")

enum metrics_counter {
#define X(name, family, label, value) METRICS_##name,
    METRICS_COUNTERS(X)
#undef X
        METRICS_COUNT
};

enum {
    METRICS_STRIPES = 64,
    METRICS_NO_OPERATION = OPERATION_COUNT, /* of a request that names none, or can't be read */
    METRICS_OPERATIONS,
    METRICS_STATUSES = 9, /* those of the protocol, and any other */
    METRICS_BOUNDS = 17,  /* of a histogram; beyond the last is one bucket more */
    METRICS_HANDLERS = 64,
    METRICS_HANDLER_TEXT = 64, /* bytes, of a name or version */
};

/* How a handler's call ended. */
enum metrics_call { METRICS_CALL_OK, METRICS_CALL_DECLINED, METRICS_CALL_ERROR, METRICS_CALLS };

/* Makes the shared memory; the master, before its first worker. False when there is none. */
bool metrics_init(void);
/* In a worker, before its threads: which stripe it adds to (any number). */
void metrics_use_stripe(size_t number);

void metrics_count(enum metrics_counter counter);

/* One request, answered or broken off. */
struct metrics_request {
    const char *operation; /* "" for none */
    const char *status;
    uint64_t microseconds;
    uint64_t bytes_in;
    uint64_t bytes_out;
};
void metrics_request(const struct metrics_request *request);

/* A worker's handler, in that place of that generation's chain: its number for metrics_call(), the same for the same name in all workers. */
struct metrics_handler {
    const char *name;
    const char *version;
    bool thread_safe;
    unsigned generation;
    unsigned place;
};
unsigned metrics_handler(const struct metrics_handler *handler);
void metrics_call(unsigned handler, enum metrics_call how, uint64_t microseconds);

/* ------------------------------------------------------------------ reading, in the master */

struct metrics_histogram {
    uint64_t buckets[METRICS_BOUNDS + 1]; /* each for itself, not cumulated */
    uint64_t sum;                         /* of what was observed */
};

struct metrics_handler_sum {
    char name[METRICS_HANDLER_TEXT]; /* "" where the number was never given out */
    char version[METRICS_HANDLER_TEXT];
    bool thread_safe;
    unsigned generation; /* the last that loaded it */
    unsigned place;
    uint64_t calls[METRICS_CALLS];
    uint64_t microseconds;
};

struct metrics_sum {
    uint64_t counters[METRICS_COUNT];
    uint64_t requests[METRICS_OPERATIONS][METRICS_STATUSES];
    struct metrics_histogram duration[METRICS_OPERATIONS]; /* microseconds */
    struct metrics_histogram bytes_in[METRICS_OPERATIONS];
    struct metrics_histogram bytes_out[METRICS_OPERATIONS];
    struct metrics_handler_sum handlers[METRICS_HANDLERS];
};

/* Adds up all stripes. */
void metrics_add_up(struct metrics_sum *sum);
/* Requests answered so far, of all operations and statuses. */
uint64_t metrics_requests(const struct metrics_sum *sum);

/* The upper bounds of a histogram's buckets, METRICS_BOUNDS of them; the status that stands at that place of `requests`. */
const uint64_t *metrics_duration_bounds(void);
const uint64_t *metrics_size_bounds(void);
const char *metrics_status(size_t index);

#endif
