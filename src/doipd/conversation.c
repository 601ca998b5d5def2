/*
 * The phases of a connection: see conversation.h. Runs in the worker's pool threads. Only PHASE_RUN waits in the thread; every other step
 * that would have to wait parks the connection. Here are its beginning, its end, and what becomes of it when time is over; requests
 * are in conversation_request.c and conversation_answer.c.
 */
#include <errno.h>
#include <sys/socket.h>

#include "clock.h"
#include "conversation_impl.h"
#include "handshake.h"

enum {
    RATE_GRACE_MS = 30000,
    LINGER_MS = 2000,
    SCRAP = 16384,
};

/* ------------------------------------------------------------------ handshake */

static enum step
handshake_failed(struct connection *connection, int error)
{
    static const char when[] = "in the TLS handshake";

    handshake_count_failure(error);
    if (error == DOIP_E_TIMEOUT)
        return step_give_up_on(connection, METRICS_CLOSED_HANDSHAKE, when,
                               "it took longer than timeouts.handshake");
    return step_break_off(connection, METRICS_CLOSED_HANDSHAKE, when,
                          doip_stream_reason(connection->stream));
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

    doip_reader_set_rate(connection->reader, config->limits.body_rate,
                         grace_ms(config->timeouts.read));
    doip_writer_set_rate(connection->writer, config->limits.body_rate,
                         grace_ms(config->timeouts.write));
    if (config->limits.json_depth < DOIP_JSON_DEPTH_MOST)
        doip_reader_set_depth(connection->reader, (unsigned)config->limits.json_depth);
}

static enum step
step_handshake(struct connection *connection)
{
    const struct config *config = connection->worker->config;
    int n = handshake_go_on(connection);

    if (n == DOIP_E_AGAIN)
        return step_park(connection, doip_stream_wants(connection->stream),
                         connection->phase_deadline - clock_ms());
    if (n < 0)
        return handshake_failed(connection, n);
    connection->reader = doip_reader_new(connection->stream, config->limits.json_segment);
    connection->writer = doip_writer_new(connection->stream);
    if (connection->reader == NULL || connection->writer == NULL)
        return step_break_off(connection, METRICS_CLOSED_RESOURCES, "after the TLS handshake",
                              "out of memory");
    set_limits(connection);
    return step_enter(connection, PHASE_HEAD);
}

/* ------------------------------------------------------------------ the end */

static enum step
linger(struct connection *connection)
{
    connection->phase_deadline = clock_ms() + LINGER_MS;
    connection->budget = connection->worker->config->limits.unread;
    return step_enter(connection, PHASE_LINGER);
}

static enum step
step_finish(struct connection *connection)
{
    int n;

    connection_show(connection, SCORE_CLOSING);
    n = doip_stream_finish(connection->stream);

    if (n == DOIP_E_AGAIN)
        return step_park(connection, doip_stream_wants(connection->stream), LINGER_MS);
    if (n < 0)
        return step_break_off(connection, METRICS_CLOSED_ANSWER_BROKEN, "at its end",
                              doip_stream_reason(connection->stream));
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
            return step_park(connection, DOIP_WANT_READ, left);
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
    connection->phase_deadline =
        clock_ms() + wait_span_ms(connection->worker->config->timeouts.handshake);
    step_park(connection, DOIP_WANT_READ, connection->phase_deadline - clock_ms());
}

void
conversation_refuse(struct connection *connection, unsigned count)
{
    struct worker *worker = connection->worker;
    unsigned most = (unsigned)worker->config->limits.connections_per_address;

    log_write(worker_may_say(&worker->address_said) ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
              LOG_KIND_ADDRESS_FULL,
              "%s: connection refused: limits.connections_per_address = %u is reached",
              connection->address, most);
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
        [PHASE_HANDSHAKE] = step_handshake, [PHASE_HEAD] = step_head,
        [PHASE_BODY] = step_body,           [PHASE_RUN] = step_run,
        [PHASE_FLUSH] = step_flush,         [PHASE_DISCARD] = step_discard,
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
    doip_response *response =
        connection->request != NULL ? doip_request_response(connection->request) : NULL;

    if (response == NULL || connection->phase == PHASE_DISCARD) {
        step_give_up_on(connection, METRICS_CLOSED_REQUEST_TIMEOUT, "inside a request",
                        CONVERSATION_REQUEST_SLOW);
        return;
    }
    request_ends_for_slowness(connection);
    if (connection->phase == PHASE_HEAD)
        request_begins(connection);
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
    step_give_up_on(connection, METRICS_CLOSED_ANSWER_TIMEOUT, "inside an answer",
                    CONVERSATION_ANSWER_SLOW);
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
            step_end_in_order(connection, connection->crowded_out ? METRICS_CLOSED_CROWDED
                                                                  : METRICS_CLOSED_IDLE);
        break;
    case PHASE_RUN:
    case PHASE_FLUSH:
        answer_timed_out(connection);
        break;
    case PHASE_FINISH:
    case PHASE_LINGER:
        connection_close(connection, connection->ending);
        break;
    case PHASE_DISCARD:
        if (connection->waits_for == DOIP_WANT_WRITE) {
            answer_timed_out(connection);
            break;
        }
        /* fall through */
    default:
        request_timed_out(connection);
        break;
    }
}
