/*
 * Segments (protocol section 2): a reader that turns a stream's bytes into segments, and a writer for the reverse.
 *
 * The reader is incremental: on a stream that does not wait, each call may give DOIP_E_AGAIN and is simply repeated when the
 * stream is ready. Errors other than AGAIN and TIMEOUT are latched. Neither allocates by a number that a peer sent.
 * A reader or writer belongs to one thread at a time.
 */
#ifndef DOIP_SEGMENT_H
#define DOIP_SEGMENT_H

#include <stdbool.h>

#include <doip/json.h>
#include <doip/stream.h>

DOIP_BEGIN_DECLS

typedef enum doip_segment {
    DOIP_SEGMENT_ERROR = -1, /* handler.h and message.h: the input is broken; see there */
    DOIP_SEGMENT_END = 0,    /* the empty segment: the message is complete */
    DOIP_SEGMENT_JSON = 1,
    DOIP_SEGMENT_BYTES = 2,
} doip_segment;

/* "the empty segment", "a JSON segment", "a bytes segment": for messages. */
DOIP_API const char *doip_segment_name(doip_segment kind);

typedef struct doip_reader doip_reader;

/* A reader over `stream` (borrowed), with the most bytes that a JSON segment may have. */
DOIP_API doip_reader *doip_reader_new(doip_stream *stream, size_t json_limit);
DOIP_API void doip_reader_free(doip_reader **reader);

/*
 * Moves to the next segment and says its kind. What is left of the current one is read away first. A JSON segment is
 * read whole. After DOIP_SEGMENT_END the next call begins the next message; there, an end of the stream gives
 * *kind = DOIP_SEGMENT_END with the return value 0, else 1 is returned. Errors are negative.
 */
DOIP_API int doip_reader_next(doip_reader *reader, doip_segment *kind);

/* The text of the current JSON segment; not NUL-terminated, valid until the next call on the reader. */
DOIP_API const char *doip_reader_text(const doip_reader *reader, size_t *length);

/* Bytes of the current bytes segment: > 0, 0 at its end, < 0 an error. */
DOIP_API ssize_t doip_reader_read(doip_reader *reader, void *data, size_t size);

/*
 * Reads ahead until the message's empty segment is buffered, or `limit` bytes are, or an error waits to be met.
 * 0 then; DOIP_E_AGAIN, DOIP_E_TIMEOUT when more is to come. Changes nothing in what the other calls give.
 */
DOIP_API int doip_reader_ahead(doip_reader *reader, size_t limit);

/* True between two messages, with no byte of the next one seen (white space does not count). */
DOIP_API bool doip_reader_idle(const doip_reader *reader);
/* True when bytes of what comes next are already here: in the reader or inside its stream. */
DOIP_API bool doip_reader_buffered(const doip_reader *reader);
/* Gives buffers back to the system where they are empty (a connection that falls idle). */
DOIP_API void doip_reader_shrink(doip_reader *reader);
/* Overwrites what it has handed out of its buffer, the text of the current segment too. */
DOIP_API void doip_reader_wipe(doip_reader *reader);
/* Bytes of the current message consumed so far. */
DOIP_API uint64_t doip_reader_offset(const doip_reader *reader);

/*
 * The least rate (bytes per second) at which a peer must send a message, and how far it may fall behind that, in the time that it is
 * waited for; a reader that waits in its stream gives DOIP_E_TIMEOUT when it is further behind. What a peer sends faster makes up for what it
 * was behind, not for what it will be. Each message begins anew. 0: no such limit (the default); else at most 1 GiB.
 */
DOIP_API void doip_reader_set_rate(doip_reader *reader, uint64_t bytes_per_second, int grace_ms);
/* Milliseconds that the peer may still be waited for before that rate is missed; -1 without a rate. */
DOIP_API int64_t doip_reader_patience(doip_reader *reader);

/* The deepest nesting of JSON that a message over this reader may have; 0: what doip_json_parse() takes (the default). */
DOIP_API void doip_reader_set_depth(doip_reader *reader, unsigned levels);
DOIP_API unsigned doip_reader_depth(const doip_reader *reader);

/* Why the last call failed ("a chunk size must not begin with 0, at byte 17 of the message"). */
DOIP_API const char *doip_reader_reason(const doip_reader *reader);

typedef struct doip_writer doip_writer;

/* A writer over `stream` (borrowed). Everything is buffered until doip_writer_flush() or the buffer is full. */
DOIP_API doip_writer *doip_writer_new(doip_stream *stream);
DOIP_API void doip_writer_free(doip_writer **writer);

/* Each returns 0 or a doip_error, which is latched (but for DOIP_E_AGAIN from flush). A segment that is open
 * (bytes, or streamed JSON) is ended by the next segment or by doip_writer_empty(). */

/* A whole JSON segment. `value` stays the caller's. */
DOIP_API int doip_writer_json(doip_writer *writer, const json_t *value);
/* A JSON segment in pieces: begin, then values and text of one line in any number. */
DOIP_API int doip_writer_json_begin(doip_writer *writer);
DOIP_API int doip_writer_json_value(doip_writer *writer, const json_t *value);
/* `text` must hold no newline, and not be another kind of segment (`#` or `@` first): DOIP_E_CONTENT, nothing written. */
DOIP_API int doip_writer_json_text(doip_writer *writer, const char *text, size_t length);

/* A bytes segment: begin, then data in any number of pieces. */
DOIP_API int doip_writer_bytes_begin(doip_writer *writer);
DOIP_API int doip_writer_bytes(doip_writer *writer, const void *data, size_t size);
/* Bytes read from a descriptor by pread from `offset`; exactly `length`, or the error is latched (DOIP_E_SYSTEM). */
DOIP_API int doip_writer_bytes_fd(doip_writer *writer, int fd, off_t offset, uint64_t length);

/* The empty segment, which ends the message. */
DOIP_API int doip_writer_empty(doip_writer *writer);

/* Takes back the message that is not ended yet, and an error met in it, if none of it has gone to the stream; false where that
 * can't be. */
DOIP_API bool doip_writer_undo(doip_writer *writer);

/* Sends what is buffered: 0 when all of it went, DOIP_E_AGAIN, or another error. */
DOIP_API int doip_writer_flush(doip_writer *writer);
/* The same as of a reader: the least rate at which a peer must take what is written, from when there is something until all is flushed. */
DOIP_API void doip_writer_set_rate(doip_writer *writer, uint64_t bytes_per_second, int grace_ms);
DOIP_API int64_t doip_writer_patience(doip_writer *writer);
/* How many bytes wait to be flushed. */
DOIP_API size_t doip_writer_buffered(const doip_writer *writer);
/* The error that was latched, 0 where there is none; and why, in words. */
DOIP_API int doip_writer_error(const doip_writer *writer);
DOIP_API const char *doip_writer_reason(const doip_writer *writer);

DOIP_END_DECLS

#endif
