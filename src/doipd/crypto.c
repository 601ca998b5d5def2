/*
 * Whether OpenSSL has all that it needs: see crypto.h. Memory is asked for by any thread of any process of the service; all else runs in
 * the master (or `doipd -t`), in its one thread.
 */
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <doip/tls.h>

#include "crypto.h"

enum { TURNS_MOST = 20 }; /* a handshake takes three */

static atomic_uint refused; /* calls of OpenSSL's for memory */
static bool loaded;         /* all that it loads but once */

/* ------------------------------------------------------------------ memory */

static void *
count(void *memory, size_t size)
{
    if (memory == NULL && size > 0)
        atomic_fetch_add_explicit(&refused, 1, memory_order_relaxed);
    return memory;
}

static void *
crypto_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return size > 0 ? count(malloc(size), size) : NULL;
}

static void *
crypto_realloc(void *memory, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    if (size > 0)
        return count(realloc(memory, size), size);
    free(memory);
    return NULL;
}

bool
crypto_begin(void)
{
    CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, NULL);
    /* OpenSSL does it when it is first needed, too, but goes on with half of it where memory is short, and crashes. */
    return OSSL_LIB_CTX_get0_global_default() != NULL;
}

/* What was refused before all was loaded is missing for ever; later, only what the new context has asked for matters. */
unsigned
crypto_mark(void)
{
    return loaded ? atomic_load(&refused) : 0;
}

/* ------------------------------------------------------------------ a handshake without a network */

static SSL *
make_end(SSL_CTX *context, BIO *bio)
{
    SSL *ssl = context != NULL ? SSL_new(context) : NULL;

    if (ssl != NULL)
        SSL_set_bio(ssl, bio, bio);
    else
        BIO_free(bio);
    return ssl;
}

/* True when it may go on, or is done. */
static bool
step(SSL *ssl, bool *done)
{
    int n = SSL_do_handshake(ssl), error = SSL_get_error(ssl, n);

    *done = n == 1;
    return n == 1 || error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

static bool
shake_hands(SSL *server, SSL *client)
{
    bool served = false, greeted = false;

    SSL_set_accept_state(server);
    SSL_set_connect_state(client);
    SSL_set_num_tickets(server, 0); /* `doipd -t` has no keys for them */
    SSL_set_options(client, SSL_OP_NO_TICKET);
    SSL_set_security_level(client, 0); /* what clients think of the certificate is theirs */
    for (int turn = 0; turn < TURNS_MOST && !(served && greeted); turn++)
        if (!step(client, &greeted) || !step(server, &served))
            return false;
    return served && greeted;
}

static bool
try(SSL_CTX *context)
{
    SSL_CTX *clients = SSL_CTX_new(TLS_client_method());
    BIO *here = NULL, *there = NULL;
    SSL *server, *client;
    bool done;

    BIO_new_bio_pair(&here, 0, &there, 0);
    server = make_end(context, here);
    client = make_end(clients, there);
    done = server != NULL && client != NULL && here != NULL && shake_hands(server, client);
    SSL_free(server);
    SSL_free(client);
    SSL_CTX_free(clients);
    return done;
}

bool
crypto_prove(SSL_CTX *context, unsigned mark, char *reason, size_t size)
{
    bool done;

    ERR_clear_error();
    done = try(context);
    if (!done)
        snprintf(reason, size, "TLS can't work: a handshake of the service with itself fails: %s",
                 doip_tls_error());
    if (atomic_load(&refused) != mark) {
        snprintf(reason, size,
                 "memory was short while OpenSSL loaded: TLS could lack algorithms for ever: try "
                 "again with more memory");
        return false;
    }
    loaded = loaded || done;
    return done;
}
