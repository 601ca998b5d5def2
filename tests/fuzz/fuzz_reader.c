/*
 * Fuzzes what reads a peer's bytes: the segment reader, messages and request heads, over memory streams (libFuzzer, `make fuzz`).
 *
 * The first two bytes of the input choose how the rest arrives and what the handler does with it. The oracle is not only that
 * nothing crashes: bytes that arrive in pieces, looked ahead of, read in odd sizes, must give exactly what they give at once; JSON that
 * was accepted must survive being written; and whatever was asked, every answer must be a well-formed one.
 */
#include <string.h>

#include "echo.h"
#include "fuzz.h"

enum { JSON_LIMIT = 600, HEAD_LIMIT = 65536, TRACE_MAX = 1 << 16 };

/* How the bytes arrive. */
struct way {
    size_t piece; /* fed at a time, 0: all at once */
    size_t read;  /* size of the reads of bytes segments */
    size_t ahead; /* looked ahead before each step, 0: never */
    bool shrink;
};

/* ------------------------------------------------------------------ the segment reader */

/* What a reader gave: kinds, lengths, and all bytes folded into one number. */
struct trace {
    char text[TRACE_MAX];
    size_t used;
};

static void
note(struct trace *trace, char kind, uint64_t number)
{
    size_t left = sizeof trace->text - trace->used;
    int n = snprintf(trace->text + trace->used, left, "%c%llx ", kind, (unsigned long long)number);

    if (n > 0 && (size_t)n < left)
        trace->used += (size_t)n;
}

static uint64_t
fold(uint64_t hash, const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)data[i]) * UINT64_C(1099511628211);
    return hash;
}

struct source {
    doip_stream *stream;
    const char *rest;
    size_t left;
    const struct way *way;
};

/* Feeds the next piece; false when the stream has ended. */
static bool
feed(struct source *source)
{
    size_t size = source->way->piece;

    if (source->left == 0)
        return false;
    if (size == 0 || size > source->left)
        size = source->left;
    doip_memory_feed(source->stream, source->rest, size);
    source->rest += size;
    source->left -= size;
    if (source->left == 0)
        doip_memory_end(source->stream);
    return true;
}

static void
look_ahead(doip_reader *reader, struct source *source)
{
    if (source->way->shrink)
        doip_reader_shrink(reader);
    while (source->way->ahead > 0 &&
           doip_reader_ahead(reader, source->way->ahead) == DOIP_E_AGAIN && feed(source))
        ;
}

static int
next(doip_reader *reader, struct source *source, doip_segment *kind)
{
    int n;

    look_ahead(reader, source);
    while ((n = doip_reader_next(reader, kind)) == DOIP_E_AGAIN)
        REQUIRE(feed(source));
    return n;
}

/* JSON that is accepted comes back from its own text, and that text is the plainest. */
static void
check_json(const char *text, size_t length)
{
    char reason[64];
    json_t *value = doip_json_parse(text, length, reason, sizeof reason), *again;
    char *plain, *twice;
    size_t plain_length, twice_length;

    if (value == NULL)
        return;
    plain = doip_json_text(value, &plain_length);
    REQUIRE(plain != NULL && memchr(plain, '\n', plain_length) == NULL);
    again = doip_json_parse(plain, plain_length, reason, sizeof reason);
    REQUIRE(json_equal(value, again));
    twice = doip_json_text(again, &twice_length);
    REQUIRE(twice != NULL && strcmp(plain, twice) == 0);
    free(plain);
    free(twice);
    json_decref(value);
    json_decref(again);
}

static void
trace_json(doip_reader *reader, struct source *source, struct trace *trace)
{
    size_t length, later;
    const char *text = doip_reader_text(reader, &length);
    uint64_t hash = fold(length, text, length);

    REQUIRE(length <= JSON_LIMIT && memmem(text, length, "\n#", 2) == NULL);
    check_json(text, length);
    look_ahead(reader, source);
    text = doip_reader_text(reader, &later); /* it may have moved, no more */
    REQUIRE(later == length && fold(length, text, length) == hash);
    note(trace, 'J', hash);
}

static int
trace_bytes(doip_reader *reader, struct source *source, struct trace *trace)
{
    char data[8192];
    uint64_t hash = 0;
    ssize_t n;

    for (;;) {
        look_ahead(reader, source);
        n = doip_reader_read(reader, data, source->way->read);
        if (n == DOIP_E_AGAIN) {
            REQUIRE(feed(source));
            continue;
        }
        if (n <= 0)
            break;
        REQUIRE((size_t)n <= source->way->read);
        hash = fold(hash, data, (size_t)n);
    }
    note(trace, 'B', hash);
    return (int)n;
}

static void
trace_failure(doip_reader *reader, int error, struct trace *trace)
{
    const char *reason = doip_reader_reason(reader);
    doip_segment kind;

    REQUIRE(*reason != '\0' && doip_reader_next(reader, &kind) == error);
    note(trace, '!', (uint64_t)-error);
    /* How far a limit was passed when that was seen depends on the pieces. */
    if (error != DOIP_E_LIMIT)
        note(trace, '?', fold(0, reason, strlen(reason)));
}

static void
trace_all(const char *data, size_t size, const struct way *way, struct trace *trace)
{
    struct source source = {doip_memory_new(), data, size, way};
    doip_reader *reader = doip_reader_new(source.stream, JSON_LIMIT);
    doip_segment kind;
    int n;

    trace->used = 0;
    trace->text[0] = '\0';
    if (size == 0)
        doip_memory_end(source.stream);
    while ((n = next(reader, &source, &kind)) > 0) {
        if (kind == DOIP_SEGMENT_JSON)
            trace_json(reader, &source, trace);
        else if (kind == DOIP_SEGMENT_END)
            note(trace, '.', doip_reader_offset(reader));
        else if ((n = trace_bytes(reader, &source, trace)) < 0)
            break;
    }
    if (n < 0)
        trace_failure(reader, n, trace);
    else
        REQUIRE(doip_reader_idle(reader));
    doip_reader_free(&reader);
    doip_stream_free(&source.stream);
}

