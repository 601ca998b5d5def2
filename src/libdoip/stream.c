/*
 * Streams: the part that all implementations share: latching of errors, waiting with a bound, counting.
 * Called by readers, writers and owners of connections, in whichever thread owns the stream.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "stream_impl.h"

enum { TURN = 256 * 1024 }; /* bytes: some 200 us of TLS */

const char *
doip_error_text(int error)
{
    switch (error) {
    case DOIP_E_AGAIN:
        return "would have to wait";
    case DOIP_E_TIMEOUT:
        return "timed out";
    case DOIP_E_BROKEN:
        return "the connection broke";
    case DOIP_E_TLS:
        return "TLS failure";
    case DOIP_E_FRAMING:
        return "broken framing";
    case DOIP_E_LIMIT:
        return "a limit was passed";
    case DOIP_E_CONTENT:
        return "wrong content";
    case DOIP_E_SYSTEM:
        return "system error";
    case DOIP_E_MEMORY:
        return "memory is short";
    default:
        return error < 0 ? "unknown error" : "no error";
    }
}

void
stream_init(doip_stream *stream, const struct doip_stream_ops *ops, int fd)
{
    memset(stream, 0, sizeof *stream);
    stream->ops = ops;
    stream->fd = fd;
    stream->read_ms = -1;
    stream->write_ms = -1;
}

int
stream_fail(doip_stream *stream, int error, const char *format, ...)
{
    va_list ap;

    if (stream->error != 0)
        return stream->error;
    stream->error = error;
    free(stream->reason);
    va_start(ap, format);
    if (vasprintf(&stream->reason, format, ap) < 0)
        stream->reason = NULL;
    va_end(ap);
    return error;
}

static int64_t
now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int
poll_until(struct pollfd *poller, int ms)
{
    int64_t start = now_ms();
    int left = ms;

    for (;;) {
        int n = poll(poller, 1, left);
        if (n >= 0 || errno != EINTR)
            return n;
        if (ms > 0) {
            int64_t gone = now_ms() - start;
            left = gone < ms ? (int)(ms - gone) : 0;
        }
    }
}

int
stream_wait(doip_stream *stream, int what, int ms)
{
    struct pollfd poller = {.fd = stream->fd};
    int64_t start;
    int n;

    if (ms == 0 || stream->fd < 0)
        return DOIP_E_AGAIN;
    poller.events = stream->wants == DOIP_WANT_WRITE ? POLLOUT : POLLIN;
    start = now_ms();
    n = poll_until(&poller, ms);
    stream->waited[what == DOIP_WANT_WRITE] += now_ms() - start;
    if (n < 0)
        return stream_fail(stream, DOIP_E_SYSTEM, "poll: %s", strerror(errno));
    return n == 0 ? DOIP_E_TIMEOUT : 0;
}

int
stream_wait_since(doip_stream *stream, int what, int ms, int64_t waited)
{
    int64_t left = ms - (doip_stream_waited(stream, what) - waited);

    if (ms > 0 && left <= 0)
        return DOIP_E_TIMEOUT;
    return stream_wait(stream, what, ms > 0 ? (int)left : ms);
}

/*
 * A transfer computes as long as its peer keeps up, and the kernel lets it do so for milliseconds while short requests wait: every TURN it offers its place.
 * `count`: of the bytes that went one way, to which `n` are added.
 */
static void
count_bytes(uint64_t *count, ssize_t n)
{
    uint64_t before = *count;

    *count += (uint64_t)n;
    if (before / TURN != *count / TURN)
        sched_yield();
}

ssize_t
stream_read_within(doip_stream *stream, void *data, size_t size, int ms)
{
    int64_t waited = doip_stream_waited(stream, DOIP_WANT_READ);

    /* A read of nothing would look like the end. */
    while (size > 0 && stream->error == 0 && !stream->ended) {
        ssize_t n = stream->ops->read(stream, data, size);
        if (n > 0)
            count_bytes(&stream->bytes_in, n);
        if (n == 0)
            stream->ended = true;
        if (n != DOIP_E_AGAIN)
            return n;
        n = stream_wait_since(stream, DOIP_WANT_READ, ms, waited);
        if (n < 0)
            return n;
    }
    return stream->error;
}

