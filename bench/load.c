/*
 * The load: see load.h. A connection keeps up to `depth` requests under way. With a rate, each request has a time at which it is due, and its latency counts
 * from there, whether or not it could be sent then: a server that stalls is charged for all who would have waited (no coordinated
 * omission). Without a rate it counts from the sending.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <doip/segment.h>
#include <doip/tls.h>

#include "http.h"
#include "load.h"

enum { EVENTS = 64, DEPTH_MOST = 1024, JSON_LIMIT = 64 * 1024 * 1024, WAIT_MOST_US = 100000 };

struct thread {
    const struct load *load;
    struct result result;
    struct connection *connections;
    unsigned count;
    int epoll;
    uint64_t begin; /* µs: counting begins */
    uint64_t end;
    unsigned random;
    pthread_t id;
};

struct connection {
    struct thread *thread;
    doip_stream *stream;
    doip_reader *reader; /* of a DOIP service's answers */
    struct http *http;   /* of a web server's */
    SSL_SESSION *session;
    bool connected;  /* the handshake is done */
    bool head_seen;  /* of the answer that comes in */
    bool failed;     /* that answer's status is not success */
    uint32_t armed;  /* events asked of epoll */
    const char *out; /* what is left to be written of the request being sent */
    size_t out_left;
    char *stamped; /* a copy of a request, with a stamp of its own */
    const struct request *stamped_of;
    unsigned under_way;
    unsigned first; /* of the times below, a ring */
    uint64_t *due;  /* µs: from when each request under way counts */
    double next;    /* µs: when the next request is due, with a rate */
};

static uint64_t
now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void
problem(struct thread *thread, const char *what, const char *why)
{
    if (thread->result.first_problem[0] == '\0')
        snprintf(thread->result.first_problem, sizeof thread->result.first_problem, "%s: %s", what,
                 why);
}

/* ------------------------------------------------------------------ connections */

static void
keep_session(struct connection *connection)
{
    SSL_SESSION *session = SSL_get1_session(doip_tls_ssl(connection->stream));

    SSL_SESSION_free(connection->session);
    connection->session = session;
}

static void
hang_up(struct connection *connection)
{
    struct thread *thread = connection->thread;

    if (connection->stream == NULL)
        return;
    if (connection->connected && thread->load->resume)
        keep_session(connection);
    if (now_us() >= thread->begin) {
        thread->result.bytes_in += doip_stream_bytes_in(connection->stream);
        thread->result.bytes_out += doip_stream_bytes_out(connection->stream);
    }
    if (connection->connected)
        doip_stream_finish(connection->stream);
    doip_reader_free(&connection->reader);
    free(connection->http);
    connection->http = NULL;
    doip_stream_free(&connection->stream);
    connection->connected = connection->head_seen = false;
    connection->armed = 0;
    connection->out_left = 0;
    connection->under_way = 0;
}

