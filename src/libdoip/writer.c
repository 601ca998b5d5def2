/*
 * The segment writer: the plainest form of every segment (protocol section 2), collected in a buffer and sent when it is full or flushed.
 * Runs in the thread that owns the stream.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "writer_impl.h"

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

int
doip_writer_error(const doip_writer *writer)
{
    return writer->error;
}

const char *
doip_writer_reason(const doip_writer *writer)
{
    return writer->reason != NULL ? writer->reason : "";
}

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
        return writer_append(writer, "\n#\n", 3);
    case OPEN_BYTES:
        n = chunk_close(writer);
        return n < 0 ? n : writer_append(writer, "#\n", 2);
    default:
        return 0;
    }
}

static int
json_sink(const char *text, size_t length, void *closure)
{
    return writer_append(closure, text, length);
}

int
doip_writer_json_begin(doip_writer *writer)
{
    int n = end_segment(writer);

    if (n == 0)
        writer->open = OPEN_JSON;
    writer->has_text = false;
    return n;
}

/* `string`: a text for a JSON string, where there is no value. */
static int
write_value(doip_writer *writer, const json_t *value, const char *string)
{
    int n;

    if (writer->error != 0)
        return writer->error;
    if (writer->open != OPEN_JSON)
        return DOIP_E_CONTENT;
    writer->has_text = true;
    n = string != NULL ? doip_json_write_string(string, strlen(string), json_sink, writer)
                       : doip_json_write(value, json_sink, writer);
    return n == 0 ? 0 : writer_fail(writer, DOIP_E_SYSTEM, "a JSON value could not be written");
}

int
doip_writer_json_value(doip_writer *writer, const json_t *value)
{
    return write_value(writer, value, NULL);
}

int
writer_json_string(doip_writer *writer, const char *text)
{
    return write_value(writer, NULL, text);
}

int
doip_writer_json_text(doip_writer *writer, const char *text, size_t length)
{
    if (writer->error != 0)
        return writer->error;
    if (length == 0 && writer->open == OPEN_JSON)
        return 0;
    if (writer->open != OPEN_JSON || memchr(text, '\n', length) != NULL)
        return DOIP_E_CONTENT;
    if (!writer->has_text && (*text == '#' || *text == '@'))
        return DOIP_E_CONTENT;
    writer->has_text = true;
    return writer_append(writer, text, length);
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
        n = writer_append(writer, "@\n", 2);
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
        int n = chunk_send(writer, at, piece);
        if (n < 0)
            return n;
        at += piece;
        size -= piece;
    }
    return chunk_collect(writer, at, size);
}

/* Exactly `size` bytes of the file into the buffer and out. */
static int
pump(doip_writer *writer, int fd, off_t offset, size_t size)
{
    while (size > 0) {
        size_t piece = size < RECORD ? size : RECORD;
        ssize_t got;
        int n = writer_reserve(writer, piece);

        if (n < 0)
            return n;
        got = pread(fd, writer->buffer + writer->end, piece, offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return writer_fail(writer, DOIP_E_SYSTEM, strerror(errno));
        if (got == 0)
            return writer_fail(writer, DOIP_E_SYSTEM, "the file is shorter than it was");
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
        int n = chunk_header(writer, piece);

        if (n == 0)
            n = pump(writer, fd, offset, piece);
        if (n == 0)
            n = writer_append(writer, "\n", 1);
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
        n = writer_append(writer, "#\n", 2);
    if (n < 0)
        return n; /* the message is still open: it can be taken back */
    writer->message = writer->end;
    writer->message_left = false;
    return 0;
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
    if ((n = chunk_close(writer)) < 0 || (n = writer_drain(writer)) < 0)
        return n;
    writer_release(writer);
    writer->paced = false;
    return 0;
}

void
doip_writer_set_rate(doip_writer *writer, uint64_t bytes_per_second, int grace_ms)
{
    pace_set(&writer->pace, bytes_per_second, grace_ms);
    writer->paced = false;
}

int64_t
doip_writer_patience(doip_writer *writer)
{
    uint64_t taken = doip_stream_taken(writer->stream);
    int64_t waited = doip_stream_waited(writer->stream, DOIP_WANT_WRITE);

    if (!writer->paced)
        pace_begin(&writer->pace, taken, waited);
    writer->paced = true;
    return pace_patience(&writer->pace, taken, waited);
}

size_t
doip_writer_buffered(const doip_writer *writer)
{
    return writer->end - writer->sent;
}