/* ------------------------------------------------------------------ requests */

/* The handlers: everything is read, and some of it given back. */
static doip_result
echo(doip_request *request, doip_response *response)
{
    return echo_input(request, response, 700);
}

static doip_result
store(doip_request *request, doip_response *response)
{
    json_t *object = doip_input_object(request, 0), *element;
    char data[64];
    int n = 0;

    while (object != NULL && (n = doip_input_element(request, &element)) > 0)
        if (doip_respond_attribute(response, "last", json_incref(element)) != DOIP_OK ||
            doip_read(request, data, sizeof data) < 0)
            return DOIP_FAILED;
    if (object == NULL || n < 0)
        return DOIP_FAILED;
    return doip_respond_json(response, json_incref(object));
}

static doip_result
attributes(doip_request *request, doip_response *response)
{
    const char *text = "";
    int64_t number = 0;
    bool truth = false;

    doip_attribute_string(request, "s", &text);
    doip_attribute_int(request, "i", &number);
    doip_attribute_bool(request, "b", &truth);
    return doip_respond_json(
        response, json_pack("{s:s, s:I, s:b}", "s", text, "i", (json_int_t)number, "b", truth));
}

static doip_result
careless(doip_request *request, doip_response *response)
{
    doip_input_next(request);
    return doip_respond_status(response, doip_request_target(request));
}

/* One request as the daemon takes it: true when the connection goes on. */
static bool
serve(doip_reader *reader, doip_writer *writer, unsigned choice)
{
    static doip_result (*const handlers[])(doip_request *,
                                           doip_response *) = {echo, store, attributes, careless};
    doip_request *request = doip_request_new(reader, writer, "35.TEST/fuzz", NULL);
    doip_response *response = doip_request_response(request);
    uint64_t budget = 2000;
    doip_result result = DOIP_FAILED;
    doip_outcome outcome = DOIP_OUTCOME_BROKEN;
    int head = doip_request_head(request);

    if (head == 1)
        result = handlers[choice % 4](request, response);
    if (head == 1 || head == DOIP_E_CONTENT || head == DOIP_E_FRAMING || head == DOIP_E_LIMIT)
        outcome = doip_response_end(response, result);
    if (outcome == DOIP_OUTCOME_COMPLETE &&
        doip_message_discard(doip_request_message(request), &budget) != 0)
        outcome = DOIP_OUTCOME_CLOSE;
    doip_request_free(&request);
    return outcome == DOIP_OUTCOME_COMPLETE;
}

/* Each answer is a message with a status; only the last may have no end. */
static void
check_answers(const char *data, size_t size)
{
    doip_stream *stream = doip_memory_new();
    doip_reader *reader = doip_reader_new(stream, SIZE_MAX);
    doip_message *message;
    json_t *head;
    uint64_t budget;
    int n;

    doip_memory_feed(stream, data, size);
    doip_memory_end(stream);
    do {
        message = doip_message_new(reader, "output");
        n = doip_message_head(message, &head);
        REQUIRE(n == 0 || n == 1 || n == DOIP_E_BROKEN);
        if (n == 1)
            REQUIRE(json_is_string(json_object_get(head, "status")));
        budget = UINT64_MAX;
        if (n == 1)
            n = doip_message_discard(message, &budget) == DOIP_E_BROKEN ? 0 : 1;
        doip_message_free(&message);
    } while (n == 1);
    doip_reader_free(&reader);
    doip_stream_free(&stream);
}

static void
requests(const char *data, size_t size, size_t step, unsigned choice)
{
    doip_stream *stream = doip_memory_new();
    doip_reader *reader = doip_reader_new(stream, HEAD_LIMIT);
    doip_writer *writer = doip_writer_new(stream);
    const char *output;
    size_t length;

    doip_memory_feed(stream, data, size);
    doip_memory_end(stream);
    doip_memory_set_step(stream, step);
    while (serve(reader, writer, choice))
        ;
    doip_writer_flush(writer);
    output = doip_memory_output(stream, &length);
    check_answers(output, length);
    doip_writer_free(&writer);
    doip_reader_free(&reader);
    doip_stream_free(&stream);
}

/* ------------------------------------------------------------------ the entry */

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t pieces[] = {1, 2, 3, 7, 255, 1023, 4096, 5000};
    static const size_t reads[] = {1, 5, 4095, 8192};
    static const size_t aheads[] = {0, 1, 100, 65536};
    static const struct way whole = {0, 8192, 0, false};
    static struct trace once, again;
    struct way way;

    if (size < 2)
        return 0;
    way.piece = pieces[data[0] & 7];
    way.read = reads[data[0] >> 3 & 3];
    way.ahead = aheads[data[0] >> 5 & 3];
    way.shrink = data[0] >> 7;
    trace_all((const char *)data + 2, size - 2, &whole, &once);
    trace_all((const char *)data + 2, size - 2, &way, &again);
    if (strcmp(once.text, again.text) != 0) {
        fprintf(stderr, "whole: %s\nparts: %s\n", once.text, again.text);
        abort();
    }
    requests((const char *)data + 2, size - 2, data[1] & 4 ? pieces[data[1] >> 3 & 7] : 0, data[1]);
    return 0;
}
