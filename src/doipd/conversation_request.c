/*
 * A request of a conversation comes in (conversation_impl.h): its head, the rest of a small one, and, once it is answered, what the handler has
 * left unread. In the pool's threads.
 */
#include "clock.h"
#include "conversation_impl.h"

enum { SMALL_BODY = 65536 /* a request up to this size is whole before a handler runs */ };

uint64_t
request_answered_bytes(const struct connection *connection)
{
    return doip_stream_bytes_out(connection->stream) + doip_writer_buffered(connection->writer);
}

void
request_begins(struct connection *connection)
{
    connection->number++;
    connection->caller = (struct caller){.pass = {.waiting = &connection->waiting}};
    connection->request_began = clock_lately_us();
}

bool
request_is_last(const struct connection *connection)
{
    uint64_t most = (uint64_t)connection->worker->config->limits.requests_per_connection;

    return most > 0 && connection->number >= most;
}

void
request_ends_for_slowness(struct connection *connection)
{
    log_info(CLIENT_SLOW, "%s: connection ends inside a request: %s", connection->address,
             CONVERSATION_REQUEST_SLOW);
    connection->ending = METRICS_CLOSED_REQUEST_TIMEOUT;
}

enum step
step_head(struct connection *connection)
{
    int n;

    if (connection->request == NULL) {
        connection->bytes_in_before = doip_stream_bytes_in(connection->stream);
        connection->bytes_out_before = request_answered_bytes(connection);
        connection->request =
            doip_request_new(connection->reader, connection->writer,
                             connection->worker->config->service.id, &connection->peer);
    }
    if (connection->request == NULL)
        return step_break_off(connection, METRICS_CLOSED_RESOURCES, "before a request",
                              "out of memory");
    n = doip_request_head(connection->request);
    if (n == DOIP_E_AGAIN)
        return doip_reader_idle(connection->reader) ? step_park_idle(connection)
                                                    : step_park_reading(connection);
    if (n == 0)
        return step_end_in_order(connection, METRICS_CLOSED_ORDERLY);
    request_begins(connection);
    if (n > 0)
        return step_enter(connection, PHASE_BODY);
    if (n != DOIP_E_CONTENT && n != DOIP_E_FRAMING && n != DOIP_E_LIMIT && n != DOIP_E_MEMORY)
        return step_break_off(connection, METRICS_CLOSED_REQUEST_BROKEN,
                              doip_reader_idle(connection->reader) ? "between requests"
                                                                   : "inside a request",
                              doip_reader_reason(connection->reader));
    connection->outcome =
        doip_response_end(doip_request_response(connection->request), DOIP_FAILED);
    return step_enter(connection, PHASE_FLUSH);
}

enum step
step_body(struct connection *connection)
{
    if (doip_reader_ahead(connection->reader, SMALL_BODY) == DOIP_E_AGAIN)
        return step_park_reading(connection);
    return step_enter(connection, PHASE_RUN);
}

/* ------------------------------------------------------------------ what is left over */

static enum step
next_request(struct connection *connection)
{
    doip_request_free(&connection->request);
    if (request_is_last(connection)) {
        connection->ending = METRICS_CLOSED_REQUESTS;
        return step_enter(connection, PHASE_FINISH);
    }
    if (atomic_load(&connection->worker->last_call) && !doip_reader_buffered(connection->reader))
        return step_enter(connection, PHASE_FINISH);
    connection->phase = PHASE_HEAD;
    /* Nothing here: the epoll set tells when there is, without a read that finds nothing. */
    if (!doip_reader_buffered(connection->reader))
        return step_park_idle(connection);
    return STEP_NEXT;
}

enum step
step_discard(struct connection *connection)
{
    int n = doip_message_discard(doip_request_message(connection->request), &connection->budget);

    switch (n) {
    case 0:
        return next_request(connection);
    case DOIP_E_AGAIN:
        return step_park_reading(connection);
    case DOIP_E_LIMIT:
    case DOIP_E_FRAMING:
        return step_enter(connection, PHASE_FINISH);
    default:
        return step_break_off(connection, METRICS_CLOSED_REQUEST_BROKEN, "inside a request",
                              doip_reader_reason(connection->reader));
    }
}

/*
 * What may take long, as reading away what is left of a large request, or any other request, is not that thread's matter; nor is an end in order, which
 * next_request() may come to at any moment, as a worker that drains has its last call.
 */
enum step
step_hand_over(struct connection *connection)
{
    bool rests = connection->phase == PHASE_DISCARD &&
                 doip_message_ended(doip_request_message(connection->request)) &&
                 !doip_reader_buffered(connection->reader);

    if (rests && next_request(connection) == STEP_LEFT)
        return STEP_LEFT;
    return step_park(connection, DOIP_WANT_WRITE, conversation_answer_ms(connection));
}
