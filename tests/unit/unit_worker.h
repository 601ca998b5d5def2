/*
 * A worker's conversation with its clients in this process: real connections over socket pairs, the real steps, handlers of the test's own. Not
 * real are TLS (what is sent is read as it is, once a byte has stood for the handshake), the pool (the test's thread runs all) and time,
 * which passes when the test says so, and where a handler waits. For unit tests and the fuzzer; linked with --wrap=clock_gettime,--wrap=poll.
 */
#ifndef UNIT_WORKER_H
#define UNIT_WORKER_H

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <doip/tls.h>

#include "addresses.h"
#include "clock.h"
#include "connection.h"
#include "conversation.h"
#include "metrics.h"
#include "stream_impl.h"
#include "throttle.h"
#include "worker.h"

#define WORLD_SERVICE "35.TEST/service"

enum { WORLD_TURNS = 2000, WORLD_RECORD = 16384 };

/* All that is not the connection's own. */
static struct world {
    struct worker worker;
    struct worker_setup setup;
    struct scoreboard board;
    SSL_CTX *context;
    SSL *ssl;          /* of nobody: for those who ask which TLS it is */
    int64_t now;       /* ms */
    size_t write_most; /* of one write; 0: any number */
    bool pool_full;    /* pool_enter() queues */
    bool quick;        /* pool_runs_now() */
    int busy;
    struct pool_waiting *first;
    struct pool_waiting **last;
    bool (*while_waiting)(
        void); /* a handler waits: the client may do something (true), or time passes */
} world;

/* ------------------------------------------------------------------ time */

int __real_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time);
int __real_poll(struct pollfd *polls, nfds_t count, int ms);
int __wrap_poll(struct pollfd *polls, nfds_t count, int ms);

int
__wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
    if (clock != CLOCK_MONOTONIC || world.now == 0)
        return __real_clock_gettime(clock, time);
    time->tv_sec = world.now / 1000;
    time->tv_nsec = world.now % 1000 * 1000000;
    return 0;
}

int
__wrap_poll(struct pollfd *polls, nfds_t count, int ms)
{
    int ready;

    if (world.now == 0)
        return __real_poll(polls, count, ms);
    while ((ready = __real_poll(polls, count, 0)) == 0)
        if (world.while_waiting == NULL || !world.while_waiting())
            break;
    if (ready == 0)
        world.now += ms > 0 ? ms : 1000;
    return ready;
}

/* ------------------------------------------------------------------ the wire, in place of TLS */

struct wire {
    doip_stream base;
    bool shaken;
    char record[WORLD_RECORD]; /* as TLS does, it takes more off the socket than is asked for */
    size_t at, end;
};

static int
wire_fill(struct wire *wire)
{
    ssize_t n = recv(wire->base.fd, wire->record, sizeof wire->record, MSG_DONTWAIT);

    wire->at = 0;
    wire->end = n > 0 ? (size_t)n : 0;
    if (n < 0 && errno == EAGAIN) {
        wire->base.wants = DOIP_WANT_READ;
        return DOIP_E_AGAIN;
    }
    return n < 0 ? stream_fail(&wire->base, DOIP_E_BROKEN, "%s", strerror(errno)) : n > 0;
}

static ssize_t
wire_read(doip_stream *stream, void *data, size_t size)
{
    struct wire *wire = (struct wire *)stream;
    int n = wire->at < wire->end ? 1 : wire_fill(wire);

    if (n <= 0)
        return n;
    if (size > wire->end - wire->at)
        size = wire->end - wire->at;
    memcpy(data, wire->record + wire->at, size);
    wire->at += size;
    return (ssize_t)size;
}

static ssize_t
wire_write(doip_stream *stream, const void *data, size_t size)
{
    ssize_t n;

    if (world.write_most > 0 && size > world.write_most)
        size = world.write_most;
    n = send(stream->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) {
        stream->wants = DOIP_WANT_WRITE;
        return DOIP_E_AGAIN;
    }
    return n < 0 ? stream_fail(stream, DOIP_E_BROKEN, "%s", strerror(errno)) : n;
}

static int
wire_finish(doip_stream *stream)
{
    shutdown(stream->fd, SHUT_WR);
    return 0;
}

static bool
wire_pending(doip_stream *stream)
{
    return ((struct wire *)stream)->at < ((struct wire *)stream)->end;
}

static void
wire_free(doip_stream *stream)
{
    close(stream->fd);
    free(stream);
}

doip_stream *
doip_tls_server(SSL_CTX *context, int fd)
{
    static const struct doip_stream_ops ops = {wire_read, wire_write, wire_finish, wire_pending,
                                               wire_free};
    struct wire *wire = calloc(1, sizeof *wire);

    (void)context;
    stream_init(&wire->base, &ops, fd);
    return &wire->base;
}

/* Its whole handshake is a byte: T, anything else is refused. */
int
doip_tls_handshake(doip_stream *stream)
{
    char byte;
    ssize_t n = doip_stream_read(stream, &byte, 1);

    if (n < 0)
        return (int)n;
    if (n == 0)
        return stream_fail(stream, DOIP_E_BROKEN,
                           "the client ended the connection during the handshake");
    return byte == 'T' ? 0 : stream_fail(stream, DOIP_E_TLS, "no handshake");
}

