/*
 * Fuzzes what judges tokens and reads users' keys (libFuzzer, `make fuzz`).
 *
 * The first byte of the input says what the rest is: a token, or claims, a header or both, which are then well signed,
 * so that the fuzzer gets past the signature; or a file with a key. The oracle: of tokens that the fuzzer
 * made itself none is taken but the one that was signed, to the letter; what is taken holds what token.h promises, told
 * from the JSON in another way; and a key that is taken survives being written.
 */
#include <stdbool.h>
#include <stdint.h>

#include <openssl/err.h>

#include <doip/json.h>
#include <doip/tls.h>

#include "../unit/unit_sign.h"
#include "base64url.h"
#include "fuzz.h"
#include "keys.h"
#include "token.h"

#define ALICE "20.500.123/alice"
#define SERVICE "20.500.123/service"

enum { NOW = 1800000000 };

static const char signer_jwk[] =
    "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"yhQN9WnpPvRrd2-jceaDvzDUV0NrfIVOhK0tufNzob0B2g"
    "phiHBwO4NePwDw2dmRT73piCJjHHWxlTB25MqjYbL5lqiTaMECLB7gy1AHlQkEN8iDNhdOB-tEXzJbRSza0NKU"
    "kPCItSyEFjF001fd4JffZ9BZtb0Y3799Pw1-mjGRV8iu2XPZZrXu8VH6LsaGT_2lsFPlx5bFx1G5xyquUPU1sc"
    "NoRMQ02H5AWc2XvO_jdK4enwK6u1_HSl6jC60eNmhpL7mKPWUgBMpfzXEnc3hxEDg0dBafx-mP8PYD9kf62K5T"
    "jv-tlzlQnFNUNk-yNifSPvZDhTmAAq0Is3upCw\"}";
static const char signed_token[] =
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIyMC41MDAuMTIzL2FsaWNlIiwic3ViIjoiMjAuNTAwLjEyMy9hbGljZ"
    "SIsImp0aSI6IjVmMGM5YTRiZTI3ZDgxMzYwZmE3IiwiaWF0IjoxODAwMDAwMDAwLCJleHAiOjE4MDAwMDA2MDB"
    "9.fKkQl117OrP81M4PAlGJZ9d32ny2DH1wn6E7knMkIgxcMZ-qOCY2JsFo0w5x7QwLEtejgVxp7FJB-oHe_6-t"
    "C19jIkXfWLZJutAyIOSTuoLieBsfVrrjTKIuLhk91MHWUUnu0ZqyQUlH33LeBwhdAewmI9YKg59J6R-VETTanV"
    "RNrKmL3-PSlWP42BKwlQi4GVjVjvyke01qX8GK9SZDcyKv2xta1PQrzZz_2jpQxJK-TYmkbJVg1XEO-l-KQCpZ"
    "VnHo0MZVI579YuA_fDUV8hcbMdFP5uJMdeBdTzI-3rHYwLXFpc8hUh0mjyCW8nFSzUaJQ8GLyNmZuAPZaRmFMw";

/* The key whose signatures we make, and the one of which we know a single token. */
static EVP_PKEY *ours, *theirs;

static void
make_keys(void)
{
    static const unsigned char seed[32] = "a key that everybody knows";
    char reason[256];

    ours = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof seed);
    theirs = key_parse(signer_jwk, strlen(signer_jwk), reason, sizeof reason);
    REQUIRE(ours != NULL && theirs != NULL);
}

static bool
verify(const char *token, EVP_PKEY *key)
{
    char reason[256] = "", subject[64] = "";
    bool good = token_verify(token, key, ALICE, SERVICE, NOW, reason, sizeof reason);

    REQUIRE(good == (reason[0] == '\0') && ERR_peek_error() == 0);
    REQUIRE(!good ||
            (token_subject(token, subject, sizeof subject) && strcmp(subject, ALICE) == 0));
    return good;
}

/* ------------------------------------------------------------------ what the rest of the input is */

static void
fuzz_token(const char *token)
{
    char subject[64];

    token_subject(token, subject, sizeof subject);
    REQUIRE(!verify(token, theirs) || strcmp(token, signed_token) == 0);
    REQUIRE(!verify(token, ours));
}

