/*
 * The chunks of a bytes segment: small pieces share one, whose size is put in front of them when it is closed; large pieces go to the
 * stream from where they lie. See writer_impl.h.
 */
#include <stdio.h>
#include <string.h>

#include "writer_impl.h"

static int
open_chunk(doip_writer *writer)
{
    int n = writer_reserve(writer, HEADER_ROOM + 1);

    if (n < 0)
        return n;
    writer->in_chunk = true;
    writer->chunk = writer->end;
    writer->end += HEADER_ROOM;
    return 0;
}

/* Puts the size in front of what was collected, closing the gap that a short number leaves. */
int
chunk_close(doip_writer *writer)
{
    char header[HEADER_ROOM + 8];
    size_t size, length;
    char *at;

    if (!writer->in_chunk)
        return 0;
    at = writer->buffer + writer->chunk;
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
    return writer_append(writer, "\n", 1);
}

/* How much more the open chunk may take before the buffer is full; closes it and sends when it is. */
static int
chunk_room(doip_writer *writer, size_t *room)
{
    int n;

    if (writer->in_chunk && writer->end >= BUFFER_FULL - 1) {
        n = chunk_close(writer);
        if (n < 0)
            return n;
    }
    if (!writer->in_chunk && writer->end > BUFFER_FULL / 2) {
        n = writer_drain(writer);
        if (n < 0 && n != DOIP_E_AGAIN)
            return n;
    }
    if (!writer->in_chunk && (n = open_chunk(writer)) < 0)
        return n;
    *room = writer->end < BUFFER_FULL - 1 ? BUFFER_FULL - 1 - writer->end : BUFFER_FULL / 2;
    return 0;
}

int
chunk_collect(doip_writer *writer, const char *data, size_t size)
{
    while (size > 0) {
        size_t piece;
        int n = chunk_room(writer, &piece);

        if (n < 0)
            return n;
        if (piece > size)
            piece = size;
        n = writer_append(writer, data, piece);
        if (n < 0)
            return n;
        data += piece;
        size -= piece;
    }
    return 0;
}

int
chunk_header(doip_writer *writer, size_t size)
{
    char header[24];
    int n = chunk_close(writer);

    if (n < 0)
        return n;
    return writer_append(writer, header, (size_t)snprintf(header, sizeof header, "%zu\n", size));
}

/* Sends bytes from where they lie, after all that is buffered; what can't go now without waiting joins the buffer. */
static int
send_directly(doip_writer *writer, const char *data, size_t size)
{
    ssize_t n = writer_drain(writer);

    if (n == 0)
        writer->message_left = true;
    while (n >= 0 && size > 0) {
        n = writer_push(writer, data, size);
        if (n > 0) {
            data += n;
            size -= (size_t)n;
        }
    }
    if (n == DOIP_E_AGAIN)
        return writer_append(writer, data, size);
    return n < 0 ? writer_send_failed(writer, (int)n) : 0;
}

/* A chunk whose bytes go out from where they lie: the buffer is filled up to a whole record first. */
int
chunk_send(doip_writer *writer, const char *data, size_t size)
{
    size_t fill;
    int n = chunk_header(writer, size);

    if (n < 0)
        return n;
    fill = RECORD - (writer->end - writer->sent) % RECORD;
    n = writer_append(writer, data, fill);
    if (n == 0)
        n = send_directly(writer, data + fill, size - fill);
    return n == 0 ? writer_append(writer, "\n", 1) : n;
}
