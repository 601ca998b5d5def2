/*
 * TLS streams: all of the project's SSL_* input and output. One function maps OpenSSL's outcomes to ours; a BIO of our own moves the
 * bytes, so that a vanished peer raises no SIGPIPE and its errno is ours to report.
 * A stream is used by one thread at a time; the context is shared by all.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <doip/tls.h>

#include "stream_impl.h"

struct tls {
    doip_stream base;
    SSL *ssl;
    int failure;    /* errno of the socket call that failed */
    bool silent;    /* the socket gave its end */
    bool closing;   /* close_notify is out */
};

/* ------------------------------------------------------------------ the BIO below OpenSSL */

static int
socket_write(BIO *bio, const char *data, int size)
{
    struct tls *tls = BIO_get_data(bio);
    ssize_t n;

    BIO_clear_retry_flags(bio);
    do
        n = send(tls->base.fd, data, (size_t)size, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        BIO_set_retry_write(bio);
    else if (n < 0)
        tls->failure = errno;
    return (int)n;
}

static int
socket_read(BIO *bio, char *data, int size)
{
    struct tls *tls = BIO_get_data(bio);
    ssize_t n;

    BIO_clear_retry_flags(bio);
    do
        n = recv(tls->base.fd, data, (size_t)size, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        BIO_set_retry_read(bio);
    else if (n < 0)
        tls->failure = errno;
    else if (n == 0)
        tls->silent = true;
    return (int)n;
}

static long
socket_ctrl(BIO *bio, int command, long number, void *pointer)
{
    struct tls *tls = BIO_get_data(bio);

    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_EOF)
        return tls->silent;
    return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP;
}

static BIO_METHOD *
socket_method_make(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "doip socket");

    if (method == NULL)
        return NULL;
    BIO_meth_set_write(method, socket_write);
    BIO_meth_set_read(method, socket_read);
    BIO_meth_set_ctrl(method, socket_ctrl);
    return method;
}

/* One for all. NULL where memory is short, for this time: the next call tries again. */
static BIO_METHOD *
socket_method(void)
{
    static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
    static _Atomic(BIO_METHOD *) made;
    BIO_METHOD *method = atomic_load(&made);

    if (method != NULL)
        return method;
    pthread_mutex_lock(&making);
    method = atomic_load(&made);
    if (method == NULL)
        atomic_store(&made, method = socket_method_make());
    pthread_mutex_unlock(&making);
    return method;
}

static BIO *
socket_bio(struct tls *tls)
{
    const BIO_METHOD *method = socket_method();
    BIO *bio = method != NULL ? BIO_new(method) : NULL;

    if (bio == NULL)
        return NULL;
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    return bio;
}

/* ------------------------------------------------------------------ outcomes */

const char *
doip_tls_error(void)
{
    static _Thread_local char text[256];
    unsigned long code = ERR_get_error();
    const char *reason = ERR_reason_error_string(code);

    if (code == 0)
        snprintf(text, sizeof text, "no reason given");
    else if (reason != NULL)
        snprintf(text, sizeof text, "%s", reason);
    else
        ERR_error_string_n(code, text, sizeof text);
    ERR_clear_error();
    return text;
}

/* The one place where OpenSSL's results become ours. `n` is what the SSL_ call returned, not positive. */
static int
outcome(struct tls *tls, int n)
{
    doip_stream *stream = &tls->base;

    switch (SSL_get_error(tls->ssl, n)) {
    case SSL_ERROR_WANT_READ:
        stream->wants = DOIP_WANT_READ;
        return DOIP_E_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        stream->wants = DOIP_WANT_WRITE;
        return DOIP_E_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        if (tls->failure != 0)
            return stream_fail(stream, DOIP_E_BROKEN, "%s", strerror(tls->failure));
        if (tls->silent)
            return 0;
        return stream_fail(stream, DOIP_E_TLS, "TLS: %s", doip_tls_error());
    default:
        return stream_fail(stream, DOIP_E_TLS, "TLS: %s", doip_tls_error());
    }
}

/* What an earlier call left behind must not be taken for this one's. */
static void
begin(struct tls *tls)
{
    /* Mostly there is nothing, and clearing that is 64 calls of free(). */
    if (ERR_peek_error() != 0)
        ERR_clear_error();
    tls->failure = 0;
}

static ssize_t
tls_read(doip_stream *stream, void *data, size_t size)
{
    struct tls *tls = (struct tls *)stream;
    size_t n = 0;

    begin(tls);
    if (SSL_read_ex(tls->ssl, data, size, &n))
        return (ssize_t)n;
    return outcome(tls, 0);
}

