/*
 * For tests of the segment reader: all that it gives for some input, as one text.
 */
#ifndef UNIT_TRACE_H
#define UNIT_TRACE_H

#include <string.h>

#include <doip/segment.h>

#include "unit.h"

#define LIMIT 4096
#define COUNT_OF(table) (int)(sizeof(table) / sizeof *(table))

/* What a reader gave, as text: J<text> a JSON segment, B<bytes> one of bytes, . a message's end, $
 * the stream's, !<error> a failure. */
struct trace {
    char text[1 << 17];
    size_t used;
};

static inline void
note(struct trace *trace, const char *text, size_t size)
{
    ck_assert_uint_lt(trace->used + size, sizeof trace->text);
    memcpy(trace->text + trace->used, text, size);
    trace->used += size;
    trace->text[trace->used] = '\0';
}

static inline int
note_failure(struct trace *trace, int error)
{
    char text[8];

    note(trace, text, (size_t)snprintf(text, sizeof text, "!%d", -error));
    return error;
}

/* Feeds one more byte where the reader waits for it; false when there is none. */
struct source {
    doip_stream *stream;
    const char *rest;
    size_t left;
};

static inline bool
feed(struct source *source)
{
    if (source->left == 0)
        return false;
    doip_memory_feed(source->stream, source->rest++, 1);
    if (--source->left == 0)
        doip_memory_end(source->stream);
    return true;
}

static inline int
trace_bytes(doip_reader *reader, struct trace *trace, struct source *source, size_t piece)
{
    char data[8192];
    ssize_t got;

    note(trace, "B", 1);
    for (;;) {
        got = doip_reader_read(reader, data, piece);
        if (got == DOIP_E_AGAIN && feed(source))
            continue;
        if (got <= 0)
            break;
        note(trace, data, (size_t)got);
    }
    return got < 0 ? note_failure(trace, (int)got) : 0;
}

static inline void
trace_all(doip_reader *reader, struct trace *trace, struct source *source, size_t piece)
{
    doip_segment kind;
    size_t length;
    int got;

    trace->used = 0;
    trace->text[0] = '\0';
    for (;;) {
        got = doip_reader_next(reader, &kind);
        if (got == DOIP_E_AGAIN && feed(source))
            continue;
        if (got < 0) {
            note_failure(trace, got);
            return;
        }
        if (got == 0) {
            ck_assert_int_eq(kind, DOIP_SEGMENT_END);
            ck_assert(doip_reader_idle(reader));
            note(trace, "$", 1);
            return;
        }
        if (kind == DOIP_SEGMENT_END) {
            note(trace, ".", 1);
        } else if (kind == DOIP_SEGMENT_JSON) {
            const char *text = doip_reader_text(reader, &length);
            note(trace, "J", 1);
            note(trace, text, length);
        } else if (trace_bytes(reader, trace, source, piece) < 0) {
            return;
        }
    }
}

static inline void
trace_input(const char *input, size_t size, size_t step, size_t piece, struct trace *trace)
{
    doip_stream *stream = doip_memory_new();
    doip_reader *reader = doip_reader_new(stream, LIMIT);
    struct source source = {stream, input, 0};

    doip_memory_feed(stream, input, size);
    doip_memory_end(stream);
    doip_memory_set_step(stream, step);
    trace_all(reader, trace, &source, piece);
    doip_reader_free(&reader);
    doip_stream_free(&stream);
}

/* The bytes come one by one, each when the reader has said that it waits. */
static inline void
trace_trickle(const char *input, size_t size, struct trace *trace)
{
    doip_stream *stream = doip_memory_new();
    doip_reader *reader = doip_reader_new(stream, LIMIT);
    struct source source = {stream, input, size};

    if (size == 0)
        doip_memory_end(stream);
    trace_all(reader, trace, &source, 64);
    doip_reader_free(&reader);
    doip_stream_free(&stream);
}

#endif
