/*
 * The way to a server: name to addresses to a socket to TLS, under one deadline. Called by
 * client.c, in the thread of the client's owner. Whether the certificate is trusted is not decided
 * here: SSL_get_verify_result() tells what was found.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <openssl/x509v3.h>

#include "connect.h"

int64_t
connect_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ------------------------------------------------------------------ the socket */

/* Waits for `events` until the deadline: 0, or an errno. */
static int
connect_wait(int fd, short events, int64_t deadline)
{
    struct pollfd poller = {.fd = fd, .events = events};
    int64_t left;
    int count;

    do {
        left = deadline - connect_now();
        count = poll(&poller, 1, left > 0 ? (int)left : 0);
    } while (count < 0 && errno == EINTR);
    if (count < 0)
        return errno;
    return count == 0 ? ETIMEDOUT : 0;
}

/* 0 once the socket is connected, or an errno. */
static int
connect_finish(int fd, const struct addrinfo *address, int64_t deadline)
{
    int error = 0;
    socklen_t size = sizeof(error);

    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
        return 0;
    if (errno != EINPROGRESS && errno != EINTR)
        return errno;
    error = connect_wait(fd, POLLOUT, deadline);
    if (error != 0)
        return error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

/* One address: a descriptor, or the negative of an errno. */
static int
connect_address(const struct addrinfo *address, int64_t deadline)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    address->ai_protocol);
    int one = 1, error;

    if (fd < 0)
        return -errno;
    error = connect_finish(fd, address, deadline);
    if (error != 0) {
        close(fd);
        return -error;
    }
    /* Requests and answers are small: none should wait for the last one's acknowledgement. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

/* Each address gets its share of the time that is left, so that a silent one does not use up all of
 * it. */
static int
connect_any(const struct addrinfo *list, int64_t deadline)
{
    int left = 0, fd = -EADDRNOTAVAIL;
    int64_t now;

    for (const struct addrinfo *at = list; at != NULL; at = at->ai_next)
        left++;
    for (const struct addrinfo *at = list; fd < 0 && at != NULL; at = at->ai_next, left--) {
        now = connect_now();
        fd = connect_address(at, now + (deadline - now) / left);
    }
    return fd;
}

int
connect_socket(const char *host, int port, int64_t deadline, char *reason, size_t size)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char service[16];
    int error, fd;

    snprintf(service, sizeof(service), "%d", port);
    /* This machine, whatever its files and name servers say or lack (RFC 6761, 6.3): so is no name at all. */
    error = getaddrinfo(strcasecmp(host, "localhost") == 0 ? NULL : host, service, &hints, &list);
    if (error != 0) {
        snprintf(reason, size, "cannot find %s: %s", host,
                 error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error));
        return -1;
    }
    fd = connect_any(list, deadline);
    freeaddrinfo(list);
    if (fd < 0)
        snprintf(reason, size, "cannot connect to %s port %d: %s", host, port, strerror(-fd));
    return fd < 0 ? -1 : fd;
}

/* ------------------------------------------------------------------ TLS */

static bool
connect_load_cas(SSL_CTX *context, const char *file, char *reason, size_t size)
{
    if (file == NULL) {
        /* A system without CAs verifies nothing; that is no failure yet. */
        SSL_CTX_set_default_verify_paths(context);
        return true;
    }
    if (SSL_CTX_load_verify_file(context, file) == 1)
        return true;
    snprintf(reason, size, "cannot read CA certificates from %s: %s", file, doip_tls_error());
    return false;
}

static bool
connect_load_key(SSL_CTX *context, const char *certificate, const char *key, char *reason,
                 size_t size)
{
    if (certificate == NULL)
        return true;
    if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1) {
        snprintf(reason, size, "cannot read a certificate from %s: %s", certificate,
                 doip_tls_error());
        return false;
    }
    if (key == NULL)
        key = certificate;
    if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1 &&
        SSL_CTX_check_private_key(context) == 1)
        return true;
    snprintf(reason, size, "cannot use the key in %s with the certificate in %s: %s", key,
             certificate, doip_tls_error());
    return false;
}

SSL_CTX *
connect_context(const doip_client_options *options, char *reason, size_t size)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    if (context == NULL || !doip_tls_prepare(context, "1.2")) {
        snprintf(reason, size, "cannot set up TLS: %s", doip_tls_error());
        SSL_CTX_free(context);
        return NULL;
    }
    /* The chain is verified all the same; the caller's trust function hears the result and decides.
     */
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    if (!connect_load_cas(context, options->ca, reason, size) ||
        !connect_load_key(context, options->certificate, options->key, reason, size)) {
        SSL_CTX_free(context);
        return NULL;
    }
    return context;
}

/* The name or address that the server's certificate has to bear for its chain to count. */
static bool
connect_expect(SSL *ssl, const char *host)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    unsigned char address[sizeof(struct in6_addr)];

    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(param, host, 0) == 1;
}

/* The stream's waits bound a single wait; the deadline bounds the handshake as a whole, however
 * slowly its bytes come. */
static int
connect_handshake(doip_stream *stream, int64_t deadline)
{
    short events;
    int error;

    doip_stream_set_waits(stream, 0, 0);
    while ((error = doip_tls_handshake(stream)) == DOIP_E_AGAIN) {
        events = doip_stream_wants(stream) == DOIP_WANT_WRITE ? POLLOUT : POLLIN;
        if (connect_wait(doip_stream_fd(stream), events, deadline) != 0)
            return DOIP_E_TIMEOUT;
    }
    return error;
}

doip_stream *
connect_tls(SSL_CTX *context, int fd, const char *host, int port, int64_t deadline, char *reason,
            size_t size)
{
    doip_stream *stream = doip_tls_client(context, fd, host);
    const char *why;
    int error;

    if (stream == NULL || !connect_expect(doip_tls_ssl(stream), host)) {
        snprintf(reason, size, "cannot set up TLS for %s: %s", host, doip_tls_error());
        doip_stream_free(&stream);
        return NULL;
    }
    error = connect_handshake(stream, deadline);
    if (error != 0) {
        why = doip_stream_reason(stream);
        snprintf(reason, size, "no TLS connection to %s port %d: %s", host, port,
                 why[0] != '\0' ? why : doip_error_text(error));
        doip_stream_free(&stream);
    }
    return stream;
}
