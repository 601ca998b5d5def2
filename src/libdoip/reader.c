/*
 * The segment reader: pulls bytes from a stream, lets the framer find the segments, and hands out JSON text and bytes. Runs in the
 * thread that owns the stream. Its buffer grows only as bytes arrive, and goes back when it is empty.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <doip/segment.h>

#include "framer.h"
#include "pace.h"
#include "stream_impl.h"

enum {
    BUFFER_FIRST = 1024, /* malloc()'s per-thread cache has it; enough for most heads */
    READ_ROOM = 1024,    /* worth a read of the stream: more room is made below it */
    DIRECT_FROM = 4096,  /* a caller's buffer of this size is read into without ours between */
    SKIP_STEP = 16384,
};

struct doip_reader {
    doip_stream *stream;
    struct framer framer;
    char *buffer;
    size_t room;
    size_t keep; /* bytes before this one are no longer needed */
    size_t at;   /* bytes before this one went through the framer */
    size_t end;
    bool inside_bytes; /* the current segment is one of bytes, not yet read to its end */
    bool inside;       /* a message has begun and not ended */
    bool has_text;
    size_t text_after; /* the JSON text begins so many bytes after `keep` */
    size_t text_size;
    struct framer ahead; /* looks ahead of `framer`; valid while ahead_on */
    bool ahead_on;
    bool ahead_done; /* it has met the message's end, or an error */
    size_t ahead_by; /* bytes after `at` that it has seen */
    struct pace pace;
    unsigned depth; /* of JSON; 0: any */
    int error;
    char *reason;
};

doip_reader *
doip_reader_new(doip_stream *stream, size_t json_limit)
{
    doip_reader *reader = calloc(1, sizeof *reader);

    if (reader == NULL)
        return NULL;
    reader->stream = stream;
    framer_init(&reader->framer, json_limit);
    return reader;
}

void
doip_reader_free(doip_reader **reader)
{
    if (*reader != NULL) {
        free((*reader)->buffer);
        free((*reader)->reason);
        free(*reader);
    }
    *reader = NULL;
}

static int
fail(doip_reader *reader, int error, const char *what)
{
    bool latched = error != DOIP_E_AGAIN && error != DOIP_E_TIMEOUT;
    int length;

    if (error == DOIP_E_AGAIN)
        return error;
    free(reader->reason);
    length = reader->inside ? asprintf(&reader->reason, "%s, at byte %llu of the message", what,
                                       (unsigned long long)reader->framer.offset)
                            : asprintf(&reader->reason, "%s", what);
    if (length < 0)
        reader->reason = NULL;
    if (latched)
        reader->error = error;
    return error;
}

/* By hand and not by realloc(), because the smaller buffer may hold credentials. */
static bool
grow(doip_reader *reader, size_t room)
{
    char *grown = malloc(room);

    if (grown == NULL)
        return false;
    if (reader->buffer != NULL) {
        memcpy(grown, reader->buffer, reader->end);
        explicit_bzero(reader->buffer, reader->room);
    }
    free(reader->buffer);
    reader->buffer = grown;
    reader->room = room;
    return true;
}

/* Makes room for a read without losing what is kept. */
static bool
make_room(doip_reader *reader)
{
    size_t kept = reader->end - reader->keep;
    size_t room = reader->room != 0 ? reader->room : BUFFER_FIRST;

    if (reader->keep > 0 && kept > 0)
        memmove(reader->buffer, reader->buffer + reader->keep, kept);
    reader->at -= reader->keep;
    reader->end = kept;
    reader->keep = 0;
    /* A buffer that a read has filled was too small. */
    while (room - kept < READ_ROOM)
        room *= 2;
    return room == reader->room || grow(reader, room);
}

/* One read of the stream, which latches its own errors: > 0, 0 at its end, or an error. */
static ssize_t
pull(doip_reader *reader, void *data, size_t size)
{
    int64_t patience = doip_reader_patience(reader);
    int ms = reader->stream->read_ms;
    ssize_t n;

    if (patience < 0 || ms == 0)
        return stream_read_within(reader->stream, data, size, ms);
    if (ms < 0 || patience < ms)
        ms = patience < INT_MAX ? (int)patience : INT_MAX;
    n = stream_read_within(reader->stream, data, size, ms);
    /* Too late to wait at all. */
    return n == DOIP_E_AGAIN && ms == 0 ? DOIP_E_TIMEOUT : n;
}

