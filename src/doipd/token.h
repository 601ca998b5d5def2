/*
 * Tokens by which clients prove who they are: JSON Web Tokens in compact form (RFC 7515, 7519), signed by the client's
 * own key, as the Java SDK's PrivateKeyAuthenticationInfo makes them. Pure functions, any thread; one key may serve many
 * at once.
 */
#ifndef DOIPD_TOKEN_H
#define DOIPD_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

enum {
    TOKEN_MOST = 16 * 1024, /* characters of a token */
    TOKEN_AHEAD = 60 * 60,  /* seconds: how far ahead a token may end */
    TOKEN_LEEWAY = 60       /* seconds: how far the client's clock may differ from ours */
};

/*
 * Whether `token` proves at `now` (seconds since 1970) that `client` is calling `service`: signed by `key` with the one algorithm that follows
 * from the key (key_algorithm(); what the header says must be that), "iss" and "sub" both `client`, "exp" not
 * passed and at most an hour ahead, "nbf" and "iat", where present, not ahead, "aud", where present, `service` or a list with it;
 * TOKEN_LEEWAY is granted on each time. A header with "crit" is refused, other members are ignored.
 *
 * False with a reason for the log: it says what is wrong and quotes nothing of the token.
 */
bool token_verify(const char *token, EVP_PKEY *key, const char *client, const char *service,
                  int64_t now, char *reason, size_t size);

/* Whom the token says it is from, so that the key to verify it with can be found: its "sub", NOT VERIFIED. False where it is
 * not such a token, or the subject is empty or does not fit into `size` bytes. */
bool token_subject(const char *token, char *subject, size_t size);

#endif
