/*
 * The writer's buffer: grows to BUFFER_FULL, is sent when it is full or flushed, and goes back when it is empty. See writer_impl.h.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "stream_impl.h"
#include "writer_impl.h"

int
writer_fail(doip_writer *writer, int error, const char *what)
{
    if (writer->error != 0)
        return writer->error;
    writer->error = error;
    writer->reason = strdup(what);
    return error;
}

void
writer_release(doip_writer *writer)
{
    free(writer->buffer);
    writer->buffer = NULL;
    writer->room = writer->sent = writer->end = writer->message = 0;
}

int
writer_send_failed(doip_writer *writer, int error)
{
    return writer_fail(writer, error,
                error == DOIP_E_TIMEOUT ? "the peer read nothing, or too slowly" : doip_stream_reason(writer->stream));
}

/* How long the stream may wait now, -1 for ever. */
static int
allowed_ms(doip_writer *writer)
{
    int64_t patience = doip_writer_patience(writer);
    int ms = writer->stream->write_ms;

    if (patience >= 0 && (ms < 0 || patience < ms))
        return patience < INT_MAX ? (int)patience : INT_MAX;
    return ms;
}

ssize_t
writer_push(doip_writer *writer, const char *data, size_t size)
{
    doip_stream *stream = writer->stream;

    for (;;) {
        ssize_t n = stream_write_now(stream, data, size);
        uint64_t taken;
        int ms;

        if (n != DOIP_E_AGAIN || stream->write_ms == 0)
            return n;
        taken = doip_stream_taken(stream);
        ms = allowed_ms(writer);
        if (ms == 0)
            return DOIP_E_TIMEOUT;
        n = stream_wait(stream, DOIP_WANT_WRITE, ms);
        /* The system may want no more although the peer goes on reading: not before a third of what is queued has gone. */
        if (n < 0 && !(n == DOIP_E_TIMEOUT && doip_stream_taken(stream) > taken))
            return n;
    }
}

int
writer_drain(doip_writer *writer)
{
    while (writer->sent < writer->end) {
        ssize_t n = writer_push(writer, writer->buffer + writer->sent, writer->end - writer->sent);
        /* TLS may hold a record of it that is made already, and must go out as it is. */
        if (n < 0 && writer->end > writer->message)
            writer->message_left = true;
        if (n == DOIP_E_AGAIN)
            return (int)n;
        if (n < 0)
            return writer_send_failed(writer, (int)n);
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
        return writer_fail(writer, DOIP_E_SYSTEM, "out of memory");
    writer->buffer = grown;
    writer->room = room;
    return 0;
}

int
writer_reserve(doip_writer *writer, size_t size)
{
    int n = 0;

    if (writer->error != 0)
        return writer->error;
    if (writer->room - writer->end >= size)
        return 0;
    if (writer->end + size <= BUFFER_FULL)
        return grow(writer, writer->end + size);
    if (!writer->in_chunk)
        n = writer_drain(writer);
    if (n < 0 && n != DOIP_E_AGAIN)
        return n;
    return writer->room - writer->end >= size ? 0 : grow(writer, writer->end + size);
}

int
writer_append(doip_writer *writer, const char *data, size_t size)
{
    while (size > 0) {
        size_t piece = size < BUFFER_FULL / 2 ? size : BUFFER_FULL / 2;
        int n = writer_reserve(writer, piece);
        if (n < 0)
            return n;
        memcpy(writer->buffer + writer->end, data, piece);
        writer->end += piece;
        data += piece;
        size -= piece;
    }
    return 0;
}
