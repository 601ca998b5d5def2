/*
 * The segment writer: the plainest form of every segment (protocol section 2), collected in a buffer and sent when it is full or flushed.
 * Runs in the thread that owns the stream. Small pieces of bytes share a chunk: its size is put in front of them when the chunk is
 * closed. Large pieces go to the stream from where they lie.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <doip/segment.h>

enum {
    BUFFER_FIRST = 4096,
    BUFFER_FULL = 65536,
    HEADER_ROOM = 6,           /* "65536\n" */
    RECORD = 16384,            /* what one TLS record holds */
    DIRECT_FROM = 2 * RECORD,  /* pieces of this size are not copied */
    LARGE_CHUNK = 1024 * 1024, /* most that one chunk of a large piece has: readers may hold a chunk whole */
};

enum open_segment { OPEN_NONE, OPEN_JSON, OPEN_BYTES };

struct doip_writer {
    doip_stream *stream;
    char *buffer;
    size_t room;
    size_t sent;
    size_t end;
    enum open_segment open;
    bool in_chunk; /* a chunk is being collected: its header's room lies at `chunk` */
    size_t chunk;
    size_t message;    /* where the message begins in the buffer */
    bool message_left; /* some of it has gone to the stream */
    int error;
    char *reason;
};

doip_writer *
doip_writer_new(doip_stream *stream)
{
    doip_writer *writer = calloc(1, sizeof *writer);

    if (writer != NULL)
        writer->stream = stream;
    return writer;
}

void
doip_writer_free(doip_writer **writer)
{
    if (*writer != NULL) {
        free((*writer)->buffer);
        free((*writer)->reason);
        free(*writer);
    }
    *writer = NULL;
}

static int
fail(doip_writer *writer, int error, const char *what)
{
    if (writer->error != 0)
        return writer->error;
    writer->error = error;
    writer->reason = strdup(what);
    return error;
}

const char *
doip_writer_reason(const doip_writer *writer)
{
    return writer->reason != NULL ? writer->reason : "";
}

static void
release(doip_writer *writer)
{
    free(writer->buffer);
    writer->buffer = NULL;
    writer->room = writer->sent = writer->end = writer->message = 0;
}

/* Sends what is in the buffer; what could not go yet stays there. */
static int
drain(doip_writer *writer)
{
    while (writer->sent < writer->end) {
        ssize_t n = doip_stream_write(writer->stream, writer->buffer + writer->sent,
                                      writer->end - writer->sent);
        if (n == DOIP_E_AGAIN)
            return (int)n;
        if (n < 0)
            return fail(writer, (int)n,
                        n == DOIP_E_TIMEOUT ? "the peer does not read" : doip_stream_reason(writer->stream));
        writer->sent += (size_t)n;
        if (writer->sent > writer->message)
            writer->message_left = true;
    }
    writer->sent = writer->end = writer->message = 0;
    return 0;
}

static int
grow(doip_writer *writer, size_t need)
{
    size_t room = writer->room != 0 ? writer->room : BUFFER_FIRST;
    char *grown;

    while (room < need)
        room *= 4;
    grown = realloc(writer->buffer, room);
    if (grown == NULL)
        return fail(writer, DOIP_E_SYSTEM, "out of memory");
    writer->buffer = grown;
    writer->room = room;
    return 0;
}

static int close_chunk(doip_writer *writer);

/* Room for `size` more bytes, at most BUFFER_FULL: by growing, by sending, and where the stream does not wait by growing on. */
static int
reserve(doip_writer *writer, size_t size)
{
    int n = 0;

    if (writer->error != 0)
        return writer->error;
    if (writer->room - writer->end >= size)
        return 0;
    if (writer->end + size <= BUFFER_FULL)
        return grow(writer, writer->end + size);
    if (!writer->in_chunk)
        n = drain(writer);
    if (n < 0 && n != DOIP_E_AGAIN)
        return n;
    return writer->room - writer->end >= size ? 0 : grow(writer, writer->end + size);
}

