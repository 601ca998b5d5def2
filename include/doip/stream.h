/*
 * Streams: the one interface under everything that carries DOIP. A TLS connection (tls.h) and a
 * pair of memory buffers (below) implement it; servers, clients, unit tests, fuzzers and a handler
 * author's tests all run the same codec over it.
 *
 * Contract of read and write:
 *   > 0   so many bytes were moved (maybe fewer than asked)
 *   0     read only: the peer has ended the stream. Latched
 *   < 0   a doip_error. DOIP_E_AGAIN and DOIP_E_TIMEOUT may be tried again; all others are latched:
 *         every later call gives the same error, and doip_stream_reason() says why. A write's DOIP_E_BROKEN
 *         ends writing only: what the peer had sent before it went (an early answer) can still be read
 * A stream belongs to one thread at a time; different streams may be used by different threads.
 */
#ifndef DOIP_STREAM_H
#define DOIP_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <doip/protocol.h>

DOIP_BEGIN_DECLS

/* What can go wrong below the level of a DOIP status. All are negative. */
typedef enum doip_error {
    DOIP_E_AGAIN = -1,   /* would have to wait, and the stream does not wait */
    DOIP_E_TIMEOUT = -2, /* waited as long as it may */
    DOIP_E_BROKEN = -3,  /* the peer went away, or ended the stream inside a message */
    DOIP_E_TLS = -4,     /* the TLS layer refused what came */
    DOIP_E_FRAMING = -5, /* bytes that are no DOIP segment: what follows can't be found */
    DOIP_E_LIMIT = -6,   /* a limit on size was passed; treated as a framing error */
    DOIP_E_CONTENT = -7, /* well framed, but not what is due: the message can be read on */
    DOIP_E_SYSTEM = -8,  /* the system said no; the reason holds errno in words */
    DOIP_E_MEMORY = -9,  /* memory was short for a segment's content: the message can be read on */
} doip_error;

/* A short text for an error, never NULL; static. */
DOIP_API const char *doip_error_text(int error);

typedef struct doip_stream doip_stream;

/* Which readiness a stream that gave DOIP_E_AGAIN is waiting for. */
enum { DOIP_WANT_READ = 1, DOIP_WANT_WRITE = 2 };

/* Reads up to `size` bytes. */
DOIP_API ssize_t doip_stream_read(doip_stream *stream, void *data, size_t size);

/* Writes up to `size` bytes. */
DOIP_API ssize_t doip_stream_write(doip_stream *stream, const void *data, size_t size);

/* Writes all; 0, or a doip_error. */
DOIP_API int doip_stream_write_all(doip_stream *stream, const void *data, size_t size);

/* How long a single read or write may wait for the peer in all, in milliseconds: 0 never waits (DOIP_E_AGAIN),
 * -1 waits for ever. New streams wait for ever. */
DOIP_API void doip_stream_set_waits(doip_stream *stream, int read_ms, int write_ms);

/* Milliseconds this stream has spent waiting for its peer, in all, to read from it (DOIP_WANT_READ; the handshake, too) or to write.
 * doip_stream_add_waited() is for an owner that waits by itself (epoll) instead of in the stream. */
DOIP_API int64_t doip_stream_waited(const doip_stream *stream, int what);
DOIP_API void doip_stream_add_waited(doip_stream *stream, int what, int64_t ms);

/* The readiness (DOIP_WANT_*) that the last DOIP_E_AGAIN waits for. */
DOIP_API int doip_stream_wants(const doip_stream *stream);

/* True when bytes wait inside the stream, unseen by poll and epoll on its descriptor. */
DOIP_API bool doip_stream_pending(doip_stream *stream);

/* Bytes that went in and out since the stream was made (payload, not TLS overhead). */
DOIP_API uint64_t doip_stream_bytes_in(const doip_stream *stream);
DOIP_API uint64_t doip_stream_bytes_out(const doip_stream *stream);

/* Of the bytes that went out, how many the peer's system has taken; of the others ours keeps copies. */
DOIP_API uint64_t doip_stream_taken(const doip_stream *stream);

/* The descriptor to wait on, -1 for a memory stream. It stays the stream's. */
DOIP_API int doip_stream_fd(const doip_stream *stream);

/* Why the stream failed, for a log or a user; "" where it did not. Valid until the next call. */
DOIP_API const char *doip_stream_reason(const doip_stream *stream);

/* Says the orderly end (close_notify for TLS) and ends the writing side. 0, DOIP_E_AGAIN, or another error.
 * Not calling it before doip_stream_free() is how a broken answer is made visible (protocol section 4). */
DOIP_API int doip_stream_finish(doip_stream *stream);

/* Frees the stream, closes its descriptor, and sets *stream to NULL. NULL is fine. */
DOIP_API void doip_stream_free(doip_stream **stream);

/*
 * A memory stream. Reads give what was fed; writes are collected. When what was fed is used up, reads give
 * 0 if doip_memory_end() was called, else DOIP_E_AGAIN.
 */
DOIP_API doip_stream *doip_memory_new(void);
DOIP_API void doip_memory_feed(doip_stream *stream, const void *data, size_t size);
DOIP_API void doip_memory_end(doip_stream *stream);
/* Most bytes a single read gives (0: no bound), to test every split of the input. */
DOIP_API void doip_memory_set_step(doip_stream *stream, size_t step);
/* What was written so far; owned by the stream, valid until the next write. */
DOIP_API const char *doip_memory_output(const doip_stream *stream, size_t *size);

DOIP_END_DECLS

#endif