ssize_t
doip_stream_read(doip_stream *stream, void *data, size_t size)
{
    return stream_read_within(stream, data, size, stream->read_ms);
}

/* The peer takes no more: that ends writing only. */
static ssize_t
written(doip_stream *stream, ssize_t n)
{
    if (n > 0)
        count_bytes(&stream->bytes_out, n);
    if (n == DOIP_E_BROKEN) {
        stream->write_error = (int)n;
        stream->error = 0;
    }
    return n;
}

ssize_t
stream_write_now(doip_stream *stream, const void *data, size_t size)
{
    if (stream->error != 0 || stream->write_error != 0)
        return stream->error != 0 ? stream->error : stream->write_error;
    return written(stream, stream->ops->write(stream, data, size));
}

ssize_t
doip_stream_write(doip_stream *stream, const void *data, size_t size)
{
    int64_t waited = doip_stream_waited(stream, DOIP_WANT_WRITE);

    for (;;) {
        ssize_t n = stream_write_now(stream, data, size);
        if (n != DOIP_E_AGAIN)
            return n;
        n = stream_wait_since(stream, DOIP_WANT_WRITE, stream->write_ms, waited);
        if (n < 0)
            return n;
    }
}

int
doip_stream_write_all(doip_stream *stream, const void *data, size_t size)
{
    const char *at = data;

    while (size > 0) {
        ssize_t n = doip_stream_write(stream, at, size);
        if (n < 0)
            return (int)n;
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

void
doip_stream_set_waits(doip_stream *stream, int read_ms, int write_ms)
{
    stream->read_ms = read_ms;
    stream->write_ms = write_ms;
}

int64_t
doip_stream_waited(const doip_stream *stream, int what)
{
    return stream->waited[what == DOIP_WANT_WRITE];
}

void
doip_stream_add_waited(doip_stream *stream, int what, int64_t ms)
{
    stream->waited[what == DOIP_WANT_WRITE] += ms;
}

int
doip_stream_wants(const doip_stream *stream)
{
    return stream->wants;
}

bool
doip_stream_pending(doip_stream *stream)
{
    return stream->error == 0 && stream->ops->pending(stream);
}

uint64_t
doip_stream_bytes_in(const doip_stream *stream)
{
    return stream->bytes_in;
}

uint64_t
doip_stream_bytes_out(const doip_stream *stream)
{
    return stream->bytes_out;
}

uint64_t
doip_stream_taken(const doip_stream *stream)
{
    int queued = 0;

    if (stream->fd >= 0 && ioctl(stream->fd, SIOCOUTQ, &queued) < 0)
        return stream->bytes_out;
    return stream->bytes_out > (uint64_t)queued ? stream->bytes_out - (uint64_t)queued : 0;
}

int
doip_stream_fd(const doip_stream *stream)
{
    return stream->fd;
}

const char *
doip_stream_reason(const doip_stream *stream)
{
    if (stream->reason != NULL)
        return stream->reason;
    if (stream->error != 0 || stream->write_error != 0)
        return doip_error_text(stream->error != 0 ? stream->error : stream->write_error);
    return "";
}

int
doip_stream_finish(doip_stream *stream)
{
    int64_t waited = doip_stream_waited(stream, DOIP_WANT_WRITE);

    while (stream->error == 0 && stream->write_error == 0) {
        int n = (int)written(stream, stream->ops->finish(stream));
        if (n != DOIP_E_AGAIN)
            return n;
        n = stream_wait_since(stream, DOIP_WANT_WRITE, stream->write_ms, waited);
        if (n < 0)
            return n;
    }
    return stream->error != 0 ? stream->error : stream->write_error;
}

void
doip_stream_free(doip_stream **stream)
{
    doip_stream *gone = *stream;

    *stream = NULL;
    if (gone == NULL)
        return;
    free(gone->reason);
    gone->ops->free(gone);
}
