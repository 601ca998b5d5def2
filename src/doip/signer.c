/*
 * Signing tokens: see signer.h. Called by the session, before each request. doipd verifies them in
 * src/doipd/token.c.
 */
#include "signer.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/ec.h>
#include <openssl/pem.h>

#include <doip/tls.h>

enum {
    LIFETIME = 120, /* seconds: the clocks may differ, and a request is judged when it begins */
    SIGNATURE_MAX = 2048, /* bytes, of RSA with 16384 bits */
};

typedef struct signer_algorithm {
    const char *name; /* as in "alg" (RFC 7518, 8037) */
    const char *type, *group, *digest;
    int width; /* bytes of r and s each; 0: the signature stays as it is */
} signer_algorithm;

static const signer_algorithm signer_algorithms[] = {
    {"RS256", "RSA", NULL, "SHA256", 0},        {"ES256", "EC", "prime256v1", "SHA256", 32},
    {"ES384", "EC", "secp384r1", "SHA384", 48}, {"ES512", "EC", "secp521r1", "SHA512", 66},
    {"EdDSA", "ED25519", NULL, NULL, 0},
};

static bool
signer_on_curve(const EVP_PKEY *key, const char *group)
{
    char name[64];

    return group == NULL || (EVP_PKEY_get_group_name(key, name, sizeof(name), NULL) == 1 &&
                             strcmp(name, group) == 0);
}

static const signer_algorithm *
signer_find(const EVP_PKEY *key)
{
    const signer_algorithm *found;

    for (size_t i = 0; i < sizeof(signer_algorithms) / sizeof(signer_algorithms[0]); i++) {
        found = &signer_algorithms[i];
        if (EVP_PKEY_is_a(key, found->type) == 1 && signer_on_curve(key, found->group))
            return found;
    }
    return NULL;
}

EVP_PKEY *
signer_load(const char *path, char *reason, size_t size)
{
    FILE *file = fopen(path, "re");
    EVP_PKEY *key;

    if (file == NULL) {
        snprintf(reason, size, "cannot read the key %s: %s", path, strerror(errno));
        return NULL;
    }
    key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    if (key == NULL) {
        snprintf(reason, size, "%s holds no private key in PEM: %s", path, doip_tls_error());
    } else if (signer_find(key) == NULL) {
        snprintf(
            reason, size,
            "the key in %s can't sign tokens: use RSA, EC on P-256, P-384 or P-521, or Ed25519",
            path);
        EVP_PKEY_free(key);
        key = NULL;
    }
    return key;
}

/* ------------------------------------------------------------------ tokens */

/* Writes bytes in base64url behind what is in the token. */
static void
signer_append(char *token, const void *data, size_t size)
{
    char *text = token + strlen(token);
    int length = EVP_EncodeBlock((unsigned char *)text, data, (int)size);

    text[strcspn(text, "=")] = '\0';
    for (int i = 0; i < length; i++) {
        if (text[i] == '+')
            text[i] = '-';
        else if (text[i] == '/')
            text[i] = '_';
    }
}

/* ECDSA: from DER to r and s side by side, in place. */
static bool
signer_unpack(unsigned char *signature, size_t *size, int width)
{
    const unsigned char *der = signature;
    ECDSA_SIG *parsed = d2i_ECDSA_SIG(NULL, &der, (long)*size);
    bool done = parsed != NULL &&
                BN_bn2binpad(ECDSA_SIG_get0_r(parsed), signature, width) == width &&
                BN_bn2binpad(ECDSA_SIG_get0_s(parsed), signature + width, width) == width;

    *size = 2 * (size_t)width;
    ECDSA_SIG_free(parsed);
    return done;
}

/* Appends the signature over what is in the token. */
static bool
signer_sign(EVP_PKEY *key, const signer_algorithm *algorithm, char *token)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char signature[SIGNATURE_MAX];
    size_t size = sizeof(signature);
    bool done =
        context != NULL &&
        EVP_DigestSignInit_ex(context, NULL, algorithm->digest, NULL, NULL, key, NULL) == 1 &&
        EVP_DigestSign(context, signature, &size, (unsigned char *)token, strlen(token)) == 1 &&
        (algorithm->width == 0 || signer_unpack(signature, &size, algorithm->width));

    EVP_MD_CTX_free(context);
    if (done) {
        strcat(token, ".");
        signer_append(token, signature, size);
    }
    return done;
}

static char *
signer_claims(const char *client, const char *service, int64_t now)
{
    json_t *claims = json_pack("{s:s, s:s, s:I, s:I, s:s*}", "iss", client, "sub", client, "iat",
                               (json_int_t)now, "exp", (json_int_t)now + LIFETIME, "aud", service);
    char *text = claims != NULL ? json_dumps(claims, JSON_COMPACT) : NULL;

    json_decref(claims);
    return text;
}

char *
signer_token(EVP_PKEY *key, const char *client, const char *service, int64_t now, char *reason,
             size_t size)
{
    const signer_algorithm *algorithm = signer_find(key);
    char *claims = signer_claims(client, service, now);
    char header[32], *token = NULL;

    if (claims == NULL) {
        snprintf(reason, size, "the client id has to be UTF-8");
        return NULL;
    }
    token = malloc(sizeof(header) * 2 + strlen(claims) * 2 + SIGNATURE_MAX * 2);
    assert(algorithm != NULL); /* signer_read() took the key */
    if (token != NULL) {
        snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", algorithm->name);
        token[0] = '\0';
        signer_append(token, header, strlen(header));
        strcat(token, ".");
        signer_append(token, claims, strlen(claims));
    }
    if (token == NULL || !signer_sign(key, algorithm, token)) {
        snprintf(reason, size, "cannot sign a token: %s",
                 token != NULL ? doip_tls_error() : "out of memory");
        free(token);
        token = NULL;
    }
    free(claims);
    return token;
}
