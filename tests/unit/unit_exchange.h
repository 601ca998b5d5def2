/*
 * For tests of what a handler sees: a request fed as text into a memory stream, a call of a
 * handler's function, and the exact bytes of the answer.
 */
#ifndef UNIT_EXCHANGE_H
#define UNIT_EXCHANGE_H

#include <string.h>

#include <doip/server.h>

#include "unit.h"

#define SERVICE "35.TEST/service"

struct exchange {
    doip_stream *stream;
    doip_reader *reader;
    doip_writer *writer;
    doip_request *request;
    doip_response *response;
};

typedef doip_result (*exchange_handler)(doip_request *request, doip_response *response);

/* The head of a handler, which need not use both of what it is given. */
#define HANDLER(name)                                           \
    static doip_result name(doip_request *request MAYBE_UNUSED, \
                            doip_response *response MAYBE_UNUSED)
#define MAYBE_UNUSED __attribute__((unused))

/* `step`: most bytes a read gives, 0 for no bound. The stream ends after `input`. */
static inline struct exchange
exchange_open(const char *input, size_t size, size_t step, const doip_peer *peer)
{
    struct exchange exchange;

    exchange.stream = doip_memory_new();
    doip_memory_feed(exchange.stream, input, size);
    doip_memory_end(exchange.stream);
    doip_memory_set_step(exchange.stream, step);
    exchange.reader = doip_reader_new(exchange.stream, 64 * 1024);
    exchange.writer = doip_writer_new(exchange.stream);
    exchange.request = doip_request_new(exchange.reader, exchange.writer, SERVICE, peer);
    exchange.response = doip_request_response(exchange.request);
    return exchange;
}

/* Reads the head, and where it is good calls the handler; then ends the response. */
static inline doip_outcome
exchange_run(struct exchange *exchange, exchange_handler handler)
{
    int head = doip_request_head(exchange->request);
    doip_result result = head == 1 ? handler(exchange->request, exchange->response) : DOIP_FAILED;
    doip_outcome outcome = doip_response_end(exchange->response, result);

    ck_assert_msg(outcome != DOIP_OUTCOME_BROKEN || *doip_response_message(exchange->response) != 0,
                  "a broken answer without a reason");
    doip_writer_flush(exchange->writer);
    return outcome;
}

/* What was answered, as a string; valid until the next call. */
static inline const char *
exchange_output(struct exchange *exchange)
{
    static char text[1 << 20];
    size_t size;
    const char *output = doip_memory_output(exchange->stream, &size);

    ck_assert_uint_lt(size, sizeof text);
    memcpy(text, output, size);
    text[size] = '\0';
    return text;
}

static inline void
exchange_close(struct exchange *exchange)
{
    doip_request_free(&exchange->request);
    doip_writer_free(&exchange->writer);
    doip_reader_free(&exchange->reader);
    doip_stream_free(&exchange->stream);
}

/* All of it: feeds, calls, compares the outcome and the answer (NULL: any). */
static inline void
exchange_check(const char *input, size_t step, exchange_handler handler, doip_outcome outcome,
               const char *output)
{
    struct exchange exchange = exchange_open(input, strlen(input), step, NULL);
    doip_outcome got = exchange_run(&exchange, handler);

    ck_assert_msg(got == outcome, "outcome %d, not %d: %s", got, outcome,
                  exchange_output(&exchange));
    if (output != NULL)
        ck_assert_str_eq(exchange_output(&exchange), output);
    exchange_close(&exchange);
}

/* The answer to a fault, with the requestId as JSON, and without. */
#define ERROR_OF(id, status, message) "{\"requestId\":" id "," ERROR_REST(status, message)
#define ERROR(status, message) "{" ERROR_REST(status, message)
#define ERROR_REST(status, message)                                                  \
    "\"status\":\"0.DOIP/Status." status "\",\"attributes\":{\"message\":\"" message \
    "\"},\"output\":{\"reason\":\"" message "\",\"message\":\"" message "\"}}\n#\n#\n"

#define COUNT_OF(table) (int)(sizeof(table) / sizeof *(table))

#endif
