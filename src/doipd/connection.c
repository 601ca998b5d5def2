/*
 * The life of a connection: see connection.h. Runs in the worker's pool threads, the sweep in its control thread.
 */
#include <errno.h>
#include <netdb.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "addresses.h"
#include "clock.h"
#include "connection.h"
#include "conversation.h"
#include "descriptors.h"

enum { IDLE_LEAST_MS = 2000 }; /* an idle connection that may be closed to make room: a client may be about to send its next request */

/* ------------------------------------------------------------------ start and end */

static void
link_in(struct worker *worker, struct connection *connection)
{
    pthread_mutex_lock(&worker->lock);
    connection->next = worker->connections;
    connection->link = &worker->connections;
    if (connection->next != NULL)
        connection->next->link = &connection->next;
    worker->connections = connection;
    connection->score =
        score_connection_take(worker->setup->board, worker->setup->part, connection->address, clock_ms());
    pthread_mutex_unlock(&worker->lock);
    atomic_fetch_add(&worker->score->connections, 1);
    if (atomic_fetch_add(&worker->count, 1) == 0)
        worker_wake(worker);
}

static void
link_out(struct worker *worker, struct connection *connection)
{
    if (connection->score != NULL)
        addresses_leave(&connection->score->counted);
    pthread_mutex_lock(&worker->lock);
    *connection->link = connection->next;
    if (connection->next != NULL)
        connection->next->link = connection->link;
    score_connection_give_back(worker->setup->board, worker->setup->part, connection->score);
    pthread_mutex_unlock(&worker->lock);
    atomic_fetch_sub(&worker->score->connections, 1);
}