static int
append(doip_writer *writer, const char *data, size_t size)
{
    while (size > 0) {
        size_t piece = size < BUFFER_FULL / 2 ? size : BUFFER_FULL / 2;
        int n = reserve(writer, piece);
        if (n < 0)
            return n;
        memcpy(writer->buffer + writer->end, data, piece);
        writer->end += piece;
        data += piece;
        size -= piece;
    }
    return 0;
}

/* ------------------------------------------------------------------ chunks */

static int
open_chunk(doip_writer *writer)
{
    int n = reserve(writer, HEADER_ROOM + 1);

    if (n < 0)
        return n;
    writer->in_chunk = true;
    writer->chunk = writer->end;
    writer->end += HEADER_ROOM;
    return 0;
}

/* Puts the size in front of what was collected, closing the gap that a short number leaves. */
static int
close_chunk(doip_writer *writer)
{
    char header[HEADER_ROOM + 8];
    char *at = writer->buffer + writer->chunk;
    size_t size, length;

    if (!writer->in_chunk)
        return 0;
    writer->in_chunk = false;
    size = writer->end - writer->chunk - HEADER_ROOM;
    if (size == 0) {
        writer->end = writer->chunk;
        return 0;
    }
    length = (size_t)snprintf(header, sizeof header, "%zu\n", size);
    memcpy(at, header, length);
    if (length < HEADER_ROOM) {
        memmove(at + length, at + HEADER_ROOM, size);
        writer->end -= HEADER_ROOM - length;
    }
    return append(writer, "\n", 1);
}

/* How much more the open chunk may take before the buffer is full; closes it and sends when it is. */
static int
chunk_room(doip_writer *writer, size_t *room)
{
    int n;

    if (writer->in_chunk && writer->end >= BUFFER_FULL - 1) {
        n = close_chunk(writer);
        if (n < 0)
            return n;
    }
    if (!writer->in_chunk && writer->end > BUFFER_FULL / 2) {
        n = drain(writer);
        if (n < 0 && n != DOIP_E_AGAIN)
            return n;
    }
    if (!writer->in_chunk && (n = open_chunk(writer)) < 0)
        return n;
    *room = writer->end < BUFFER_FULL - 1 ? BUFFER_FULL - 1 - writer->end : BUFFER_FULL / 2;
    return 0;
}

static int
collect(doip_writer *writer, const char *data, size_t size)
{
    while (size > 0) {
        size_t piece;
        int n = chunk_room(writer, &piece);

        if (n < 0)
            return n;
        if (piece > size)
            piece = size;
        n = append(writer, data, piece);
        if (n < 0)
            return n;
        data += piece;
        size -= piece;
    }
    return 0;
}

static int
large_header(doip_writer *writer, size_t size)
{
    char header[24];
    int n = close_chunk(writer);

    if (n < 0)
        return n;
    return append(writer, header, (size_t)snprintf(header, sizeof header, "%zu\n", size));
}

/* A chunk whose bytes go out from where they lie: the buffer is filled up to a whole record first. */
static int
large_chunk(doip_writer *writer, const char *data, size_t size)
{
    size_t fill;
    int n = large_header(writer, size);

    if (n < 0)
        return n;
    fill = RECORD - (writer->end - writer->sent) % RECORD;
    if ((n = append(writer, data, fill)) < 0)
        return n;
    n = drain(writer);
    if (n == DOIP_E_AGAIN)
        return append(writer, data + fill, size - fill) < 0 ? writer->error : append(writer, "\n", 1);
    writer->message_left = true;
    if (n == 0)
        n = doip_stream_write_all(writer->stream, data + fill, size - fill);
    if (n < 0)
        return fail(writer, n, doip_stream_reason(writer->stream));
    return append(writer, "\n", 1);
}

/* ------------------------------------------------------------------ segments */

static int
end_segment(doip_writer *writer)
{
    enum open_segment open = writer->open;
    int n;

    writer->open = OPEN_NONE;
    if (writer->error != 0)
        return writer->error;
    switch (open) {
    case OPEN_JSON:
        return append(writer, "\n#\n", 3);
    case OPEN_BYTES:
        n = close_chunk(writer);
        return n < 0 ? n : append(writer, "#\n", 2);
    default:
        return 0;
    }
}

static int
json_sink(const char *text, size_t length, void *closure)
{
    return append(closure, text, length);
}

