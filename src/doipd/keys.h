/*
 * The public keys that users registered: read from files, and which signatures follow from them.
 */
#ifndef DOIPD_KEYS_H
#define DOIPD_KEYS_H

#include <stddef.h>

#include <openssl/evp.h>

/* A kind of key, and the one way in which it signs tokens (RFC 7518, 8037). */
struct key_algorithm {
    const char *name;      /* of the signature, as in a token's "alg" */
    const char *kty, *crv; /* the key's kind as in a JWK; no curve: NULL */
    const char *type;      /* the key's kind as OpenSSL calls it */
    const char *group;     /* the curve as OpenSSL calls it; NULL where the type says it */
    const char *digest;    /* NULL where the signature has its own */
    size_t width;          /* bytes of a coordinate, 0 for RSA */
};

/* The algorithm that follows from `key`; NULL where tokens can't be signed with such a key. Static;
 * any thread. */
const struct key_algorithm *key_algorithm(const EVP_PKEY *key);

/*
 * Reads a public key from a file of at most 64 KiB: PEM, that is a public key or an X.509
 * certificate (the first of several), or a JWK. RSA of 2048 bits or more, EC on P-256, P-384 or
 * P-521, Ed25519. A file that holds a private key is refused: it has no business on the service's
 * host. The caller frees the key with EVP_PKEY_free(); NULL with a reason that names the file.
 * Any thread.
 */
EVP_PKEY *key_load(const char *path, char *reason, size_t size);

/* The same for what stands in such a file; the reason then names nothing. */
EVP_PKEY *key_parse(const char *text, size_t length, char *reason, size_t size);

#endif
