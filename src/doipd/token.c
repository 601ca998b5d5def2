/*
 * Verifying clients' tokens: see token.h. Runs in the workers' pool threads, on bytes that a peer
 * sent: nothing here is asserted about them.
 */
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>

#include <doip/json.h>

#include "base64url.h"
#include "keys.h"
#include "token.h"

enum {
    BYTES_MOST = TOKEN_MOST / 4 * 3 + 3, /* of a decoded part */
    SIGNATURE_MOST = 2048,               /* RSA of 16384 bits */
    DER_MOST = 2 * 66 + 16               /* of an ECDSA signature on P-521 */
};

enum part { HEADER, CLAIMS, SIGNATURE, PARTS };

/* A token, taken apart at its two dots; what was signed is its text before the second. */
struct parts {
    const char *text[PARTS];
    size_t length[PARTS];
};

static bool
split(const char *token, struct parts *parts)
{
    size_t length = strnlen(token, TOKEN_MOST + 1);
    const char *end = token + length, *dot;

    if (length > TOKEN_MOST)
        return false;
    for (int i = HEADER; i < PARTS; i++) {
        dot = memchr(token, '.', (size_t)(end - token));
        if ((dot == NULL) != (i == SIGNATURE))
            return false;
        parts->text[i] = token;
        parts->length[i] = (size_t)((dot != NULL ? dot : end) - token);
        token += parts->length[i] + (dot != NULL);
    }
    return true;
}

/* A part that is a JSON object: a new reference, or NULL. */
static json_t *
part_object(const struct parts *parts, enum part part)
{
    unsigned char bytes[BYTES_MOST];
    ssize_t n = base64url_decode(parts->text[part], parts->length[part], bytes, sizeof bytes);
    char why[8]; /* it would quote the token */
    json_t *value = n > 0 ? doip_json_parse((const char *)bytes, (size_t)n, why, sizeof why) : NULL;

    OPENSSL_cleanse(bytes, sizeof bytes);
    if (json_is_object(value))
        return value;
    json_decref(value);
    return NULL;
}

static bool
says(const json_t *object, const char *member, const char *due)
{
    const json_t *value = json_object_get(object, member);

    return json_is_string(value) && strcmp(json_string_value(value), due) == 0;
}

/* ------------------------------------------------------------------ the signature */

/* The header may only agree with what follows from the key. */
static const char *
header_fault(const struct parts *parts, const struct key_algorithm *algorithm)
{
    json_t *header = part_object(parts, HEADER);
    const char *fault = NULL;

    if (header == NULL)
        fault = "the header is not a JSON object in base64url";
    else if (!says(header, "alg", algorithm->name))
        fault = "the header's alg is not that of the client's key";
    else if (json_object_get(header, "crit") != NULL)
        fault = "the header names critical extensions (crit); none is known here";
    json_decref(header);
    return fault;
}

/* ECDSA: tokens hold r and s side by side, OpenSSL wants them in DER. The length of that, or 0. */
static size_t
der_signature(const unsigned char *raw, size_t width, unsigned char *der)
{
    ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, (int)width, NULL), *s = BN_bin2bn(raw + width, (int)width, NULL);
    int length = 0;

    if (signature != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(signature, r, s) == 1) {
        length = i2d_ECDSA_SIG(signature, NULL);
        length = length > 0 && length <= DER_MOST ? i2d_ECDSA_SIG(signature, &der) : 0;
    } else {
        BN_free(r);
        BN_free(s);
    }
    ECDSA_SIG_free(signature);
    return length > 0 ? (size_t)length : 0;
}

static bool
verifies(const struct parts *parts, const struct key_algorithm *algorithm, EVP_PKEY *key,
         const unsigned char *signature, size_t length)
{
    const unsigned char *signed_text = (const unsigned char *)parts->text[HEADER];
    size_t signed_length = parts->length[HEADER] + 1 + parts->length[CLAIMS];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good =
        context != NULL &&
        EVP_DigestVerifyInit_ex(context, NULL, algorithm->digest, NULL, NULL, key, NULL) == 1 &&
        EVP_DigestVerify(context, signature, length, signed_text, signed_length) == 1;

    EVP_MD_CTX_free(context);
    ERR_clear_error(); /* the thread's TLS reads this queue */
    return good;
}

