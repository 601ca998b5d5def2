/*
 * Makes tokens: what a client does, and what a forger may try. Also for fuzz targets: no Check here.
 */
#ifndef UNIT_SIGN_H
#define UNIT_SIGN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

/* Bytes in base64url; the caller frees it. */
static inline char *
unit_base64url(const void *data, size_t size)
{
    char *text = malloc(4 * ((size + 2) / 3) + 1);
    int length = EVP_EncodeBlock((unsigned char *)text, data, (int)size);

    text[strcspn(text, "=")] = '\0';
    for (int i = 0; i < length; i++)
        text[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
    return text;
}

/* The signature as OpenSSL makes it; the caller frees it. */
static inline unsigned char *
unit_signature(EVP_PKEY *key, const char *digest, const char *text, size_t *size)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char *signature = malloc(4096);

    *size = 4096;
    if (EVP_DigestSignInit_ex(context, NULL, digest, NULL, NULL, key, NULL) != 1 ||
        EVP_DigestSign(context, signature, size, (const unsigned char *)text, strlen(text)) != 1)
        abort();
    EVP_MD_CTX_free(context);
    return signature;
}

/* From DER to r and s side by side, in place. */
static inline void
unit_raw_signature(unsigned char *signature, size_t *size, size_t width)
{
    const unsigned char *der = signature;
    ECDSA_SIG *parsed = d2i_ECDSA_SIG(NULL, &der, (long)*size);

    BN_bn2binpad(ECDSA_SIG_get0_r(parsed), signature, (int)width);
    BN_bn2binpad(ECDSA_SIG_get0_s(parsed), signature + width, (int)width);
    *size = 2 * width;
    ECDSA_SIG_free(parsed);
}

/* "a.b"; the caller frees it. */
static inline char *
unit_dotted(const char *a, const char *b)
{
    char *text = malloc(strlen(a) + strlen(b) + 2);

    sprintf(text, "%s.%s", a, b);
    return text;
}

/* A token whose first two parts are `text`, signed; `width` is that of a coordinate, 0: as OpenSSL has it. */
static inline char *
unit_sign_text(EVP_PKEY *key, const char *digest, size_t width, const char *text)
{
    size_t size;
    unsigned char *signature = unit_signature(key, digest, text, &size);
    char *encoded, *token;

    if (width != 0)
        unit_raw_signature(signature, &size, width);
    encoded = unit_base64url(signature, size);
    token = unit_dotted(text, encoded);
    free(signature);
    free(encoded);
    return token;
}

/* The first two parts of a token. */
static inline char *
unit_token_text(const char *header, const char *claims, size_t length)
{
    char *a = unit_base64url(header, strlen(header)), *b = unit_base64url(claims, length);
    char *text = unit_dotted(a, b);

    free(a);
    free(b);
    return text;
}

/* A whole token from JSON; the caller frees it. */
static inline char *
unit_sign(EVP_PKEY *key, const char *digest, size_t width, const char *header, const char *claims)
{
    char *text = unit_token_text(header, claims, strlen(claims));
    char *token = unit_sign_text(key, digest, width, text);

    free(text);
    return token;
}

#endif
