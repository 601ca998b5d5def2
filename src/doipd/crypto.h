/*
 * What OpenSSL has loaded is whole. It loads its algorithms when they are first needed, leaves out those that it has no memory for at
 * that moment, and never tries again: a service could start for which every handshake fails. So all that TLS needs is loaded, and tried,
 * before there are workers, which inherit it; and where memory was short meanwhile, the start (or the reload) is refused.
 */
#ifndef DOIPD_CRYPTO_H
#define DOIPD_CRYPTO_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

/* First of all in a process that will serve. False: OpenSSL has no memory to begin with. */
bool crypto_begin(void);

/* To be taken before a context is made, for crypto_prove(). One thread, as all here. */
unsigned crypto_mark(void);

/* Whether a server with this context, which was made since the mark, can shake hands with a client, and OpenSSL has left nothing out
 * for want of memory; false with the reason. The master, and `doipd -t`. Takes a millisecond or two. */
bool crypto_prove(SSL_CTX *context, unsigned mark, char *reason, size_t size);

#endif