static ssize_t
tls_write(doip_stream *stream, const void *data, size_t size)
{
    struct tls *tls = (struct tls *)stream;
    size_t n = 0;
    int error;

    if (size == 0)
        return 0;
    begin(tls);
    if (SSL_write_ex(tls->ssl, data, size, &n))
        return (ssize_t)n;
    error = outcome(tls, 0);
    return error != 0 ? error : stream_fail(stream, DOIP_E_BROKEN, "the peer closed the connection");
}

static int
tls_finish(doip_stream *stream)
{
    struct tls *tls = (struct tls *)stream;

    if (!tls->closing && SSL_is_init_finished(tls->ssl)) {
        int n, error;

        begin(tls);
        n = SSL_shutdown(tls->ssl);
        error = n < 0 ? outcome(tls, n) : 0;
        if (error < 0)
            return error;
    }
    tls->closing = true;
    shutdown(stream->fd, SHUT_WR);
    return 0;
}

static bool
tls_pending(doip_stream *stream)
{
    return SSL_has_pending(((struct tls *)stream)->ssl);
}

static void
tls_free(doip_stream *stream)
{
    struct tls *tls = (struct tls *)stream;

    SSL_free(tls->ssl);
    if (stream->fd >= 0)
        close(stream->fd);
    free(tls);
}

static const struct doip_stream_ops tls_ops = {
    .read = tls_read,
    .write = tls_write,
    .finish = tls_finish,
    .pending = tls_pending,
    .free = tls_free,
};

/* ------------------------------------------------------------------ making one */

static struct tls *
tls_new(SSL_CTX *context, int fd)
{
    struct tls *tls = calloc(1, sizeof *tls);
    BIO *bio;

    if (tls == NULL) {
        close(fd);
        return NULL;
    }
    stream_init(&tls->base, &tls_ops, fd);
    tls->ssl = SSL_new(context);
    bio = tls->ssl != NULL ? socket_bio(tls) : NULL;
    if (bio == NULL) {
        ERR_clear_error();
        tls_free(&tls->base);
        return NULL;
    }
    SSL_set_bio(tls->ssl, bio, bio);
    return tls;
}

doip_stream *
doip_tls_server(SSL_CTX *context, int fd)
{
    struct tls *tls = tls_new(context, fd);

    if (tls == NULL)
        return NULL;
    SSL_set_accept_state(tls->ssl);
    return &tls->base;
}

static bool
is_address(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

doip_stream *
doip_tls_client(SSL_CTX *context, int fd, const char *host)
{
    struct tls *tls = tls_new(context, fd);

    if (tls == NULL)
        return NULL;
    SSL_set_connect_state(tls->ssl);
    if (host != NULL && !is_address(host))
        SSL_set_tlsext_host_name(tls->ssl, host);
    return &tls->base;
}

int
doip_tls_handshake(doip_stream *stream)
{
    struct tls *tls = (struct tls *)stream;
    bool server = SSL_is_server(tls->ssl);
    int64_t waited = doip_stream_waited(stream, DOIP_WANT_READ);

    while (stream->error == 0) {
        int n, error;

        begin(tls);
        n = SSL_do_handshake(tls->ssl);
        if (n == 1)
            return 0;
        error = outcome(tls, n);
        if (error == 0)
            return stream_fail(stream, DOIP_E_BROKEN, "the %s ended the connection during the TLS handshake",
                               server ? "client" : "server");
        if (error != DOIP_E_AGAIN)
            return error;
        error = stream_wait_since(stream, DOIP_WANT_READ,
                                  stream->wants == DOIP_WANT_WRITE ? stream->write_ms : stream->read_ms, waited);
        if (error < 0)
            return error;
    }
    return stream->error;
}

/* Written below OpenSSL, which has no alert to send before it has a ClientHello. */
int
doip_tls_refuse(doip_stream *stream)
{
    static const unsigned char alert[] = {SSL3_RT_ALERT, 3, 1, 0, 2, SSL3_AL_FATAL, SSL_AD_ACCESS_DENIED};

    if (send(stream->fd, alert, sizeof alert, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)sizeof alert)
        return stream_fail(stream, DOIP_E_BROKEN, "%s", strerror(errno));
    shutdown(stream->fd, SHUT_WR);
    return 0;
}

SSL *
doip_tls_ssl(const doip_stream *stream)
{
    return stream->ops == &tls_ops ? ((const struct tls *)stream)->ssl : NULL;
}

bool
doip_tls_prepare(SSL_CTX *context, const char *min_version)
{
    int version = 0;

    if (strcmp(min_version, "1.2") == 0)
        version = TLS1_2_VERSION;
    else if (strcmp(min_version, "1.3") == 0)
        version = TLS1_3_VERSION;
    if (version == 0 || !SSL_CTX_set_min_proto_version(context, version))
        return false;
    /* An end without close_notify is told from a broken message by DOIP's own framing. */
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* A record's header and body in one read(2). */
    SSL_CTX_set_read_ahead(context, 1);
    return true;
}
