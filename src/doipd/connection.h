/*
 * A connection in a worker: its life (start, park, claim, expire, close). What is said on it is conversation.h's matter.
 *
 * Ownership: a connection belongs to the one thread that got its event, until that thread parks it (arms its one-shot entry in the
 * epoll set) or closes it. The control thread never owns one: to end a parked connection it marks it expired, under the list's lock,
 * and shuts its socket down, so that the epoll set gives it to a thread.
 */
#ifndef DOIPD_CONNECTION_H
#define DOIPD_CONNECTION_H

#include <doip/server.h>
#include <doip/tls.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/socket.h>

#include "authenticate.h"
#include "metrics.h"
#include "worker.h"

/* What a connection is about; each phase has a step (conversation_impl.h). */
enum phase {
    PHASE_HANDSHAKE, /* TLS */
    PHASE_HEAD,      /* between requests, or inside a request's first segment */
    PHASE_BODY,      /* the rest of a small request comes in */
    PHASE_RUN,       /* a handler may run */
    PHASE_FLUSH,     /* the answer goes out */
    PHASE_DISCARD,   /* what the handler left unread is read away */
    PHASE_FINISH,    /* close_notify goes out */
    PHASE_LINGER,    /* what still comes is read away, so that the answer is not destroyed */
};

/* LOOKED_AT: parked, and the control thread has it in its hand for a moment. */
enum { STATE_OWNED, STATE_PARKED, STATE_LOOKED_AT, STATE_EXPIRED };

struct connection {
    struct source source;
    struct pool_waiting waiting;
    struct worker *worker;
    struct connection *next; /* the worker's list */
    struct connection **link;
    doip_stream *stream;
    doip_reader *reader;
    doip_writer *writer;
    doip_request *request;
    doip_peer peer;
    char *identity;    /* the client certificate's name */
    char *certificate; /* and itself, in PEM */
    struct caller caller; /* of the request */
    struct held held;     /* where its handler answers later */
    enum phase phase;
    doip_outcome outcome;
    bool armed;          /* has an entry in the epoll set */
    bool may_run;        /* has leave to run a handler */
    int waits_for;       /* parked: DOIP_WANT_…, for which the time counts as waiting for the client; 0: for nothing */
    uint64_t taken;      /* what the client had of its answers then */
    bool crowded_out;    /* expired to make room */
    enum metrics_counter ending; /* METRICS_CLOSED_…: why it is in PHASE_FINISH or PHASE_LINGER */
    atomic_int state;
    int64_t deadline; /* ms; of the parked state */
    int64_t parked_at;
    int64_t phase_deadline; /* of handshake and linger: since their beginning */
    int64_t request_began;  /* µs */
    uint64_t bytes_in_before;
    uint64_t bytes_out_before;
    uint64_t budget; /* of bytes to be read away */
    uint64_t number; /* of the request, from 1 */
    struct score_connection *score; /* its place on the scoreboard; NULL where there was none left */
    char address[64];
};

/* Takes over an accepted socket. */
void connection_start(struct worker *worker, int fd, const struct sockaddr *from, socklen_t length);

/* Gives the connection back to the epoll set until it is ready (DOIP_WANT_*) or `wait_ms` have passed. The caller must not touch it
 * any more. */
void connection_park(struct connection *connection, int wants, int64_t wait_ms);

/* Closes and frees it; `cause` (METRICS_CLOSED_…) is counted. */
void connection_close(struct connection *connection, enum metrics_counter cause);

/* Shows on the scoreboard what the connection is at. */
void connection_show(const struct connection *connection, enum score_phase phase);

/* The client's TLS version, for the log. */
const char *connection_tls_version(const struct connection *connection);

/* Control thread: expires those whose time is over; while draining also those that were quiet for `quiet_ms`. */
void connections_sweep(struct worker *worker, int64_t now, int64_t quiet_ms);

/* Control thread: expires those that have been idle since then, `most` of them, and for 2 seconds at least. False: there was none. */
bool connections_make_room(struct worker *worker, int64_t since, unsigned most, int64_t now);

#endif