/* What pull() gave, latched: > 0, 0 at the stream's end between messages, or an error. */
static ssize_t
pulled(doip_reader *reader, ssize_t n)
{
    if (n > 0 || (n == 0 && !reader->inside))
        return n;
    if (n == 0)
        return fail(reader, DOIP_E_BROKEN, "the stream ended inside a message");
    if (n == DOIP_E_TIMEOUT)
        return fail(reader, (int)n, "the peer sent nothing, or too slowly");
    return fail(reader, (int)n, doip_stream_reason(reader->stream));
}

/* Reads more into the buffer; as pull(). */
static ssize_t
fill(doip_reader *reader)
{
    ssize_t n;

    if (reader->keep == reader->end)
        reader->at = reader->keep = reader->end = 0;
    if (reader->room - reader->end < READ_ROOM && !make_room(reader))
        return stream_fail(reader->stream, DOIP_E_SYSTEM, "out of memory");
    n = pull(reader, reader->buffer + reader->end, reader->room - reader->end);
    if (n > 0)
        reader->end += (size_t)n;
    return n;
}

static void
begin_message(doip_reader *reader)
{
    reader->inside = true;
    pace_begin(&reader->pace, doip_stream_bytes_in(reader->stream),
               doip_stream_waited(reader->stream, DOIP_WANT_READ));
}

static int
framing_error(doip_reader *reader)
{
    return fail(reader, reader->framer.over ? DOIP_E_LIMIT : DOIP_E_FRAMING, reader->framer.error);
}

/* Runs the framer over what is buffered. */
static enum frame
scan(doip_reader *reader)
{
    size_t used;
    const char *data = reader->buffer != NULL ? reader->buffer + reader->at : "";
    enum frame frame = framer_step(&reader->framer, data, reader->end - reader->at, &used);

    reader->at += used;
    reader->ahead_on = false;
    if (!reader->inside && reader->framer.state != FRAMER_BETWEEN)
        begin_message(reader);
    if (frame == FRAME_JSON) {
        reader->has_text = true;
        reader->text_after = reader->at - reader->framer.segment - reader->keep;
        reader->text_size = reader->framer.text;
    }
    /* JSON text is kept until it is whole, and then until the next call. */
    if (reader->framer.state != FRAMER_JSON && frame != FRAME_JSON &&
        !(reader->framer.state == FRAMER_TAIL && reader->framer.then == FRAME_JSON))
        reader->keep = reader->at;
    return frame;
}

/* Advances to the next event: 1, 0 at the stream's end between messages, or an error. */
static int
advance(doip_reader *reader, enum frame *frame)
{
    for (;;) {
        ssize_t n;

        if (reader->error != 0)
            return reader->error;
        *frame = scan(reader);
        if (*frame == FRAME_ERROR)
            return framing_error(reader);
        if (*frame != FRAME_MORE)
            return 1;
        n = pulled(reader, fill(reader));
        if (n <= 0)
            return (int)n;
    }
}

static void
release_text(doip_reader *reader)
{
    if (reader->has_text)
        reader->keep = reader->at;
    reader->has_text = false;
    reader->text_size = 0;
}

static int
skip_bytes(doip_reader *reader)
{
    char scrap[SKIP_STEP];
    ssize_t n = 0;

    while (reader->inside_bytes && (n = doip_reader_read(reader, scrap, sizeof scrap)) > 0)
        ;
    return n < 0 ? (int)n : 0;
}

int
doip_reader_next(doip_reader *reader, doip_segment *kind)
{
    enum frame frame = FRAME_MORE;
    int n = skip_bytes(reader);

    *kind = DOIP_SEGMENT_END;
    if (n < 0)
        return n;
    release_text(reader);
    n = advance(reader, &frame);
    if (n <= 0)
        return n;
    if (frame == FRAME_JSON)
        *kind = DOIP_SEGMENT_JSON;
    else if (frame == FRAME_BYTES)
        *kind = DOIP_SEGMENT_BYTES;
    else
        reader->inside = false;
    reader->inside_bytes = frame == FRAME_BYTES;
    return 1;
}

const char *
doip_reader_text(const doip_reader *reader, size_t *length)
{
    *length = reader->text_size;
    return reader->has_text ? reader->buffer + reader->keep + reader->text_after : NULL;
}