static const char *
signature_fault(const struct parts *parts, const struct key_algorithm *algorithm, EVP_PKEY *key)
{
    unsigned char bytes[SIGNATURE_MOST], der[DER_MOST], *signature = bytes;
    ssize_t n =
        base64url_decode(parts->text[SIGNATURE], parts->length[SIGNATURE], bytes, sizeof bytes);
    size_t length = n > 0 ? (size_t)n : 0;

    if (length == 0)
        return "the signature is not base64url, or too long";
    if (algorithm->group != NULL) {
        if (length != 2 * algorithm->width)
            return "the signature is not r and s side by side";
        length = der_signature(bytes, algorithm->width, der);
        signature = der;
    }
    return verifies(parts, algorithm, key, signature, length)
               ? NULL
               : "the signature is not by the client's key";
}

/* ------------------------------------------------------------------ the claims */

/* The time in a claim; false where it is no number. */
static bool
claim_time(const json_t *claims, const char *name, double *seconds)
{
    const json_t *value = json_object_get(claims, name);

    *seconds = json_number_value(value);
    return json_is_number(value);
}

static const char *
time_fault(const json_t *claims, int64_t now)
{
    static const char *const begins[] = {"nbf", "iat"};
    double seconds, present = (double)now;

    if (!claim_time(claims, "exp", &seconds))
        return "no time in exp";
    if (seconds <= present - TOKEN_LEEWAY)
        return "expired";
    if (seconds > present + TOKEN_AHEAD + TOKEN_LEEWAY)
        return "exp is more than an hour ahead";
    for (int i = 0; i < 2; i++) {
        if (json_object_get(claims, begins[i]) == NULL)
            continue;
        if (!claim_time(claims, begins[i], &seconds))
            return "nbf or iat is not a time";
        if (seconds > present + TOKEN_LEEWAY)
            return "nbf or iat is ahead: not valid yet, or the clocks differ";
    }
    return NULL;
}

static const char *
audience_fault(const json_t *claims, const char *service)
{
    const json_t *audience = json_object_get(claims, "aud"), *item;
    bool named = json_is_string(audience) && strcmp(json_string_value(audience), service) == 0;
    size_t i;

    if (audience == NULL || named)
        return NULL;
    json_array_foreach((json_t *)audience, i, item)
    {
        if (!json_is_string(item))
            return "aud is not a list of strings";
        named = named || strcmp(json_string_value(item), service) == 0;
    }
    return named ? NULL : "aud does not name this service";
}

static const char *
claims_fault(const struct parts *parts, const char *client, const char *service, int64_t now)
{
    json_t *claims = part_object(parts, CLAIMS);
    const char *fault;

    if (claims == NULL)
        fault = "the claims are not a JSON object in base64url";
    else if (!says(claims, "iss", client) || !says(claims, "sub", client))
        fault = "iss and sub are not both the client";
    else if ((fault = time_fault(claims, now)) == NULL)
        fault = audience_fault(claims, service);
    json_decref(claims);
    return fault;
}

/* ------------------------------------------------------------------ both */

bool
token_verify(const char *token, EVP_PKEY *key, const char *client, const char *service, int64_t now,
             char *reason, size_t size)
{
    const struct key_algorithm *algorithm = key_algorithm(key);
    const char *fault = NULL;
    struct parts parts;

    if (algorithm == NULL)
        fault = "the client's key is of a kind that signs no tokens";
    else if (!split(token, &parts))
        fault = "not three parts with dots between, or too long";
    else if ((fault = header_fault(&parts, algorithm)) == NULL &&
             (fault = signature_fault(&parts, algorithm, key)) == NULL)
        fault = claims_fault(&parts, client, service, now);
    if (fault != NULL)
        snprintf(reason, size, "the token is refused: %s", fault);
    return fault == NULL;
}

bool
token_subject(const char *token, char *subject, size_t size)
{
    struct parts parts;
    json_t *claims = split(token, &parts) ? part_object(&parts, CLAIMS) : NULL;
    const json_t *value = json_object_get(claims, "sub");
    size_t length = json_is_string(value) ? json_string_length(value) : 0;
    bool fits = length > 0 && length < size;

    if (fits)
        memcpy(subject, json_string_value(value), length + 1);
    json_decref(claims);
    return fits;
}
