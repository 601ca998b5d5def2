/*
 * Whether a server's certificate is trusted: the policy of the command line, on top of the pins on
 * file.
 */
#ifndef CLIENT_TRUST_H
#define CLIENT_TRUST_H

#include "doip.h"
#include "options.h"

typedef struct trust {
    const options *given;
    char reason[REASON_MAX]; /* set where trust_decide() refused */
} trust;

/* A doip_client_trust; closure: struct trust. */
bool trust_decide(const char *host, int port, const char *pin, bool chain, void *closure);

#endif
