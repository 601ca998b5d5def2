/*
 * TLS session ticket keys, shared by all workers and generations: made and turned over by the master, read by workers through a
 * mapping that they can't write. The last key still opens tickets.
 */
#ifndef DOIPD_TICKETS_H
#define DOIPD_TICKETS_H

#include <openssl/ssl.h>
#include <stdbool.h>

/* How long a key seals new tickets, in seconds. */
enum { TICKETS_PERIOD = 12 * 3600 };

/* Master, once: makes the shared keys. */
bool tickets_init(void);

/* Master: makes a new key, keeping the last. False where the system has no random bytes: the old key goes on. */
bool tickets_turn(void);

/* Worker: gives up the right to write them. */
void tickets_protect(void);

/* Makes a context seal and open its tickets with them. */
void tickets_install(SSL_CTX *context);

#endif
