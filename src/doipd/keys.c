/*
 * Users' public keys: see keys.h. Runs where the configuration is read (the master, and checks), and
 * in tests; no state.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <doip/json.h>
#include <doip/tls.h>

#include "base64url.h"
#include "keys.h"

enum {
    FILE_MOST = 64 * 1024,
    RSA_BITS_LEAST = 2048,
    RSA_BITS_MOST = OPENSSL_RSA_MAX_MODULUS_BITS, /* what OpenSSL verifies with */
    NUMBER_MOST = RSA_BITS_MOST / 8 + 1           /* some put a zero before a number */
};

/* What OpenSSL does with any other key is refused, so a token's algorithm is never a choice. */
static const struct key_algorithm algorithms[] = {
    {"RS256", "RSA", NULL, "RSA", NULL, "SHA256", 0},
    {"ES256", "EC", "P-256", "EC", "prime256v1", "SHA256", 32},
    {"ES384", "EC", "P-384", "EC", "secp384r1", "SHA384", 48},
    {"ES512", "EC", "P-521", "EC", "secp521r1", "SHA512", 66},
    {"EdDSA", "OKP", "Ed25519", "ED25519", NULL, NULL, 32},
};

enum { ALGORITHMS = sizeof algorithms / sizeof algorithms[0] };

static bool
on_curve(const EVP_PKEY *key, const char *group)
{
    char name[64];

    return group == NULL ||
           (EVP_PKEY_get_group_name(key, name, sizeof name, NULL) == 1 && strcmp(name, group) == 0);
}

const struct key_algorithm *
key_algorithm(const EVP_PKEY *key)
{
    for (size_t i = 0; i < ALGORITHMS; i++)
        if (EVP_PKEY_is_a(key, algorithms[i].type) == 1 && on_curve(key, algorithms[i].group))
            return &algorithms[i];
    return NULL;
}

/* A key of a kind that we take, with numbers that can be such a key. */
static bool
usable(EVP_PKEY *key, char *reason, size_t size)
{
    const struct key_algorithm *algorithm = key_algorithm(key);
    int bits = EVP_PKEY_get_bits(key);
    bool rsa = algorithm != NULL && algorithm->width == 0, good = false;
    EVP_PKEY_CTX *context;

    if (algorithm == NULL) {
        snprintf(reason, size,
                 "a kind of key that is not supported; use RSA, EC on P-256, P-384 or P-521, or "
                 "Ed25519");
        return false;
    }
    if (rsa && (bits < RSA_BITS_LEAST || bits > RSA_BITS_MOST)) {
        snprintf(reason, size, "an RSA key of %d bits; it must have %d to %d", bits, RSA_BITS_LEAST,
                 RSA_BITS_MOST);
        return false;
    }
    context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    good = context != NULL && EVP_PKEY_public_check(context) == 1;
    if (!good)
        snprintf(reason, size, "not a valid %s key: %s", algorithm->type, doip_tls_error());
    EVP_PKEY_CTX_free(context);
    return good;
}

/* ------------------------------------------------------------------ PEM */

static EVP_PKEY *
certificate_key(const unsigned char *data, long length)
{
    X509 *certificate = d2i_X509(NULL, &data, length);
    EVP_PKEY *key = certificate != NULL ? X509_get_pubkey(certificate) : NULL;

    X509_free(certificate);
    return key;
}

static EVP_PKEY *
pem_key(const char *name, const unsigned char *data, long length, char *reason, size_t size)
{
    EVP_PKEY *key;

    if (strcmp(name, PEM_STRING_PUBLIC) == 0) {
        key = d2i_PUBKEY(NULL, &data, length);
    } else if (strcmp(name, PEM_STRING_X509) == 0) {
        key = certificate_key(data, length);
    } else {
        snprintf(reason, size,
                 "begins with a PEM block that is neither PUBLIC KEY nor CERTIFICATE");
        return NULL;
    }
    if (key == NULL)
        snprintf(reason, size, "the %s in it can't be read: %s", name, doip_tls_error());
    return key;
}

