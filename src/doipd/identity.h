/*
 * The service's TLS identity: its certificate and key, from the configured files or made at first start and kept in
 * state_directory/tls. Used by the master before it forks; workers inherit the finished context.
 */
#ifndef DOIPD_IDENTITY_H
#define DOIPD_IDENTITY_H

#include <openssl/ssl.h>

#include "config.h"
#include "pairs.h"

/* A self-made certificate is renewed when it has fewer days left, keeping its key. */
enum { IDENTITY_RENEW_DAYS = 30 };

/*
 * The server context for a configuration. NULL with a reason naming the file. `may_make`: a missing self-made certificate is made and
 * stored, and one that ends soon renewed (never by `doipd -t`, which gets a throw-away one).
 */
SSL_CTX *identity_context(const struct config *config, bool may_make, char *reason, size_t size);

/* The certificates of such a context, and the one of them that ends first. They are the context's. */
const struct pair_set *identity_pairs(const SSL_CTX *context);
const struct pair *identity_first_to_end(const SSL_CTX *context);

#endif
