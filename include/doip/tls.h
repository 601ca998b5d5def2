/*
 * TLS streams over sockets, and what DOIP asks of certificates (protocol section 1). All SSL_* input and output of the project is
 * behind these calls.
 */
#ifndef DOIP_TLS_H
#define DOIP_TLS_H

#include <jansson.h>
#include <openssl/ssl.h>

#include <doip/stream.h>

DOIP_BEGIN_DECLS

/* A TLS stream over a connected, non-blocking socket, which it takes over. NULL when memory is short (fd is then closed).
 * No byte moves before the handshake. */
DOIP_API doip_stream *doip_tls_server(SSL_CTX *context, int fd);
/* `host` is sent as SNI where it is a name; may be NULL. */
DOIP_API doip_stream *doip_tls_client(SSL_CTX *context, int fd, const char *host);

/* Takes the handshake one step further, waiting as the stream's waits say: 0 when it is done, else a doip_error. */
DOIP_API int doip_tls_handshake(doip_stream *stream);

/* In place of a handshake that has not begun: tells the client by an alert (access_denied) that it is not wanted, and ends the writing side. 0, or
 * DOIP_E_BROKEN. */
DOIP_API int doip_tls_refuse(doip_stream *stream);

/* The SSL object of a TLS stream, NULL for other streams. Stays the stream's. */
DOIP_API SSL *doip_tls_ssl(const doip_stream *stream);

/* Sets what every context of ours wants: versions from `min_version` ("1.2" or "1.3"), modes, no renegotiation, no compression.
 * False for an unknown version. */
DOIP_API bool doip_tls_prepare(SSL_CTX *context, const char *min_version);

/* OpenSSL's error queue as one line, emptied. Thread-local storage, valid until this thread's next call. */
DOIP_API const char *doip_tls_error(void);

/*
 * Makes a self-signed certificate for a service: UID = CN = `service` (no CN when it is over 64 characters), subjectAltNames for
 * each of `names` (host names and addresses, NULL-ended). *key: used where given, else made (EC P-256) and set.
 * False with `reason`. The caller frees both.
 */
DOIP_API bool doip_certificate_make(const char *service, const char *const *names, EVP_PKEY **key, X509 **certificate,
                                    char *reason, size_t size);

/* The name a certificate gives its subject: UID, else CN, else O, without a leading handle index ("300:"). The caller
 * frees it with free(); NULL where it has none, or one with a NUL or over DOIP_ID_MAX bytes. */
DOIP_API char *doip_certificate_identity(const X509 *certificate);

/* SHA-256 of the SubjectPublicKeyInfo as 64 lower-case hex digits and a NUL. */
DOIP_API bool doip_certificate_pin(const X509 *certificate, char pin[65]);

/* The public key as a JWK (RSA, EC P-256/384/521, Ed25519); a new reference, NULL where the kind of key has none. */
DOIP_API json_t *doip_key_jwk(EVP_PKEY *key);

DOIP_END_DECLS

#endif
