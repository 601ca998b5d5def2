/*
 * The way to a server, for client.c alone: sockets and TLS contexts, with one deadline over all of
 * it.
 */
#ifndef DOIP_CONNECT_H
#define DOIP_CONNECT_H

#include <stdint.h>

#include <openssl/ssl.h>

#include <doip/client.h>

/* Milliseconds on the monotonic clock. */
int64_t connect_now(void);

/* A connected, non-blocking socket to host:port before `deadline`; -1 with the reason. */
int connect_socket(const char *host, int port, int64_t deadline, char *reason, size_t size);

/* A client's TLS context as the options say; NULL with the reason. The caller frees it. */
SSL_CTX *connect_context(const doip_client_options *options, char *reason, size_t size);

/* A TLS stream over `fd` (taken over) with its handshake done, chain and name checked but not
 * judged; NULL with the reason. */
doip_stream *connect_tls(SSL_CTX *context, int fd, const char *host, int port, int64_t deadline,
                         char *reason, size_t size);

#endif