int
doip_writer_json_begin(doip_writer *writer)
{
    int n = end_segment(writer);

    if (n == 0)
        writer->open = OPEN_JSON;
    return n;
}

int
doip_writer_json_value(doip_writer *writer, const json_t *value)
{
    int n;

    if (writer->error != 0)
        return writer->error;
    if (writer->open != OPEN_JSON)
        return DOIP_E_CONTENT;
    n = doip_json_write(value, json_sink, writer);
    return n == 0 ? 0 : fail(writer, DOIP_E_SYSTEM, "a JSON value could not be written");
}

int
doip_writer_json_text(doip_writer *writer, const char *text, size_t length)
{
    if (writer->error != 0)
        return writer->error;
    if (writer->open != OPEN_JSON || memchr(text, '\n', length) != NULL)
        return DOIP_E_CONTENT;
    return append(writer, text, length);
}

int
doip_writer_json(doip_writer *writer, const json_t *value)
{
    int n = doip_writer_json_begin(writer);

    if (n == 0)
        n = doip_writer_json_value(writer, value);
    return n == 0 ? end_segment(writer) : n;
}

int
doip_writer_bytes_begin(doip_writer *writer)
{
    int n = end_segment(writer);

    if (n == 0)
        n = append(writer, "@\n", 2);
    if (n == 0)
        writer->open = OPEN_BYTES;
    return n;
}

int
doip_writer_bytes(doip_writer *writer, const void *data, size_t size)
{
    const char *at = data;

    if (writer->error != 0)
        return writer->error;
    if (writer->open != OPEN_BYTES)
        return DOIP_E_CONTENT;
    while (size >= DIRECT_FROM) {
        size_t piece = size < LARGE_CHUNK ? size : LARGE_CHUNK;
        int n = large_chunk(writer, at, piece);
        if (n < 0)
            return n;
        at += piece;
        size -= piece;
    }
    return collect(writer, at, size);
}

/* Exactly `size` bytes of the file into the buffer and out. */
static int
pump(doip_writer *writer, int fd, off_t offset, size_t size)
{
    while (size > 0) {
        size_t piece = size < RECORD ? size : RECORD;
        ssize_t got;
        int n = reserve(writer, piece);

        if (n < 0)
            return n;
        got = pread(fd, writer->buffer + writer->end, piece, offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail(writer, DOIP_E_SYSTEM, strerror(errno));
        if (got == 0)
            return fail(writer, DOIP_E_SYSTEM, "the file is shorter than it was");
        writer->end += (size_t)got;
        offset += got;
        size -= (size_t)got;
    }
    return 0;
}

int
doip_writer_bytes_fd(doip_writer *writer, int fd, off_t offset, uint64_t length)
{
    if (writer->error != 0)
        return writer->error;
    if (writer->open != OPEN_BYTES)
        return DOIP_E_CONTENT;
    while (length > 0) {
        size_t piece = length < LARGE_CHUNK ? (size_t)length : LARGE_CHUNK;
        int n = large_header(writer, piece);

        if (n == 0)
            n = pump(writer, fd, offset, piece);
        if (n == 0)
            n = append(writer, "\n", 1);
        if (n < 0)
            return n;
        offset += (off_t)piece;
        length -= piece;
    }
    return 0;
}

int
doip_writer_empty(doip_writer *writer)
{
    int n = end_segment(writer);

    if (n == 0)
        n = append(writer, "#\n", 2);
    writer->message = writer->end;
    writer->message_left = false;
    return n;
}

bool
doip_writer_undo(doip_writer *writer)
{
    if (writer->message_left)
        return false;
    free(writer->reason);
    writer->reason = NULL;
    writer->error = 0;
    writer->end = writer->message;
    writer->open = OPEN_NONE;
    writer->in_chunk = false;
    return true;
}

int
doip_writer_flush(doip_writer *writer)
{
    int n;

    if (writer->error != 0)
        return writer->error;
    if ((n = close_chunk(writer)) < 0 || (n = drain(writer)) < 0)
        return n;
    release(writer);
    return 0;
}

bool
doip_writer_buffered(const doip_writer *writer)
{
    return writer->sent < writer->end;
}
