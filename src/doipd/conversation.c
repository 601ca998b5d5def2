/*
 * The phases of a connection: see conversation.h. Runs in the worker's pool threads. Only PHASE_RUN waits in the thread; every other step
 * that would have to wait parks the connection.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "clock.h"
#include "conversation.h"
#include "dispatch.h"
#include "handshake.h"

enum {
    SMALL_BODY = 65536,   /* a request up to this size is whole before a handler runs */
    RATE_GRACE_MS = 30000,
    LINGER_MS = 2000,
    HELD_BACK = 16384, /* answers to pipelined requests go out together up to this size: a TLS record */
    SCRAP = 16384,
};

static const char request_slow[] = "the client sent nothing for timeouts.read, or less than limits.body_rate";
static const char answer_slow[] = "the client read nothing for timeouts.write, or less than limits.body_rate";

/* No deadline: some three hundred years. */
#define FOREVER_MS (INT64_C(10000000000000))

/* Whether the connection is still the calling thread's. */
enum step { STEP_NEXT, STEP_LEFT };

static int64_t
span_ms(int seconds)
{
    return seconds > 0 ? (int64_t)seconds * 1000 : FOREVER_MS;
}

static int
wait_ms(int seconds)
{
    return seconds > 0 ? seconds * 1000 : -1;
}

static enum step
park(struct connection *connection, int wants, int64_t ms)
{
    connection_park(connection, wants, ms);
    return STEP_LEFT;
}

/* `cause`: METRICS_CLOSED_…. */
static enum step
break_off(struct connection *connection, enum metrics_counter cause, const char *when, const char *why)
{
    log_info(CONNECTION_ENDED, "%s: connection ended %s: %s", connection->address, when, why);
    connection_close(connection, cause);
    return STEP_LEFT;
}

/* The same where it is the client's slowness that ends it. */
static enum step
give_up_on(struct connection *connection, enum metrics_counter cause, const char *when, const char *why)
{
    log_info(CLIENT_SLOW, "%s: connection ended %s: %s", connection->address, when, why);
    connection_close(connection, cause);
    return STEP_LEFT;
}

static enum step
enter(struct connection *connection, enum phase phase)
{
    connection->phase = phase;
    return STEP_NEXT;
}

/* ------------------------------------------------------------------ handshake */

static enum step
handshake_failed(struct connection *connection, int error)
{
    static const char when[] = "in the TLS handshake";

    handshake_count_failure(error);
    if (error == DOIP_E_TIMEOUT)
        return give_up_on(connection, METRICS_CLOSED_HANDSHAKE, when, "it took longer than timeouts.handshake");
    return break_off(connection, METRICS_CLOSED_HANDSHAKE, when, doip_stream_reason(connection->stream));
}

/* How far a client may fall behind limits.body_rate: no less than it may be silent. */
static int
grace_ms(int timeout)
{
    return timeout * 1000 > RATE_GRACE_MS ? timeout * 1000 : RATE_GRACE_MS;
}

static void
set_limits(struct connection *connection)
{
    const struct config *config = connection->worker->config;

    doip_reader_set_rate(connection->reader, config->limits.body_rate, grace_ms(config->timeouts.read));
    doip_writer_set_rate(connection->writer, config->limits.body_rate, grace_ms(config->timeouts.write));
    if (config->limits.json_depth < DOIP_JSON_DEPTH_MOST)
        doip_reader_set_depth(connection->reader, (unsigned)config->limits.json_depth);
}

static enum step
step_handshake(struct connection *connection)
{
    const struct config *config = connection->worker->config;
    int n = handshake_go_on(connection);

    if (n == DOIP_E_AGAIN)
        return park(connection, doip_stream_wants(connection->stream), connection->phase_deadline - clock_ms());
    if (n < 0)
        return handshake_failed(connection, n);
    connection->reader = doip_reader_new(connection->stream, config->limits.json_segment);
    connection->writer = doip_writer_new(connection->stream);
    if (connection->reader == NULL || connection->writer == NULL)
        return break_off(connection, METRICS_CLOSED_RESOURCES, "after the TLS handshake", "out of memory");
    set_limits(connection);
    return enter(connection, PHASE_HEAD);
}