int
doip_tls_refuse(doip_stream *stream)
{
    if (send(stream->fd, "!", 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1)
        return stream_fail(stream, DOIP_E_BROKEN, "%s", strerror(errno));
    shutdown(stream->fd, SHUT_WR);
    return 0;
}

SSL *
doip_tls_ssl(const doip_stream *stream)
{
    (void)stream;
    return world.ssl;
}

/* What else tls.h promises, which no connection of ours calls. */
doip_stream *
doip_tls_client(SSL_CTX *context, int fd, const char *host)
{
    (void)context, (void)fd, (void)host;
    abort();
}

bool
doip_tls_prepare(SSL_CTX *context, const char *min_version)
{
    (void)context, (void)min_version;
    return true;
}

const char *
doip_tls_error(void)
{
    return "no TLS here";
}

/* ------------------------------------------------------------------ the pool */

bool
pool_init(struct pool *pool, int threads_most, int processes, struct score_worker *score)
{
    (void)threads_most, (void)processes;
    memset(pool, 0, sizeof *pool);
    pool->score = score;
    pool->epoll = epoll_create1(EPOLL_CLOEXEC);
    world.last = &world.first;
    return pool->epoll >= 0;
}

bool
pool_start(struct pool *pool)
{
    return pool != NULL;
}

bool
pool_enter(struct pool *pool, struct pool_waiting *waiting, unsigned kind)
{
    (void)kind;
    if (world.pool_full) {
        pool_queue(pool, waiting);
        return false;
    }
    world.busy++;
    return true;
}

bool
pool_runs_now(struct pool *pool, unsigned kind)
{
    (void)pool, (void)kind;
    return world.quick && !world.pool_full;
}

void
pool_leave(struct pool *pool, unsigned kind)
{
    (void)pool, (void)kind;
    world.busy--;
}

void
pool_queue(struct pool *pool, struct pool_waiting *waiting)
{
    (void)pool;
    waiting->next = NULL;
    *world.last = waiting;
    world.last = &waiting->next;
}

void
pool_give_way(struct pool *pool)
{
    (void)pool;
}

struct score_thread *
pool_score(void)
{
    return &world.worker.score->threads[0];
}

void
pool_stop(struct pool *pool)
{
    close(pool->epoll);
}

/* ------------------------------------------------------------------ the world */

/* `overrides`: the configuration, as of -o; NULL-ended. Time stands from here on. */
static inline void
world_start(const char *const *overrides)
{
    char reason[1024] = "";
    struct config_source source = {.overrides = overrides};
    struct config *config = config_load(&source, reason, sizeof reason);
    struct worker *worker = &world.worker;

    if (config == NULL || !addresses_init() || !throttle_init() || !metrics_init() ||
        !scoreboard_init(&world.board, 1, score_parts(2), 64) ||
        !authenticator_init(&worker->authenticator, &config->users, 1)) {
        fprintf(stderr, "no world: %s\n", reason);
        abort();
    }
    world.context = SSL_CTX_new(TLS_server_method());
    world.ssl = SSL_new(world.context);
    world.setup = (struct worker_setup){.config = config, .board = &world.board};
    world.now = clock_ms();
    worker->setup = &world.setup;
    worker->config = config;
    worker->service =
        json_pack("{s:s, s:s}", "id", WORLD_SERVICE, "type", "0.TYPE/DOIPServiceInfo");
    worker->score = scoreboard_worker(&world.board, 0);
    worker->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&worker->serial, NULL);
    pthread_mutex_init(&worker->lock, NULL);
    if (!pool_init(&worker->pool, 2, 1, worker->score) ||
        !held_init(&worker->held, &worker->score->threads[score_held(2)], 2))
        abort();
}

/* A client's end of a new connection. */
static inline int
world_connect(unsigned port)
{
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int ends[2], room = 8192;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        abort();
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room); /* little: answers get stuck */
    connection_start(&world.worker, ends[0], (struct sockaddr *)&from, sizeof from);
    return ends[1];
}

/* Gives leave to those who wait for a thread. */
static inline void
world_release(void)
{
    struct pool_waiting *waiting;

    while ((waiting = world.first) != NULL && !world.pool_full) {
        world.first = waiting->next;
        if (world.first == NULL)
            world.last = &world.first;
        world.busy++;
        waiting->run(waiting);
    }
}

/* What the pool's threads would do, until nothing more is ready: false when that never ends. */
static inline bool
world_turn(void)
{
    struct epoll_event event;

    for (int turns = 0; turns < WORLD_TURNS; turns++) {
        world_release();
        if (epoll_wait(world.worker.pool.epoll, &event, 1, 0) != 1)
            return true;
        ((struct source *)event.data.ptr)->ready(event.data.ptr);
    }
    return false;
}

/* Time passes, and the control thread looks. */
static inline void
world_wait(int64_t ms)
{
    world.now += ms;
    connections_sweep(&world.worker, world.now, atomic_load(&world.worker.draining) ? 0 : -1);
}

#endif
