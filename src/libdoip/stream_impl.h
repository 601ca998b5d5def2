/*
 * What an implementation of a stream (TLS, memory) shares with stream.c. Inside libdoip only.
 */
#ifndef LIBDOIP_STREAM_IMPL_H
#define LIBDOIP_STREAM_IMPL_H

#include <doip/stream.h>

/* read and write never wait: they give DOIP_E_AGAIN after setting `wants`; stream.c does the waiting. */
struct doip_stream_ops {
    ssize_t (*read)(doip_stream *stream, void *data, size_t size);
    ssize_t (*write)(doip_stream *stream, const void *data, size_t size);
    int (*finish)(doip_stream *stream);
    bool (*pending)(doip_stream *stream);
    void (*free)(doip_stream *stream);
};

/* First member of each implementation's own struct. */
struct doip_stream {
    const struct doip_stream_ops *ops;
    int fd;
    int read_ms;
    int write_ms;
    int wants;
    int error;       /* latched */
    int write_error; /* latched: the peer takes no more, but what it has sent may still be read */
    bool ended;
    int64_t waited[2]; /* ms: to read, to write */
    uint64_t bytes_in;
    uint64_t bytes_out;
    char *reason; /* made when there is one: most streams never need it */
};

void stream_init(doip_stream *stream, const struct doip_stream_ops *ops, int fd);

/* Latches an error with its reason, and returns it. The first one stays. */
int stream_fail(doip_stream *stream, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As doip_stream_read(), waiting at most `ms` (-1: for ever); and as doip_stream_write(), without waiting. */
ssize_t stream_read_within(doip_stream *stream, void *data, size_t size, int ms);
ssize_t stream_write_now(doip_stream *stream, const void *data, size_t size);

/* Waits, to read or to write (DOIP_WANT_…, whatever the stream itself wants for it), at most `ms`: 0 when ready, DOIP_E_AGAIN for ms 0,
 * DOIP_E_TIMEOUT, DOIP_E_SYSTEM. */
int stream_wait(doip_stream *stream, int what, int ms);

/* The same for one call that may wait several times: at most `ms` in all since doip_stream_waited(stream, what) was `waited`. */
int stream_wait_since(doip_stream *stream, int what, int ms, int64_t waited);

#endif