/* ------------------------------------------------------------------ a request comes in */

/*
 * Clients that write a request in small pieces without TCP_NODELAY (the Python SDK) send the next one only when the last is
 * acknowledged, and the kernel delays that by 40 ms. The rest of a request is worth an acknowledgement at once.
 */
static void
acknowledge(const struct connection *connection)
{
    int on = 1;

    setsockopt(doip_stream_fd(connection->stream), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

static int64_t
sooner(int64_t ms, int64_t patience)
{
    return patience >= 0 && patience < ms ? patience : ms;
}

int64_t
conversation_answer_ms(struct connection *connection)
{
    return sooner(span_ms(connection->worker->config->timeouts.write), doip_writer_patience(connection->writer));
}

static enum step
park_writing(struct connection *connection)
{
    connection_show(connection, SCORE_WRITING);
    return park(connection, doip_stream_wants(connection->stream), conversation_answer_ms(connection));
}

/*
 * Sends answers that were held back (step_flush), as whoever waits for the client or for a handler must: true when none is left. Else the
 * connection is parked until the client reads, and the phase begins again; or is gone.
 */
static bool
sent_all(struct connection *connection)
{
    int n = doip_writer_buffered(connection->writer) > 0 ? doip_writer_flush(connection->writer) : 0;

    if (n == DOIP_E_AGAIN)
        park_writing(connection);
    else if (n < 0)
        break_off(connection, METRICS_CLOSED_ANSWER_BROKEN, "inside an answer", doip_writer_reason(connection->writer));
    return n == 0;
}

static enum step
park_reading(struct connection *connection)
{
    int64_t ms = span_ms(connection->worker->config->timeouts.read);

    if (!sent_all(connection))
        return STEP_LEFT;
    acknowledge(connection);
    connection_show(connection, SCORE_READING);
    return park(connection, doip_stream_wants(connection->stream), sooner(ms, doip_reader_patience(connection->reader)));
}

static enum step
park_idle(struct connection *connection)
{
    doip_request_free(&connection->request);
    doip_reader_shrink(connection->reader);
    if (!sent_all(connection))
        return STEP_LEFT;
    connection_show(connection, SCORE_IDLE);
    return park(connection, DOIP_WANT_READ, span_ms(connection->worker->config->timeouts.idle));
}

static enum step
end_in_order(struct connection *connection, enum metrics_counter cause)
{
    if (!sent_all(connection))
        return STEP_LEFT;
    doip_stream_finish(connection->stream);
    connection_close(connection, cause);
    return STEP_LEFT;
}

/* Where the answers end that were written, whether or not they have left. */
static uint64_t
answered_bytes(const struct connection *connection)
{
    return doip_stream_bytes_out(connection->stream) + doip_writer_buffered(connection->writer);
}

static void
begin_request(struct connection *connection)
{
    connection->number++;
    connection->caller = (struct caller){.pass = {.waiting = &connection->waiting}};
    connection->request_began = clock_lately_us();
}

static enum step
step_head(struct connection *connection)
{
    int n;

    if (connection->request == NULL) {
        connection->bytes_in_before = doip_stream_bytes_in(connection->stream);
        connection->bytes_out_before = answered_bytes(connection);
        connection->request = doip_request_new(connection->reader, connection->writer,
                                               connection->worker->config->service.id, &connection->peer);
    }
    if (connection->request == NULL)
        return break_off(connection, METRICS_CLOSED_RESOURCES, "before a request", "out of memory");
    n = doip_request_head(connection->request);
    if (n == DOIP_E_AGAIN)
        return doip_reader_idle(connection->reader) ? park_idle(connection) : park_reading(connection);
    if (n == 0)
        return end_in_order(connection, METRICS_CLOSED_ORDERLY);
    begin_request(connection);
    if (n > 0)
        return enter(connection, PHASE_BODY);
    if (n != DOIP_E_CONTENT && n != DOIP_E_FRAMING && n != DOIP_E_LIMIT && n != DOIP_E_MEMORY)
        return break_off(connection, METRICS_CLOSED_REQUEST_BROKEN,
                         doip_reader_idle(connection->reader) ? "between requests" : "inside a request",
                         doip_reader_reason(connection->reader));
    connection->outcome = doip_response_end(doip_request_response(connection->request), DOIP_FAILED);
    return enter(connection, PHASE_FLUSH);
}

static enum step
step_body(struct connection *connection)
{
    if (doip_reader_ahead(connection->reader, SMALL_BODY) == DOIP_E_AGAIN)
        return park_reading(connection);
    return enter(connection, PHASE_RUN);
}

/* ------------------------------------------------------------------ and is answered */

static void
count(const struct connection *connection, const struct log_access *access)
{
    metrics_request(&(struct metrics_request){.operation = access->operation,
                                              .status = access->status,
                                              .microseconds = (uint64_t)access->microseconds,
                                              .bytes_in = access->bytes_in,
                                              .bytes_out = access->bytes_out});
    atomic_fetch_add_explicit(&connection->worker->score->requests, 1, memory_order_relaxed);
    score_connection_count(connection->score, access->client != NULL ? access->client : "", access->number,
                           doip_stream_bytes_in(connection->stream), doip_stream_bytes_out(connection->stream));
}

static void
account(struct connection *connection)
{
    doip_request *request = connection->request;
    doip_response *response = doip_request_response(request);
    struct log_access access = {
        .peer = connection->address,
        .client = doip_request_client(request),
        .actor = connection->caller.actor,
        .operation = doip_request_operation(request),
        .target = doip_request_target(request),
        .status = doip_response_status(response),
        .message = doip_response_message(response),
        .tls = connection_tls_version(connection),
        .bytes_in = doip_stream_bytes_in(connection->stream) - connection->bytes_in_before,
        .bytes_out = answered_bytes(connection) - connection->bytes_out_before,
        .microseconds = clock_us() - connection->request_began,
        .number = connection->number,
    };

    log_access(&access);
    count(connection, &access);
}

static enum step
broken_answer(struct connection *connection)
{
    const char *message = doip_response_message(doip_request_response(connection->request));

    account(connection);
    if (doip_writer_error(connection->writer) == DOIP_E_TIMEOUT)
        return give_up_on(connection, METRICS_CLOSED_ANSWER_TIMEOUT, "inside an answer", answer_slow);
    return break_off(connection, METRICS_CLOSED_ANSWER_BROKEN, "inside an answer",
                     message[0] != '\0' ? message : doip_writer_reason(connection->writer));
}

/* Requests for the same operation are taken to last alike long (FNV-1a of its id), but for what credentials cost. */
static unsigned
request_kind(const doip_request *request)
{
    unsigned hash = doip_request_authentication(request) != NULL ? 2166136262u : 2166136261u;

    for (const char *at = doip_request_operation(request); *at != '\0'; at++)
        hash = (hash ^ (unsigned char)*at) * 16777619u;
    return hash;
}

/* The connection goes on only to say why it ends. */
static void
ends_for_slowness(struct connection *connection)
{
    log_info(CLIENT_SLOW, "%s: connection ends inside a request: %s", connection->address, request_slow);
    connection->ending = METRICS_CLOSED_REQUEST_TIMEOUT;
}

static enum step
step_run(struct connection *connection)
{
    struct worker *worker = connection->worker;
    doip_response *response = doip_request_response(connection->request);
    unsigned kind = request_kind(connection->request);
    doip_result result;
    bool later;

    if (!connection->may_run && doip_writer_buffered(connection->writer) > 0 && !pool_runs_now(&worker->pool, kind) &&
        !sent_all(connection))
        return STEP_LEFT;
    connection_show(connection, SCORE_RUNNING);
    if (!connection->may_run && !pool_enter(&worker->pool, &connection->waiting, kind))
        return STEP_LEFT;
    connection->may_run = false;
    result = authenticate(worker, connection->request, &connection->peer, &connection->caller, &later);
    if (later) {
        pool_leave(&worker->pool, kind);
        return STEP_LEFT;
    }
    doip_stream_set_waits(connection->stream, wait_ms(worker->config->timeouts.read),
                          wait_ms(worker->config->timeouts.write));
    if (result == DOIP_OK)
        result = dispatch(worker, connection->request, response);
    connection->outcome = doip_response_end(response, result);
    doip_stream_set_waits(connection->stream, 0, 0);
    pool_leave(&worker->pool, kind);
    if (connection->outcome != DOIP_OUTCOME_BROKEN && doip_request_timed_out(connection->request))
        ends_for_slowness(connection);
    return enter(connection, PHASE_FLUSH);
}

/* True when this is the last request that the connection may carry. */
static bool
is_last(const struct connection *connection)
{
    uint64_t most = (uint64_t)connection->worker->config->limits.requests_per_connection;

    return most > 0 && connection->number >= most;
}

/* The answer may wait for the next one, which the client has asked for already. */
static bool
may_hold_back(const struct connection *connection)
{
    return connection->outcome == DOIP_OUTCOME_COMPLETE && !is_last(connection) && doip_message_ended(doip_request_message(connection->request)) &&
           doip_reader_buffered(connection->reader) && doip_writer_buffered(connection->writer) < HELD_BACK;
}

static enum step
step_flush(struct connection *connection)
{
    int n;

    if (connection->outcome == DOIP_OUTCOME_BROKEN)
        return broken_answer(connection);
    n = may_hold_back(connection) ? 0 : doip_writer_flush(connection->writer);
    if (n == DOIP_E_AGAIN)
        return park_writing(connection);
    if (n < 0)
        return broken_answer(connection);
    account(connection);
    if (connection->outcome == DOIP_OUTCOME_CLOSE)
        return enter(connection, PHASE_FINISH);
    connection->budget = connection->worker->config->limits.unread;
    return enter(connection, PHASE_DISCARD);
}

/* ------------------------------------------------------------------ what is left over */

static enum step
next_request(struct connection *connection)
{
    doip_request_free(&connection->request);
    if (is_last(connection)) {
        connection->ending = METRICS_CLOSED_REQUESTS;
        return enter(connection, PHASE_FINISH);
    }
    if (atomic_load(&connection->worker->last_call) && !doip_reader_buffered(connection->reader))
        return enter(connection, PHASE_FINISH);
    connection->phase = PHASE_HEAD;
    /* Nothing here: the epoll set tells when there is, without a read that finds nothing. */
    if (!doip_reader_buffered(connection->reader))
        return park_idle(connection);
    return STEP_NEXT;
}

static enum step
step_discard(struct connection *connection)
{
    int n = doip_message_discard(doip_request_message(connection->request), &connection->budget);

    switch (n) {
    case 0:
        return next_request(connection);
    case DOIP_E_AGAIN:
        return park_reading(connection);
    case DOIP_E_LIMIT:
    case DOIP_E_FRAMING:
        return enter(connection, PHASE_FINISH);
    default:
        return break_off(connection, METRICS_CLOSED_REQUEST_BROKEN, "inside a request",
                         doip_reader_reason(connection->reader));
    }
}

static enum step
linger(struct connection *connection)
{
    connection->phase_deadline = clock_ms() + LINGER_MS;
    connection->budget = connection->worker->config->limits.unread;
    return enter(connection, PHASE_LINGER);
}

static enum step
step_finish(struct connection *connection)
{
    int n;

    connection_show(connection, SCORE_CLOSING);
    n = doip_stream_finish(connection->stream);

    if (n == DOIP_E_AGAIN)
        return park(connection, doip_stream_wants(connection->stream), LINGER_MS);
    if (n < 0)
        return break_off(connection, METRICS_CLOSED_ANSWER_BROKEN, "at its end", doip_stream_reason(connection->stream));
    return linger(connection);
}

static enum step
step_linger(struct connection *connection)
{
    int fd = doip_stream_fd(connection->stream);
    char scrap[SCRAP];

    while (connection->budget > 0) {
        ssize_t n = recv(fd, scrap, sizeof scrap, MSG_DONTWAIT);
        int64_t left = connection->phase_deadline - clock_ms();

        if (n < 0 && errno == EAGAIN && left > 0)
            return park(connection, DOIP_WANT_READ, left);
        if (n <= 0 || left <= 0)
            break;
        connection->budget -= (uint64_t)n < connection->budget ? (uint64_t)n : connection->budget;
    }
    connection_close(connection, connection->ending);
    return STEP_LEFT;
}

/* ------------------------------------------------------------------ entries */

void
conversation_begin(struct connection *connection)
{
    connection->phase = PHASE_HANDSHAKE;
    connection->phase_deadline = clock_ms() + span_ms(connection->worker->config->timeouts.handshake);
    park(connection, DOIP_WANT_READ, connection->phase_deadline - clock_ms());
}

void
conversation_refuse(struct connection *connection, unsigned count)
{
    struct worker *worker = connection->worker;
    unsigned most = (unsigned)worker->config->limits.connections_per_address;

    log_write(worker_may_say(&worker->address_said) ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, LOG_KIND_ADDRESS_FULL,
              "%s: connection refused: limits.connections_per_address = %u is reached", connection->address, most);
    connection->ending = METRICS_CLOSED_ADDRESS;
    if (count > 2 * most || doip_tls_refuse(connection->stream) < 0) {
        connection_close(connection, METRICS_CLOSED_ADDRESS);
        return;
    }
    linger(connection);
    conversation_go_on(connection);
}

void
conversation_go_on(struct connection *connection)
{
    static enum step (*const steps[])(struct connection *) = {
        [PHASE_HANDSHAKE] = step_handshake, [PHASE_HEAD] = step_head,       [PHASE_BODY] = step_body,
        [PHASE_RUN] = step_run,             [PHASE_FLUSH] = step_flush,     [PHASE_DISCARD] = step_discard,
        [PHASE_FINISH] = step_finish,       [PHASE_LINGER] = step_linger,
    };

    while (steps[connection->phase](connection) == STEP_NEXT)
        ;
}

/* Something may have come in just when the time was over: it is answered. */
static bool
has_input(const struct connection *connection)
{
    char byte;

    return recv(doip_stream_fd(connection->stream), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* What was not answered yet is: a client may have a fault that it can learn of. */
static void
request_timed_out(struct connection *connection)
{
    doip_response *response = connection->request != NULL ? doip_request_response(connection->request) : NULL;

    if (response == NULL || connection->phase == PHASE_DISCARD) {
        give_up_on(connection, METRICS_CLOSED_REQUEST_TIMEOUT, "inside a request", request_slow);
        return;
    }
    ends_for_slowness(connection);
    if (connection->phase == PHASE_HEAD)
        begin_request(connection);
    doip_fail_invalid(response, "The request did not arrive in time.");
    connection->outcome = doip_response_end(response, DOIP_FAILED);
    if (connection->outcome == DOIP_OUTCOME_COMPLETE)
        connection->outcome = DOIP_OUTCOME_CLOSE;
    connection->phase = PHASE_FLUSH;
    conversation_go_on(connection);
}

static void
answer_timed_out(struct connection *connection)
{
    give_up_on(connection, METRICS_CLOSED_ANSWER_TIMEOUT, "inside an answer", answer_slow);
}

void
conversation_expired(struct connection *connection)
{
    switch (connection->phase) {
    case PHASE_HANDSHAKE:
        handshake_failed(connection, DOIP_E_TIMEOUT);
        break;
    case PHASE_HEAD:
        if (doip_writer_buffered(connection->writer) > 0)
            answer_timed_out(connection);
        else if (!doip_reader_idle(connection->reader))
            request_timed_out(connection);
        else if (has_input(connection))
            conversation_go_on(connection);
        else
            end_in_order(connection, connection->crowded_out ? METRICS_CLOSED_CROWDED : METRICS_CLOSED_IDLE);
        break;
    case PHASE_RUN:
    case PHASE_FLUSH:
        answer_timed_out(connection);
        break;
    case PHASE_FINISH:
    case PHASE_LINGER:
        connection_close(connection, connection->ending);
        break;
    default:
        request_timed_out(connection);
        break;
    }
}