static EVP_PKEY *
parse_pem(const char *text, size_t length, char *reason, size_t size)
{
    BIO *bio = BIO_new_mem_buf(text, (int)length);
    char *name = NULL, *header = NULL;
    unsigned char *data = NULL;
    EVP_PKEY *key = NULL;
    long bytes = 0;

    if (bio != NULL && PEM_read_bio(bio, &name, &header, &data, &bytes) == 1)
        key = pem_key(name, data, bytes, reason, size);
    else
        snprintf(reason, size, "neither a public key or certificate in PEM nor a JWK: %s",
                 doip_tls_error());
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
    BIO_free(bio);
    return key;
}

/* ------------------------------------------------------------------ JWK */

/* The member as bytes: exactly `width`, or any number of them for 0. How many, or -1. */
static ssize_t
jwk_bytes(const json_t *jwk, const char *member, size_t width, unsigned char *bytes, size_t most)
{
    const json_t *value = json_object_get(jwk, member);
    ssize_t n = json_is_string(value) ? base64url_decode(json_string_value(value),
                                                         json_string_length(value), bytes, most)
                                      : -1;

    return n > 0 && (width == 0 || (size_t)n == width) ? n : -1;
}

static bool
push_number(OSSL_PARAM_BLD *build, const char *parameter, const json_t *jwk, const char *member,
            BIGNUM **number)
{
    unsigned char bytes[NUMBER_MOST];
    ssize_t n = jwk_bytes(jwk, member, 0, bytes, sizeof bytes);

    *number = n > 0 ? BN_bin2bn(bytes, (int)n, NULL) : NULL;
    return *number != NULL && OSSL_PARAM_BLD_push_BN(build, parameter, *number) == 1;
}

/* A point not compressed (EC), or a number alone (Ed25519). */
static bool
push_point(OSSL_PARAM_BLD *build, const struct key_algorithm *algorithm, const json_t *jwk,
           unsigned char *point)
{
    size_t width = algorithm->width, length = width;
    unsigned char *x = point;

    if (algorithm->group != NULL) {
        *x++ = POINT_CONVERSION_UNCOMPRESSED;
        length = 1 + 2 * width;
        if (OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, algorithm->group,
                                            0) != 1 ||
            jwk_bytes(jwk, "y", width, x + width, width) < 0)
            return false;
    }
    return jwk_bytes(jwk, "x", width, x, width) > 0 &&
           OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, length) == 1;
}

static EVP_PKEY *
key_from(const struct key_algorithm *algorithm, OSSL_PARAM_BLD *build)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, algorithm->type, NULL);
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY *key = NULL;

    if (context != NULL && parameters != NULL && EVP_PKEY_fromdata_init(context) == 1 &&
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
        key = NULL;
    OSSL_PARAM_free(parameters);
    EVP_PKEY_CTX_free(context);
    return key;
}

static EVP_PKEY *
jwk_key(const struct key_algorithm *algorithm, const json_t *jwk, char *reason, size_t size)
{
    unsigned char point[1 + 2 * 66];
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *n = NULL, *e = NULL;
    EVP_PKEY *key = NULL;
    bool whole = build != NULL;

    if (whole && algorithm->width != 0)
        whole = push_point(build, algorithm, jwk, point);
    else if (whole)
        whole = push_number(build, OSSL_PKEY_PARAM_RSA_N, jwk, "n", &n) &&
                push_number(build, OSSL_PKEY_PARAM_RSA_E, jwk, "e", &e);
    if (whole)
        key = key_from(algorithm, build);
    if (key == NULL)
        snprintf(reason, size, "a JWK whose %s in base64url do not make a key of its kind",
                 algorithm->width == 0      ? "n and e"
                 : algorithm->group != NULL ? "x and y"
                                            : "x");
    BN_free(n);
    BN_free(e);
    OSSL_PARAM_BLD_free(build);
    return key;
}

static bool
jwk_says(const json_t *jwk, const char *member, const char *due)
{
    const char *value = json_string_value(json_object_get(jwk, member));

    return value != NULL && strcmp(value, due) == 0;
}

static const struct key_algorithm *
jwk_algorithm(const json_t *jwk)
{
    for (size_t i = 0; i < ALGORITHMS; i++)
        if (jwk_says(jwk, "kty", algorithms[i].kty) &&
            (algorithms[i].crv == NULL || jwk_says(jwk, "crv", algorithms[i].crv)))
            return &algorithms[i];
    return NULL;
}

