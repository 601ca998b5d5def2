/*
 * A request of a conversation is answered (conversation_impl.h): a handler runs, and what it has written goes out. In the pool's threads; only
 * step_run() may wait, in a thread that has leave to. Where the handler answers later, whichever of its threads does that has the
 * connection from then on until the answer has gone, as far as it goes without waiting; the pool has it again for what follows.
 */
#include "clock.h"
#include "conversation_impl.h"
#include "dispatch.h"

/* Answers to pipelined requests go out together up to this size: a TLS record. */
enum { HELD_BACK = 16384 };

static int
wait_ms(int seconds)
{
    return seconds > 0 ? seconds * 1000 : -1;
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

static enum step
answered(struct connection *connection, doip_result result)
{
    connection->outcome = doip_response_end(doip_request_response(connection->request), result);
    doip_stream_set_waits(connection->stream, 0, 0);
    if (connection->outcome != DOIP_OUTCOME_BROKEN && doip_request_timed_out(connection->request))
        request_ends_for_slowness(connection);
    return step_enter(connection, PHASE_FLUSH);
}

static enum step
answered_later(struct connection *connection, doip_result result)
{
    held_end(&connection->worker->held, &connection->held, result);
    doip_stream_set_waits(connection->stream, 0, 0);
    return answered(connection, result);
}

/* In a thread of the handler's, which looks at the clock first. */
static void
completed(doip_request *request, void *closure)
{
    struct connection *connection = closure;

    answered_later(connection, doip_request_result(request));
    if (step_flush(connection) == STEP_NEXT)
        step_hand_over(connection);
}

/* The thread is free again. From doip_request_hold() on, the connection is whose thread completes the request. */
static enum step
hold(struct connection *connection, unsigned kind)
{
    struct worker *worker = connection->worker;
    doip_result result;

    held_expect(&worker->held, kind);
    pool_leave(&worker->pool, kind);
    result = doip_request_hold(connection->request, completed, connection);
    return result == DOIP_LATER ? STEP_LEFT : answered_later(connection, result);
}

/* Whether such a request is answered soon, if it is run now: earlier answers may wait for it. */
static bool
answers_soon(struct worker *worker, unsigned kind)
{
    return pool_runs_now(&worker->pool, kind) && !held_expected(&worker->held, kind);
}

enum step
step_run(struct connection *connection)
{
    struct worker *worker = connection->worker;
    doip_response *response = doip_request_response(connection->request);
    unsigned kind = request_kind(connection->request);
    doip_result result;
    bool later;

    if (!connection->may_run && doip_writer_buffered(connection->writer) > 0 &&
        !answers_soon(worker, kind) && !step_sent_all(connection))
        return STEP_LEFT;
    connection_show(connection, SCORE_RUNNING);
    if (!connection->may_run && !pool_enter(&worker->pool, &connection->waiting, kind))
        return STEP_LEFT;
    connection->may_run = false;
    result =
        authenticate(worker, connection->request, &connection->peer, &connection->caller, &later);
    if (later) {
        pool_leave(&worker->pool, kind);
        return STEP_LEFT;
    }
    doip_stream_set_waits(connection->stream, wait_ms(worker->config->timeouts.read),
                          wait_ms(worker->config->timeouts.write));
    if (result == DOIP_OK)
        result = dispatch(worker, connection->request, response, &connection->held);
    if (result == DOIP_LATER)
        return hold(connection, kind);
    answered(connection, result);
    pool_leave(&worker->pool, kind);
    return STEP_NEXT;
}

/* ------------------------------------------------------------------ the answer goes out */

static void
count(const struct connection *connection, const struct log_access *access)
{
    metrics_request(&(struct metrics_request){.operation = access->operation,
                                              .status = access->status,
                                              .microseconds = (uint64_t)access->microseconds,
                                              .bytes_in = access->bytes_in,
                                              .bytes_out = access->bytes_out});
    atomic_fetch_add_explicit(&connection->worker->score->requests, 1, memory_order_relaxed);
    score_connection_count(connection->score, access->client != NULL ? access->client : "",
                           access->number, doip_stream_bytes_in(connection->stream),
                           doip_stream_bytes_out(connection->stream));
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
        .bytes_out = request_answered_bytes(connection) - connection->bytes_out_before,
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
        return step_give_up_on(connection, METRICS_CLOSED_ANSWER_TIMEOUT, "inside an answer",
                               CONVERSATION_ANSWER_SLOW);
    return step_break_off(connection, METRICS_CLOSED_ANSWER_BROKEN, "inside an answer",
                          message[0] != '\0' ? message : doip_writer_reason(connection->writer));
}

/* The answer may wait for the next one, which the client has asked for already. */
static bool
may_hold_back(const struct connection *connection)
{
    return connection->outcome == DOIP_OUTCOME_COMPLETE && !request_is_last(connection) &&
           doip_message_ended(doip_request_message(connection->request)) &&
           doip_reader_buffered(connection->reader) &&
           doip_writer_buffered(connection->writer) < HELD_BACK;
}

enum step
step_flush(struct connection *connection)
{
    int n;

    if (connection->outcome == DOIP_OUTCOME_BROKEN)
        return broken_answer(connection);
    n = may_hold_back(connection) ? 0 : doip_writer_flush(connection->writer);
    if (n == DOIP_E_AGAIN)
        return step_park_writing(connection);
    if (n < 0)
        return broken_answer(connection);
    account(connection);
    if (connection->outcome == DOIP_OUTCOME_CLOSE)
        return step_enter(connection, PHASE_FINISH);
    connection->budget = connection->worker->config->limits.unread;
    return step_enter(connection, PHASE_DISCARD);
}