static bool
dial(struct connection *connection)
{
    const struct load *load = connection->thread->load;
    int fd = socket(load->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

    if (fd < 0 || (connect(fd, (const struct sockaddr *)&load->address, load->address_length) < 0 &&
                   errno != EINPROGRESS)) {
        problem(connection->thread, "connect", strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connection->stream = doip_tls_client(load->tls, fd, NULL);
    if (connection->stream == NULL)
        return false;
    if (load->http)
        connection->http = calloc(1, sizeof *connection->http); /* -fanalyzer: it stays with the connection, whose close frees it */
    else
        connection->reader = doip_reader_new(connection->stream, JSON_LIMIT);
    if (connection->http == NULL && connection->reader == NULL)
        return false;
    doip_stream_set_waits(connection->stream, 0, 0);
    if (load->resume && connection->session != NULL)
        SSL_set_session(doip_tls_ssl(connection->stream), connection->session);
    return true;
}

static void
arm(struct connection *connection, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};
    int how = connection->armed == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

    if (connection->armed != events)
        epoll_ctl(connection->thread->epoll, how, doip_stream_fd(connection->stream), &event);
    connection->armed = events;
}

static void
redial(struct connection *connection)
{
    hang_up(connection);
    if (dial(connection))
        arm(connection, EPOLLOUT);
}

static void
broke(struct connection *connection, const char *what, const char *why)
{
    problem(connection->thread, what, why);
    connection->thread->result.broken++;
    redial(connection);
}

/* ------------------------------------------------------------------ requests */

static const struct request *
choose(struct thread *thread)
{
    const struct load *load = thread->load;
    unsigned ticket;

    thread->random = thread->random * 1103515245u + 12345u;
    ticket = (thread->random >> 8) % load->weights;
    for (size_t i = 0;; i++) {
        if (ticket < load->requests[i].weight)
            return &load->requests[i];
        ticket -= load->requests[i].weight;
    }
}

/* True when another request may begin now; *due says from when it counts. */
static bool
may_begin(struct connection *connection, uint64_t now, uint64_t *due)
{
    const struct load *load = connection->thread->load;

    *due = now;
    if (connection->under_way >= load->depth || (load->close && connection->under_way > 0))
        return false;
    if (load->rate == 0)
        return true;
    if ((double)now < connection->next)
        return false;
    *due = (uint64_t)connection->next;
    connection->next += 1e6 * load->connections / load->rate;
    return true;
}

/* The request's bytes with digits of their own, so that no service can keep them as equal ones. */
static const char *
stamp(struct connection *connection, const struct request *request)
{
    static atomic_uint_fast64_t next;
    char digits[STAMP + 1];

    /* Large requests are not copied each time: what is measured is not the generator. */
    if (connection->stamped_of != request) {
        connection->stamped = realloc(connection->stamped, request->size);
        if (connection->stamped == NULL)
            abort();
        memcpy(connection->stamped, request->bytes, request->size);
        connection->stamped_of = request;
    }
    snprintf(digits, sizeof digits, "%014llx%010llx",
             (unsigned long long)connection->thread->begin & 0xffffffffffffff,
             (unsigned long long)atomic_fetch_add(&next, 1) & 0xffffffffff);
    memcpy(connection->stamped + request->stamp, digits, STAMP);
    return connection->stamped;
}

static void
begin(struct connection *connection, uint64_t due)
{
    const struct request *request = choose(connection->thread);
    unsigned slot = (connection->first + connection->under_way++) % DEPTH_MOST;

    connection->due[slot] = due;
    connection->out = request->stamp == 0 ? request->bytes : stamp(connection, request);
    connection->out_left = request->size;
}

/* Writes what can be written: false when the connection broke. */
static bool
write_some(struct connection *connection)
{
    uint64_t due;

    for (;;) {
        ssize_t n;

        if (connection->out_left == 0) {
            if (!may_begin(connection, now_us(), &due))
                return true;
            begin(connection, due);
        }
        n = doip_stream_write(connection->stream, connection->out, connection->out_left);
        if (n == DOIP_E_AGAIN)
            return true;
        if (n < 0) {
            broke(connection, "write", doip_stream_reason(connection->stream));
            return false;
        }
        connection->out += n;
        connection->out_left -= (size_t)n;
    }
}

static void
answered(struct connection *connection)
{
    struct thread *thread = connection->thread;
    uint64_t now = now_us(), due = connection->due[connection->first % DEPTH_MOST];

    connection->first = (connection->first + 1) % DEPTH_MOST;
    connection->under_way--;
    connection->head_seen = false;
    if (now < thread->begin || now > thread->end)
        return;
    thread->result.answers++;
    thread->result.failures += connection->failed;
    /* What was due in the warm-up waited for that: for handshakes, mostly. */
    if (due >= thread->begin)
        histogram_add(&thread->result.latency, now > due ? now - due : 0);
}

static void
look_at_head(struct connection *connection)
{
    static const char good[] = "\"0.DOIP/Status.001\"";
    size_t length;
    const char *text = doip_reader_text(connection->reader, &length);

    connection->head_seen = true;
    connection->failed = text == NULL || memmem(text, length, good, sizeof good - 1) == NULL;
    if (connection->failed && text != NULL)
        problem(connection->thread, "answer", strndupa(text, length < 200 ? length : 200));
}

/* Reads on in a DOIP service's answer: 1 when it has ended, 0 when the connection has, or a doip_error. */
static int
read_message(struct connection *connection)
{
    doip_segment kind;
    int n;

    while ((n = doip_reader_next(connection->reader, &kind)) > 0) {
        if (kind == DOIP_SEGMENT_END)
            return 1;
        if (kind == DOIP_SEGMENT_JSON && !connection->head_seen)
            look_at_head(connection);
    }
    return n;
}

static int
read_http(struct connection *connection)
{
    int n = http_answer(connection->http, connection->stream);

    connection->failed = connection->http->failed;
    if (n == 1 && connection->failed)
        problem(connection->thread, "answer", "its status is not 2xx");
    return n;
}

static const char *
why_not_read(const struct connection *connection, int error)
{
    if (error == 0)
        return "the server closed the connection";
    if (error == DOIP_E_CONTENT && connection->http != NULL)
        return "an answer without a Content-Length";
    return connection->http != NULL ? doip_stream_reason(connection->stream)
                                    : doip_reader_reason(connection->reader);
}

/* Reads what has come: false when the connection is another one now. */
static bool
read_some(struct connection *connection)
{
    while (connection->under_way > 0) {
        int n = connection->http != NULL ? read_http(connection) : read_message(connection);

        if (n == DOIP_E_AGAIN)
            return true;
        if (n <= 0) {
            broke(connection, "read", why_not_read(connection, n));
            return false;
        }
        answered(connection);
        if (connection->thread->load->close) {
            redial(connection);
            return false;
        }
    }
    return true;
}

static bool
shake_hands(struct connection *connection)
{
    int n = doip_tls_handshake(connection->stream);

    if (n == DOIP_E_AGAIN) {
        arm(connection,
            doip_stream_wants(connection->stream) == DOIP_WANT_WRITE ? EPOLLOUT : EPOLLIN);
        return false;
    }
    if (n < 0) {
        broke(connection, "handshake", doip_stream_reason(connection->stream));
        return false;
    }
    connection->connected = true;
    if (now_us() >= connection->thread->begin) {
        connection->thread->result.handshakes++;
        connection->thread->result.resumed +=
            (uint64_t)SSL_session_reused(doip_tls_ssl(connection->stream));
    }
    return true;
}

static void
go_on(struct connection *connection)
{
    if (connection->stream == NULL || (!connection->connected && !shake_hands(connection)))
        return;
    if (!read_some(connection) || !write_some(connection))
        return;
    arm(connection, connection->out_left > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* ------------------------------------------------------------------ threads */

/* With a rate: begins what has become due; gives the microseconds until the next is. */
static uint64_t
send_due(struct thread *thread)
{
    uint64_t now = now_us();
    double next = (double)thread->end;

    for (unsigned i = 0; i < thread->count; i++) {
        struct connection *connection = &thread->connections[i];

        if (connection->connected && connection->next <= (double)now)
            go_on(connection);
        if (connection->under_way < thread->load->depth && connection->next < next)
            next = connection->next;
    }
    now = now_us();
    return next > (double)now ? (uint64_t)(next - (double)now) : 0;
}

static void
start_connections(struct thread *thread)
{
    double step = thread->load->rate > 0 ? 1e6 * thread->load->connections / thread->load->rate : 0;

    for (unsigned i = 0; i < thread->count; i++) {
        struct connection *connection = &thread->connections[i];

        connection->thread = thread;
        connection->due = calloc(DEPTH_MOST, sizeof *connection->due);
        connection->next = (double)now_us() + step * i / thread->count;
        if (dial(connection))
            arm(connection, EPOLLOUT);
    }
}

/* Sleeps to the microsecond: a generator that spins until a request is due takes from the server what it measures, and what spins is made to wait
 * when it has something to do. */
static int
wait_events(struct thread *thread, struct epoll_event *events)
{
    uint64_t us = thread->load->rate > 0 ? send_due(thread) : WAIT_MOST_US;
    struct timespec wait = {.tv_nsec = (long)(us < WAIT_MOST_US ? us : WAIT_MOST_US) * 1000};

    return epoll_pwait2(thread->epoll, events, EVENTS, &wait, NULL);
}

/* With a rate: what was due and has no answer counts with what it has waited so far, or a service that stops answering would look quick. */
static void
count_unanswered(struct connection *connection)
{
    struct thread *thread = connection->thread;
    double step = 1e6 * thread->load->connections / thread->load->rate;

    for (unsigned i = 0; i < connection->under_way; i++) {
        uint64_t due = connection->due[(connection->first + i) % DEPTH_MOST];

        if (due >= thread->begin && due < thread->end)
            histogram_add(&thread->result.latency, thread->end - due);
    }
    while (connection->next < (double)thread->end) {
        if (connection->next >= (double)thread->begin)
            histogram_add(&thread->result.latency, thread->end - (uint64_t)connection->next);
        connection->next += step;
    }
}

static void *
thread_main(void *argument)
{
    struct thread *thread = argument;
    struct epoll_event events[EVENTS];

    prctl(PR_SET_TIMERSLACK, 1);
    thread->epoll = epoll_create1(EPOLL_CLOEXEC);
    start_connections(thread);
    while (now_us() < thread->end) {
        int n = wait_events(thread, events);

        for (int i = 0; i < n; i++)
            go_on(events[i].data.ptr);
    }
    for (unsigned i = 0; i < thread->count; i++) {
        if (thread->load->rate > 0)
            count_unanswered(&thread->connections[i]);
        hang_up(&thread->connections[i]);
        SSL_SESSION_free(thread->connections[i].session);
        free(thread->connections[i].due);
        free(thread->connections[i].stamped);
    }
    close(thread->epoll);
    return NULL;
}

static void
merge(struct result *into, const struct result *from)
{
    histogram_merge(&into->latency, &from->latency);
    into->answers += from->answers;
    into->failures += from->failures;
    into->broken += from->broken;
    into->handshakes += from->handshakes;
    into->resumed += from->resumed;
    into->bytes_in += from->bytes_in;
    into->bytes_out += from->bytes_out;
    if (into->first_problem[0] == '\0')
        memcpy(into->first_problem, from->first_problem, sizeof into->first_problem);
}

bool
load_run(const struct load *load, struct result *result)
{
    struct thread *threads = calloc(load->threads, sizeof *threads);
    uint64_t start = now_us();
    unsigned given = 0, started = 0;

    memset(result, 0, sizeof *result);
    for (unsigned i = 0; threads != NULL && i < load->threads; i++, started++) {
        struct thread *thread = &threads[i];

        thread->load = load;
        thread->random = i + 1;
        thread->begin = start + (uint64_t)(load->warm_up * 1e6);
        thread->end = thread->begin + (uint64_t)(load->seconds * 1e6);
        thread->count = load->connections / load->threads + (i < load->connections % load->threads);
        thread->connections = calloc(thread->count + 1, sizeof *thread->connections);
        given += thread->count;
        if (thread->connections == NULL ||
            pthread_create(&thread->id, NULL, thread_main, thread) != 0)
            break;
    }
    for (unsigned i = 0; i < started; i++) {
        pthread_join(threads[i].id, NULL);
        merge(result, &threads[i].result);
        free(threads[i].connections);
    }
    free(threads);
    result->seconds = load->seconds;
    return started == load->threads && given == load->connections;
}
