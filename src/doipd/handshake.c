/*
 * The TLS handshake of a connection: see handshake.h.
 */
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#include "handshake.h"

static char *
certificate_pem(X509 *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text, *copy = NULL;
    long length;

    if (bio != NULL && PEM_write_bio_X509(bio, certificate) == 1) {
        length = BIO_get_mem_data(bio, &text);
        copy = strndup(text, (size_t)length);
    }
    BIO_free(bio);
    return copy;
}

/* A certificate's name is a claim until it is proven (protocol section 1). */
static void
learn_peer(struct connection *connection)
{
    const struct config *config = connection->worker->config;
    SSL *ssl = doip_tls_ssl(connection->stream);
    X509 *certificate = SSL_get0_peer_certificate(ssl);

    if (certificate == NULL)
        return;
    connection->certificate = certificate_pem(certificate);
    connection->identity = doip_certificate_identity(certificate);
    connection->peer.certificate = connection->certificate;
    connection->peer.identity = connection->identity;
    connection->peer.verified =
        connection->identity != NULL &&
        authenticate_certificate(&config->users, certificate, connection->identity,
                                 config->tls.client_ca[0] != '\0' && SSL_get_verify_result(ssl) == X509_V_OK);
}

int
handshake_go_on(struct connection *connection)
{
    int n = doip_tls_handshake(connection->stream);

    if (n != 0)
        return n;
    metrics_count(SSL_session_reused(doip_tls_ssl(connection->stream)) ? METRICS_HANDSHAKES_RESUMED
                                                                       : METRICS_HANDSHAKES_FULL);
    learn_peer(connection);
    return 0;
}

void
handshake_count_failure(int error)
{
    metrics_count(error == DOIP_E_BROKEN    ? METRICS_HANDSHAKES_CLOSED
                  : error == DOIP_E_TIMEOUT ? METRICS_HANDSHAKES_TIMEOUT
                                            : METRICS_HANDSHAKES_REFUSED);
}
