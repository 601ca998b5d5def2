/*
 * Who sends a request: what it carries to prove that is compared with the users of the configuration, then shown to handlers that
 * authenticate. Runs in a worker's thread that has leave to run handlers.
 */
#ifndef DOIPD_AUTHENTICATE_H
#define DOIPD_AUTHENTICATE_H

#include <doip/server.h>
#include <openssl/x509.h>

#include "gate.h"
#include "users.h"
#include "verified.h"

struct worker;

/* What a worker has for it. */
struct authenticator {
    struct gate gate;         /* before hashings */
    struct verified verified; /* passwords */
    const char
        *decoy; /* a user's hash, for the passwords of those who are none; NULL: nobody has one */
};

/* Who sends a request: a part of its connection, cleared before each request. */
struct caller {
    struct gate_pass pass;
    /* The user that acts as the client; NULL: the client is itself. Lives as long as the
     * configuration. */
    const char *actor;
};

/* False: no memory or random bytes. `hashings`: how many may run at once. */
bool authenticator_init(struct authenticator *authenticator, const struct user_list *users,
                        int hashings);
void authenticator_fini(struct authenticator *authenticator);

/* Whether a certificate proves its name: `by_ca`, its chain verifies to the configured CA; else by the key that is registered for
 * that user, whoever signed it and however long ago. That of a disabled user proves nothing. */
bool authenticate_certificate(const struct user_list *users, const X509 *certificate,
                              const char *name, bool by_ca);

/*
 * Says who the client is (doip_request_set_client()), and wipes the request's `authentication`. DOIP_FAILED with the failed response where that
 * proves nothing: the message is the same for all causes, which only the log tells. *later: the request waits for its turn to be hashed; the
 * caller must not touch the connection any more: it comes back by the pool, and this is then called again.
 */
doip_result authenticate(struct worker *worker, doip_request *request, const doip_peer *peer,
                         struct caller *caller, bool *later);

#endif
