/*
 * A public key as a JSON Web Key (RFC 7517, 7518, 8037), as the service information object shows
 * it. Called by doipd's workers when they answer Hello, and by tests; any thread, no state.
 */
#include <doip/tls.h>

#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

typedef struct jwk_curve {
    const char *group; /* OpenSSL's name */
    const char *name;  /* JOSE's */
    int bytes;         /* of a coordinate */
} jwk_curve;

static const jwk_curve jwk_curves[] = {
    {"prime256v1", "P-256", 32},
    {"secp384r1", "P-384", 48},
    {"secp521r1", "P-521", 66},
};

/* Base64 in the alphabet of URLs, without padding. */
static json_t *
jwk_base64url(const unsigned char *data, size_t size)
{
    char *text = malloc(4 * ((size + 2) / 3) + 1);
    json_t *value;
    int length;

    if (text == NULL)
        return NULL;
    length = EVP_EncodeBlock((unsigned char *)text, data, (int)size);
    while (length > 0 && text[length - 1] == '=')
        length--;
    for (int i = 0; i < length; i++) {
        if (text[i] == '+')
            text[i] = '-';
        else if (text[i] == '/')
            text[i] = '_';
    }
    value = json_stringn(text, (size_t)length);
    free(text);
    return value;
}

/* A number of the key, `width` bytes long; 0: as long as it needs. */
static json_t *
jwk_number(EVP_PKEY *key, const char *parameter, int width)
{
    BIGNUM *number = NULL;
    unsigned char *bytes = NULL;
    json_t *value = NULL;

    if (EVP_PKEY_get_bn_param(key, parameter, &number) == 1) {
        if (width == 0)
            width = BN_num_bytes(number);
        bytes = malloc((size_t)width + 1);
        if (bytes != NULL && BN_bn2binpad(number, bytes, width) == width)
            value = jwk_base64url(bytes, (size_t)width);
    }
    free(bytes);
    BN_free(number);
    return value;
}

static json_t *
jwk_rsa(EVP_PKEY *key)
{
    return json_pack("{s:s, s:o, s:o}", "kty", "RSA", "n",
                     jwk_number(key, OSSL_PKEY_PARAM_RSA_N, 0), "e",
                     jwk_number(key, OSSL_PKEY_PARAM_RSA_E, 0));
}

static json_t *
jwk_ec(EVP_PKEY *key)
{
    char group[64] = "";
    const jwk_curve *curve;

    if (EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) != 1)
        return NULL;
    for (size_t i = 0; i < sizeof(jwk_curves) / sizeof(jwk_curves[0]); i++) {
        curve = &jwk_curves[i];
        if (strcmp(curve->group, group) == 0)
            return json_pack("{s:s, s:s, s:o, s:o}", "kty", "EC", "crv", curve->name, "x",
                             jwk_number(key, OSSL_PKEY_PARAM_EC_PUB_X, curve->bytes), "y",
                             jwk_number(key, OSSL_PKEY_PARAM_EC_PUB_Y, curve->bytes));
    }
    return NULL;
}

static json_t *
jwk_ed25519(EVP_PKEY *key)
{
    unsigned char bytes[32];
    size_t size = sizeof(bytes);

    if (EVP_PKEY_get_raw_public_key(key, bytes, &size) != 1)
        return NULL;
    return json_pack("{s:s, s:s, s:o}", "kty", "OKP", "crv", "Ed25519", "x",
                     jwk_base64url(bytes, size));
}

json_t *
doip_key_jwk(EVP_PKEY *key)
{
    if (EVP_PKEY_is_a(key, "RSA") == 1 || EVP_PKEY_is_a(key, "RSA-PSS") == 1)
        return jwk_rsa(key);
    if (EVP_PKEY_is_a(key, "EC") == 1)
        return jwk_ec(key);
    return EVP_PKEY_is_a(key, "ED25519") == 1 ? jwk_ed25519(key) : NULL;
}
