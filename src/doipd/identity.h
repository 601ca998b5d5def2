/*
 * The service's TLS identity: its certificate and key, from the configured files or made at first start and kept in
 * state_directory/tls. Used by the master before it forks; workers inherit the finished context.
 */
#ifndef DOIPD_IDENTITY_H
#define DOIPD_IDENTITY_H

#include <openssl/ssl.h>

#include "config.h"

/*
 * The server context for a configuration. NULL with a reason naming the file. `may_make`: a missing self-made certificate is made and
 * stored (never by `doipd -t`, which gets a throw-away one).
 */
SSL_CTX *identity_context(const struct config *config, bool may_make, char *reason, size_t size);

#endif