static bool
is_for_us(const json_t *audience)
{
    bool found = json_is_string(audience) && strcmp(json_string_value(audience), SERVICE) == 0;

    for (size_t i = 0; i < json_array_size(audience); i++)
        found |= strcmp(json_string_value(json_array_get(audience, i)), SERVICE) == 0;
    return found;
}

static void
fuzz_claims(const char *text)
{
    char *token = unit_sign(ours, NULL, 0, "{\"alg\":\"EdDSA\"}", text);
    const char *iss = "", *sub = "";
    json_t *claims, *audience = NULL;
    double exp = 0, nbf = NOW, iat = NOW;

    if (verify(token, ours)) {
        claims = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        REQUIRE(json_unpack(claims, "{s:s, s:s, s:F, s?F, s?F, s?o}", "iss", &iss, "sub", &sub,
                            "exp", &exp, "nbf", &nbf, "iat", &iat, "aud", &audience) == 0);
        REQUIRE(strcmp(iss, ALICE) == 0 && strcmp(sub, ALICE) == 0);
        REQUIRE(exp > NOW - 60 && exp <= NOW + 3660 && nbf <= NOW + 60 && iat <= NOW + 60);
        REQUIRE(audience == NULL || is_for_us(audience));
        json_decref(claims);
    }
    free(token);
}

static void
fuzz_header(const char *text)
{
    char *token = unit_sign(ours, NULL, 0, text,
                            "{\"iss\":\"" ALICE "\",\"sub\":\"" ALICE "\",\"exp\":1800000600}");
    const char *algorithm = "";
    json_t *header;

    if (verify(token, ours)) {
        header = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        REQUIRE(json_unpack(header, "{s:s}", "alg", &algorithm) == 0);
        REQUIRE(strcmp(algorithm, "EdDSA") == 0 && json_object_get(header, "crit") == NULL);
        json_decref(header);
    }
    free(token);
}

/* Whether `text` is what its bytes give. */
static bool
is_plain(const char *text, size_t length)
{
    unsigned char bytes[TOKEN_MOST];
    ssize_t n = base64url_decode(text, length, bytes, sizeof bytes);
    char *again = unit_base64url(bytes, n > 0 ? (size_t)n : 0);
    bool same = n > 0 && strlen(again) == length && memcmp(again, text, length) == 0;

    free(again);
    return same;
}

static void
fuzz_text(const char *text)
{
    char *token = unit_sign_text(ours, NULL, 0, text);
    size_t header = strcspn(text, ".");

    if (verify(token, ours))
        REQUIRE(is_plain(text, header) && is_plain(text + header + 1, strlen(text) - header - 1));
    free(token);
}

static void
fuzz_key(const char *text, size_t length)
{
    char reason[256] = "", *written;
    EVP_PKEY *key = key_parse(text, length, reason, sizeof reason), *again;
    json_t *jwk;

    REQUIRE((key == NULL) == (reason[0] != '\0') && ERR_peek_error() == 0);
    if (key == NULL)
        return;
    jwk = doip_key_jwk(key);
    written = doip_json_text(jwk, NULL);
    again = key_parse(written, strlen(written), reason, sizeof reason);
    /* OpenSSL judges an RSA modulus with small factors by chance. */
    if (again == NULL)
        REQUIRE(strstr(reason, "not a valid RSA key") != NULL);
    else
        REQUIRE(EVP_PKEY_eq(key, again) == 1 && key_algorithm(key) == key_algorithm(again));
    EVP_PKEY_free(key);
    EVP_PKEY_free(again);
    json_decref(jwk);
    free(written);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const targets[])(const char *) = {fuzz_token, fuzz_claims, fuzz_header,
                                                    fuzz_text};
    char *text;

    if (size == 0)
        return 0;
    if (ours == NULL)
        make_keys();
    text = strndup((const char *)data + 1, size - 1);
    if (data[0] & 4)
        fuzz_key((const char *)data + 1, size - 1);
    else
        targets[data[0] & 3](text);
    free(text);
    return 0;
}