/* Bytes of the current chunk, from the buffer or straight from the stream. */
static ssize_t
take(doip_reader *reader, void *data, size_t size)
{
    size_t buffered = reader->end - reader->at;
    ssize_t n;

    if (size > reader->framer.left)
        size = reader->framer.left;
    if (buffered == 0 && size >= DIRECT_FROM) {
        n = pulled(reader, pull(reader, data, size));
    } else {
        if (buffered == 0 && (n = pulled(reader, fill(reader))) <= 0)
            return n;
        buffered = reader->end - reader->at;
        n = (ssize_t)(size < buffered ? size : buffered);
        memcpy(data, reader->buffer + reader->at, (size_t)n);
        reader->at += (size_t)n;
        reader->keep = reader->at;
    }
    if (n > 0)
        framer_took(&reader->framer, (size_t)n);
    reader->ahead_on = false;
    return n;
}

ssize_t
doip_reader_read(doip_reader *reader, void *data, size_t size)
{
    enum frame frame;
    int n;

    if (reader->error != 0)
        return reader->error;
    if (!reader->inside_bytes || size == 0)
        return 0;
    n = advance(reader, &frame);
    if (n <= 0)
        return n;
    if (frame == FRAME_DATA)
        return take(reader, data, size);
    reader->inside_bytes = false;
    return 0;
}

/* Runs the second framer over what the first has not seen; true when the message ends there or can't go on. */
static bool
look(doip_reader *reader)
{
    if (!reader->ahead_on) {
        reader->ahead = reader->framer;
        reader->ahead_by = 0;
        reader->ahead_on = true;
        reader->ahead_done = false;
    }
    while (!reader->ahead_done && reader->at + reader->ahead_by < reader->end) {
        size_t left = reader->end - reader->at - reader->ahead_by, used;
        enum frame frame = framer_step(&reader->ahead,
                                       reader->buffer + reader->at + reader->ahead_by, left, &used);

        reader->ahead_by += used;
        reader->ahead_done = frame == FRAME_END || frame == FRAME_ERROR;
        if (frame == FRAME_DATA) {
            size_t data = left - used < reader->ahead.left ? left - used : reader->ahead.left;
            if (data == 0)
                return false;
            framer_took(&reader->ahead, data);
            reader->ahead_by += data;
        }
    }
    return reader->ahead_done;
}

int
doip_reader_ahead(doip_reader *reader, size_t limit)
{
    while (reader->inside && reader->error == 0 && !look(reader) &&
           reader->end - reader->at < limit) {
        ssize_t n = fill(reader);

        if (n == DOIP_E_AGAIN || n == DOIP_E_TIMEOUT)
            return (int)pulled(reader, n);
        if (n <= 0)
            return 0; /* the stream latches it: whoever reads on will meet it, after what is buffered */
    }
    return 0;
}

bool
doip_reader_idle(const doip_reader *reader)
{
    return !reader->inside && reader->at == reader->end;
}

bool
doip_reader_buffered(const doip_reader *reader)
{
    return reader->at < reader->end || doip_stream_pending(reader->stream);
}

void
doip_reader_shrink(doip_reader *reader)
{
    if (reader->keep != reader->end)
        return;
    free(reader->buffer);
    reader->buffer = NULL;
    reader->room = reader->keep = reader->at = reader->end = 0;
}

void
doip_reader_wipe(doip_reader *reader)
{
    if (reader->buffer != NULL)
        explicit_bzero(reader->buffer, reader->at);
}

uint64_t
doip_reader_offset(const doip_reader *reader)
{
    return reader->framer.offset;
}

void
doip_reader_set_rate(doip_reader *reader, uint64_t bytes_per_second, int grace_ms)
{
    pace_set(&reader->pace, bytes_per_second, grace_ms);
}

void
doip_reader_set_depth(doip_reader *reader, unsigned levels)
{
    reader->depth = levels;
}

unsigned
doip_reader_depth(const doip_reader *reader)
{
    return reader->depth;
}

int64_t
doip_reader_patience(doip_reader *reader)
{
    if (!reader->inside)
        return -1;
    return pace_patience(&reader->pace, doip_stream_bytes_in(reader->stream),
                         doip_stream_waited(reader->stream, DOIP_WANT_READ));
}

const char *
doip_reader_reason(const doip_reader *reader)
{
    return reader->reason != NULL ? reader->reason : "";
}
