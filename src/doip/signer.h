/*
 * Tokens signed with the user's own key, as services take them for a proof of who is asking: JSON
 * Web Tokens as the Java SDK's PrivateKeyAuthenticationInfo makes them.
 */
#ifndef CLIENT_SIGNER_H
#define CLIENT_SIGNER_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

/* A private key in PEM that can sign tokens: RSA, EC on P-256, P-384 or P-521, Ed25519. Where it is
 * encrypted, OpenSSL asks on the terminal. The caller frees it; NULL with the reason. */
EVP_PKEY *signer_load(const char *path, char *reason, size_t size);

/*
 * A token that `client` signs at `now` (seconds since 1970), good for two minutes, and for `service`
 * alone where that is not NULL. The caller frees it; NULL with the reason.
 */
char *signer_token(EVP_PKEY *key, const char *client, const char *service, int64_t now,
                   char *reason, size_t size);

#endif
