/*
 * OpenSSL's calls that the fault layer (layer.h) stands in for. It is linked with no OpenSSL: those
 * of the daemon are looked up as they are called.
 */
#include "layer.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

/* What SSL_get_error() takes for a fatal error. */
static int
fails(void)
{
    REAL(ERR_new)();
    REAL(ERR_set_error)(ERR_LIB_SSL, ERR_R_INTERNAL_ERROR, NULL);
    return 0;
}

int
SSL_do_handshake(SSL *ssl)
{
    return layer_fails(CALL_TLS_READ) ? fails() - 1 : REAL(SSL_do_handshake)(ssl);
}

int
SSL_read_ex(SSL *ssl, void *data, size_t size, size_t *got)
{
    return layer_spoils(CALL_TLS_READ, &size) ? fails() : REAL(SSL_read_ex)(ssl, data, size, got);
}

int
SSL_write_ex(SSL *ssl, const void *data, size_t size, size_t *written)
{
    return layer_spoils(CALL_TLS_WRITE, &size) ? fails()
                                               : REAL(SSL_write_ex)(ssl, data, size, written);
}
