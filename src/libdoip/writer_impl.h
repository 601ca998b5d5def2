/*
 * What the files of the segment writer share: its buffer (writer_buffer.c), the chunks of bytes segments (writer_chunk.c), and the segments
 * (writer.c). Inside libdoip only; each call runs in the thread that owns the writer's stream.
 */
#ifndef LIBDOIP_WRITER_IMPL_H
#define LIBDOIP_WRITER_IMPL_H

#include <doip/segment.h>

#include "pace.h"

enum {
    BUFFER_FIRST =
        1024, /* what malloc() has at hand (its per-thread cache); enough for most answers */
    BUFFER_FULL = 65536,
    HEADER_ROOM = 6,          /* "65536\n" */
    RECORD = 16384,           /* what one TLS record holds */
    DIRECT_FROM = 2 * RECORD, /* pieces of this size are not copied */
    LARGE_CHUNK =
        1024 * 1024, /* most that one chunk of a large piece has: readers may hold a chunk whole */
};

enum open_segment { OPEN_NONE, OPEN_JSON, OPEN_BYTES };

struct doip_writer {
    doip_stream *stream;
    char *buffer;
    size_t room;
    size_t sent;
    size_t end;
    enum open_segment open;
    bool has_text; /* OPEN_JSON: its first byte is written */
    bool in_chunk; /* a chunk is being collected: its header's room lies at `chunk` */
    size_t chunk;
    size_t message;    /* where the message begins in the buffer */
    bool message_left; /* some of it has gone to the stream */
    struct pace pace;
    bool paced; /* begun since all was flushed: at the first wait */
    int error;
    char *reason;
};

/* All give 0 or a doip_error. */

/* Latches the first error, and gives it back. */
int writer_fail(doip_writer *writer, int error, const char *what);
int writer_send_failed(doip_writer *writer, int error);

/* A write to the stream, which waits as long as the peer takes something within the stream's bound, and enough for its least rate. */
ssize_t writer_push(doip_writer *writer, const char *data, size_t size);

/* Sends what is in the buffer; what could not go yet stays there (DOIP_E_AGAIN). */
int writer_drain(doip_writer *writer);

/* Room for `size` more bytes, at most BUFFER_FULL: by growing, by sending, and where the stream does not wait by growing on. */
int writer_reserve(doip_writer *writer, size_t size);
int writer_append(doip_writer *writer, const char *data, size_t size);

/* As doip_writer_json_value(), of a string. */
int writer_json_string(doip_writer *writer, const char *text);

/* Gives the empty buffer back. */
void writer_release(doip_writer *writer);

/* Collects small pieces into a chunk, and ends the one that is open. */
int chunk_collect(doip_writer *writer, const char *data, size_t size);
int chunk_close(doip_writer *writer);

/* The header of a chunk of its own, and a chunk whose bytes go out from where they lie. */
int chunk_header(doip_writer *writer, size_t size);
int chunk_send(doip_writer *writer, const char *data, size_t size);

#endif