static void
set_address(struct connection *connection, const struct sockaddr *from, socklen_t length)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];
    const char *form = from->sa_family == AF_INET6 ? "[%.46s]:%.5s" : "%.46s:%.5s";

    if (getnameinfo(from, length, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        snprintf(connection->address, sizeof connection->address, "unknown");
    else
        snprintf(connection->address, sizeof connection->address, form, host, port);
    connection->peer.address = connection->address;
}

/*
 * Counts the connection at its address: true when there are more than may be. One that has no place on the scoreboard, or whose address has
 * none in the table, is let in.
 */
static bool
is_over_address(struct connection *connection, unsigned *count)
{
    unsigned most = (unsigned)connection->worker->config->limits.connections_per_address;

    *count = 0;
    if (most > 0 && connection->score != NULL)
        *count = addresses_enter(connection->address, &connection->score->counted);
    return *count > most && most > 0;
}

/* ------------------------------------------------------------------ events */

/* Takes a connection whose event came, once whoever parked it has let go: true, or false when its time was over. */
static bool
claim(struct connection *connection)
{
    for (;;) {
        int state = STATE_PARKED;

        if (atomic_compare_exchange_strong(&connection->state, &state, STATE_OWNED))
            return true;
        if (state == STATE_EXPIRED) {
            atomic_store(&connection->state, STATE_OWNED);
            return false;
        }
        sched_yield();
    }
}

static void
go_on(struct connection *connection)
{
    int64_t now = clock_ms();

    if (!claim(connection)) {
        conversation_expired(connection);
        return;
    }
    if (connection->waits_for != 0)
        doip_stream_add_waited(connection->stream, connection->waits_for, now - connection->parked_at);
    conversation_go_on(connection);
}

static void
connection_ready(struct source *source)
{
    go_on((struct connection *)source);
}

static void
connection_run(struct pool_waiting *waiting)
{
    struct connection *connection =
        (struct connection *)(void *)((char *)waiting - offsetof(struct connection, waiting));

    connection->may_run = true;
    conversation_go_on(connection);
}

void
connection_start(struct worker *worker, int fd, const struct sockaddr *from, socklen_t length)
{
    struct connection *connection = calloc(1, sizeof *connection);
    unsigned count;

    if (connection == NULL) {
        log_error(NO_MEMORY, "no memory for a connection");
        close(fd);
        return;
    }
    connection->source.ready = connection_ready;
    connection->waiting.run = connection_run;
    connection->worker = worker;
    connection->ending = METRICS_CLOSED_ORDERLY;
    set_address(connection, from, length);
    connection->stream = doip_tls_server(worker->setup->tls, fd);
    if (connection->stream == NULL) {
        log_error(NO_MEMORY, "no memory for a connection");
        free(connection);
        return;
    }
    descriptors_take(fd);
    doip_stream_set_waits(connection->stream, 0, 0);
    link_in(worker, connection);
    metrics_count(METRICS_CONNECTIONS);
    if (is_over_address(connection, &count))
        conversation_refuse(connection, count);
    else
        conversation_begin(connection);
}

void
connection_show(const struct connection *connection, enum score_phase phase)
{
    score_connection_phase(connection->score, phase, clock_lately_ms());
}

void
connection_close(struct connection *connection, enum metrics_counter cause)
{
    struct worker *worker = connection->worker;
    int fd = doip_stream_fd(connection->stream);

    metrics_count(cause);
    descriptors_check_socket(fd);
    link_out(worker, connection);
    doip_request_free(&connection->request);
    doip_reader_free(&connection->reader);
    doip_writer_free(&connection->writer);
    descriptors_give_back(fd);
    doip_stream_free(&connection->stream);
    free(connection->identity);
    free(connection->certificate);
    free(connection);
    if (atomic_fetch_sub(&worker->count, 1) == 1 && atomic_load(&worker->draining))
        worker_wake(worker);
}

void
connection_park(struct connection *connection, int wants, int64_t wait_ms)
{
    bool writes = wants == DOIP_WANT_WRITE;
    struct epoll_event event = {
        .events = (writes ? EPOLLOUT : EPOLLIN) | EPOLLONESHOT,
        .data.ptr = &connection->source,
    };
    int how = connection->armed ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    int epoll = connection->worker->pool.epoll, fd = doip_stream_fd(connection->stream);

    connection->parked_at = clock_lately_ms();
    connection->deadline = connection->parked_at + wait_ms;
    connection->waits_for = connection->phase != PHASE_HANDSHAKE && connection->phase < PHASE_FINISH ? wants : 0;
    if (connection->waits_for == DOIP_WANT_WRITE)
        connection->taken = doip_stream_taken(connection->stream);
    connection->armed = true;
    if (epoll_ctl(epoll, how, fd, &event) < 0) {
        if (errno != ENOMEM && errno != ENOSPC)
            descriptors_lost(fd);
        log_error(NO_MEMORY, "can't wait for a connection: out of memory for epoll");
        connection_close(connection, METRICS_CLOSED_RESOURCES);
        return;
    }
    /* Whoever has its event by now waits in claim() for this; from here on the connection may be freed. */
    atomic_store(&connection->state, STATE_PARKED);
}

const char *
connection_tls_version(const struct connection *connection)
{
    return SSL_get_version(doip_tls_ssl(connection->stream));
}

/* ------------------------------------------------------------------ the control thread */

static bool
is_idle(const struct connection *connection)
{
    return connection->phase == PHASE_HEAD && doip_reader_idle(connection->reader) &&
           doip_writer_buffered(connection->writer) == 0;
}

/* As others see it on the scoreboard. */
static int64_t
idle_since(const struct connection *connection)
{
    return connection->score != NULL ? atomic_load(&connection->score->changed) : connection->parked_at;
}

/* The client may be reading although the socket does not take more yet: then it is waited for anew. */
static bool
goes_on_reading(struct connection *connection, int64_t now)
{
    uint64_t taken = connection->waits_for == DOIP_WANT_WRITE ? doip_stream_taken(connection->stream) : 0;
    int64_t waited = now - connection->parked_at;

    if (taken <= connection->taken || connection->waits_for != DOIP_WANT_WRITE)
        return false;
    connection->taken = taken;
    connection->parked_at = now;
    doip_stream_add_waited(connection->stream, DOIP_WANT_WRITE, waited);
    connection->deadline = now + conversation_answer_ms(connection);
    return connection->deadline > now;
}

static bool
is_over(struct connection *connection, int64_t now, int64_t quiet_ms)
{
    if (now >= connection->deadline)
        return !goes_on_reading(connection, now);
    return quiet_ms >= 0 && is_idle(connection) && now - idle_since(connection) >= quiet_ms;
}

/* Only while it is in our hand may a parked connection be looked at. */
static bool
take_in_hand(struct connection *connection)
{
    int parked = STATE_PARKED;

    return atomic_compare_exchange_strong(&connection->state, &parked, STATE_LOOKED_AT);
}

static bool
expire(struct connection *connection, int64_t now, int64_t quiet_ms, bool for_room)
{
    int fd;

    if (!take_in_hand(connection))
        return false;
    if (!is_over(connection, now, quiet_ms)) {
        atomic_store(&connection->state, STATE_PARKED);
        return false;
    }
    connection->crowded_out = for_room && now < connection->deadline;
    fd = doip_stream_fd(connection->stream);
    /* An idle client is still told the orderly end, and a slow one that it is too slow. */
    shutdown(fd, connection->phase == PHASE_HEAD || connection->phase == PHASE_BODY ? SHUT_RD : SHUT_RDWR);
    atomic_store(&connection->state, STATE_EXPIRED);
    return true;
}

void
connections_sweep(struct worker *worker, int64_t now, int64_t quiet_ms)
{
    pthread_mutex_lock(&worker->lock);
    for (struct connection *at = worker->connections; at != NULL; at = at->next)
        expire(at, now, quiet_ms, false);
    pthread_mutex_unlock(&worker->lock);
}

bool
connections_make_room(struct worker *worker, int64_t since, unsigned most, int64_t now)
{
    int64_t quiet = now - since > IDLE_LEAST_MS ? now - since : IDLE_LEAST_MS;
    unsigned made = 0;

    pthread_mutex_lock(&worker->lock);
    for (struct connection *at = worker->connections; at != NULL && made < most; at = at->next)
        made += expire(at, now, quiet, true);
    pthread_mutex_unlock(&worker->lock);
    return made > 0;
}
