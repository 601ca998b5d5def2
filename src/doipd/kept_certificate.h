/*
 * The self-made certificate of a service that has none configured: made at the first start, kept with its key in one file of
 * state_directory/tls, renewed before it ends. Called by identity.c only; master.
 */
#ifndef DOIPD_KEPT_CERTIFICATE_H
#define DOIPD_KEPT_CERTIFICATE_H

#include "config.h"
#include "pairs.h"

/* Adds it to the set. `may_make`: a missing one is stored, and one that ends soon renewed; else a missing one is a throw-away one. False with the
 * reason. */
bool kept_certificate_take(struct pair_set *set, const struct config *config, bool may_make,
                           char *reason, size_t size);

#endif