/* Why this can't be a public key for tokens; NULL where it may be one. */
static const char *
jwk_fault(const json_t *jwk, const struct key_algorithm *algorithm)
{
    if (json_object_get(jwk, "keys") != NULL)
        return "a set of JWKs; give one key per file";
    if (jwk_says(jwk, "kty", "oct") || json_object_get(jwk, "k") != NULL)
        return "a JWK that is a shared secret; register a public key";
    if (json_object_get(jwk, "d") != NULL)
        return "a JWK with its private part (\"d\"); register the public key alone, and keep this "
               "one secret";
    if (algorithm == NULL)
        return "a JWK of a kind that is not supported; use RSA, EC on P-256, P-384 or P-521, or "
               "OKP Ed25519";
    if (json_object_get(jwk, "use") != NULL && !jwk_says(jwk, "use", "sig"))
        return "a JWK that is not for signatures (\"use\")";
    if (json_object_get(jwk, "alg") != NULL && !jwk_says(jwk, "alg", algorithm->name))
        return "a JWK for another algorithm (\"alg\") than RS256, ES256, ES384, ES512 or EdDSA as "
               "its kind has it";
    return NULL;
}

static EVP_PKEY *
parse_jwk(const char *text, size_t length, char *reason, size_t size)
{
    char detail[160];
    json_t *jwk = doip_json_parse(text, length, detail, sizeof detail);
    const struct key_algorithm *algorithm = jwk_algorithm(jwk);
    const char *fault = jwk_fault(jwk, algorithm);
    EVP_PKEY *key = NULL;

    /* What Jansson quotes may be part of a private key: the place is enough. */
    if (jwk == NULL)
        snprintf(reason, size, "not a JWK: its JSON can't be read, %.*s", (int)strcspn(detail, ":"),
                 detail);
    else if (fault != NULL)
        snprintf(reason, size, "%s", fault);
    else
        key = jwk_key(algorithm, jwk, reason, size);
    json_decref(jwk);
    return key;
}

/* ------------------------------------------------------------------ both */

EVP_PKEY *
key_parse(const char *text, size_t length, char *reason, size_t size)
{
    size_t blank = 0;
    EVP_PKEY *key = NULL;

    while (blank < length && strchr(" \t\r\n", text[blank]) != NULL && text[blank] != '\0')
        blank++;
    ERR_clear_error();
    if (memmem(text, length, "PRIVATE KEY-----", 16) != NULL)
        snprintf(reason, size,
                 "holds a private key; register the public key alone (openssl pkey -pubout)");
    else if (blank < length && text[blank] == '{')
        key = parse_jwk(text, length, reason, size);
    else
        key = parse_pem(text, length, reason, size);
    if (key != NULL && !usable(key, reason, size)) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    ERR_clear_error();
    return key;
}

/* The file's bytes into `text`, which has room for one more than it may hold; NULL, or why not. */
static const char *
read_file(const char *path, char *text, size_t *length)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    const char *fault = NULL;
    struct stat status;
    ssize_t n = 1;

    *length = 0;
    if (fd < 0)
        return strerror(errno);
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
        fault = "not a regular file";
    while (fault == NULL && n > 0) {
        n = read(fd, text + *length, FILE_MOST + 1 - *length);
        if (n > 0)
            *length += (size_t)n;
        else if (n < 0)
            fault = strerror(errno);
    }
    close(fd);
    return fault;
}

EVP_PKEY *
key_load(const char *path, char *reason, size_t size)
{
    char text[FILE_MOST + 1], why[256];
    size_t length;
    const char *fault = read_file(path, text, &length);
    EVP_PKEY *key = NULL;

    if (fault != NULL)
        snprintf(why, sizeof why, "can't be read: %s", fault);
    else if (length > FILE_MOST)
        snprintf(why, sizeof why, "is over %d KiB, too long for a key", FILE_MOST / 1024);
    else
        key = key_parse(text, length, why, sizeof why);
    OPENSSL_cleanse(text, length); /* it may hold a private key all the same */
    if (key == NULL)
        snprintf(reason, size, "%s: %s", path, why);
    return key;
}
