/*
 * How steps of a conversation end that can't go on (conversation_impl.h): the connection is parked for its client, or ended. In the thread that has it.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "conversation_impl.h"

/* No deadline: some three hundred years. */
#define FOREVER_MS (INT64_C(10000000000000))

int64_t
wait_span_ms(int seconds)
{
    return seconds > 0 ? (int64_t)seconds * 1000 : FOREVER_MS;
}

enum step
step_park(struct connection *connection, int wants, int64_t ms)
{
    connection_park(connection, wants, ms);
    return STEP_LEFT;
}

enum step
step_enter(struct connection *connection, enum phase phase)
{
    connection->phase = phase;
    return STEP_NEXT;
}

enum step
step_break_off(struct connection *connection, enum metrics_counter cause, const char *when,
               const char *why)
{
    log_info(CONNECTION_ENDED, "%s: connection ended %s: %s", connection->address, when, why);
    connection_close(connection, cause);
    return STEP_LEFT;
}

enum step
step_give_up_on(struct connection *connection, enum metrics_counter cause, const char *when,
                const char *why)
{
    log_info(CLIENT_SLOW, "%s: connection ended %s: %s", connection->address, when, why);
    connection_close(connection, cause);
    return STEP_LEFT;
}

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
    return sooner(wait_span_ms(connection->worker->config->timeouts.write),
                  doip_writer_patience(connection->writer));
}

enum step
step_park_writing(struct connection *connection)
{
    connection_show(connection, SCORE_WRITING);
    return step_park(connection, doip_stream_wants(connection->stream),
                     conversation_answer_ms(connection));
}

bool
step_sent_all(struct connection *connection)
{
    int n =
        doip_writer_buffered(connection->writer) > 0 ? doip_writer_flush(connection->writer) : 0;

    if (n == DOIP_E_AGAIN)
        step_park_writing(connection);
    else if (n < 0)
        step_break_off(connection, METRICS_CLOSED_ANSWER_BROKEN, "inside an answer",
                       doip_writer_reason(connection->writer));
    return n == 0;
}

enum step
step_park_reading(struct connection *connection)
{
    int64_t ms = wait_span_ms(connection->worker->config->timeouts.read);

    if (!step_sent_all(connection))
        return STEP_LEFT;
    acknowledge(connection);
    connection_show(connection, SCORE_READING);
    return step_park(connection, doip_stream_wants(connection->stream),
                     sooner(ms, doip_reader_patience(connection->reader)));
}

enum step
step_park_idle(struct connection *connection)
{
    doip_request_free(&connection->request);
    doip_reader_shrink(connection->reader);
    if (!step_sent_all(connection))
        return STEP_LEFT;
    connection_show(connection, SCORE_IDLE);
    return step_park(connection, DOIP_WANT_READ,
                     wait_span_ms(connection->worker->config->timeouts.idle));
}

enum step
step_end_in_order(struct connection *connection, enum metrics_counter cause)
{
    if (!step_sent_all(connection))
        return STEP_LEFT;
    doip_stream_finish(connection->stream);
    connection_close(connection, cause);
    return STEP_LEFT;
}
