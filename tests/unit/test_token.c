/*
 * Tokens that prove who is calling, and forged ones, by each algorithm: signatures and texts. What is in them: test_token_claims.c.
 */
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "keys.h"
#include "unit_token.h"

static const struct {
    const char *type, *group, *name, *digest;
    size_t width;
} kinds[] = {
    {"RSA", NULL, "RS256", "SHA256", 0},    {"EC", "P-256", "ES256", "SHA256", 32},
    {"ED25519", NULL, "EdDSA", NULL, 0},    {"EC", "P-384", "ES384", "SHA384", 48},
    {"EC", "P-521", "ES512", "SHA512", 66},
};

enum { KINDS = sizeof kinds / sizeof kinds[0], ED25519 = 2 };

static EVP_PKEY *keys[KINDS];

static EVP_PKEY *
make_key(int kind)
{
    if (kinds[kind].group != NULL)
        return EVP_EC_gen(kinds[kind].group);
    return strcmp(kinds[kind].type, "RSA") == 0 ? EVP_RSA_gen(2048)
                                                : EVP_PKEY_Q_keygen(NULL, NULL, kinds[kind].type);
}

/* Once: the tests are its children. */
static void
make_keys(void)
{
    for (int i = 0; i < KINDS; i++)
        keys[i] = make_key(i);
}

static void
free_keys(void)
{
    for (int i = 0; i < KINDS; i++)
        EVP_PKEY_free(keys[i]);
}

/* ------------------------------------------------------------------ each algorithm */

static char *
header_of(int kind)
{
    static char header[64];

    snprintf(header, sizeof header, "{\"typ\":\"JWT\",\"alg\":\"%s\"}", kinds[kind].name);
    return header;
}

static char *
sign(int kind, const char *header, const char *claims)
{
    return unit_sign(keys[kind], kinds[kind].digest, kinds[kind].width, header, claims);
}

START_TEST(takes_each_algorithm)
{
    const struct key_algorithm *algorithm = key_algorithm(keys[_i]);

    ck_assert_str_eq(algorithm->name, kinds[_i].name);
    check_token(keys[_i], sign(_i, header_of(_i), CLAIMS), NULL);
    for (int i = 0; i < 20; i++) /* r and s of all lengths */
        check_token(keys[_i], sign(_i, header_of(_i), CLAIMS), NULL);
}
END_TEST

/* Whatever the header says, if it is not what the key says. */
START_TEST(takes_no_algorithm_from_the_header)
{
    static const char *const headers[] = {
        "{\"alg\":\"none\"}",  "{\"alg\":\"HS256\"}",   "{\"alg\":\"PS256\"}",
        "{\"alg\":\"rs256\"}", "{\"alg\":\"ES256K\"}",  "{\"alg\":\"\"}",
        "{\"alg\":null}",      "{\"alg\":[\"RS256\"]}", "{}",
        "{\"ALG\":\"RS256\"}", "{\"alg\":\"DS256\"}",   "{\"alg\":\"Ed25519\"}",
    };

    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        check_token(keys[_i], sign(_i, headers[i], CLAIMS), "alg is not that of the client's key");
    for (int i = 0; i < KINDS; i++)
        if (i != _i) {
            check_token(keys[_i], sign(_i, header_of(i), CLAIMS), "alg is not");
            check_token(keys[_i], sign(i, header_of(i), CLAIMS), "alg is not");
            check_token(keys[_i], sign(i, header_of(_i), CLAIMS), "the signature is not");
        }
}
END_TEST

/* The attack on those who let the header choose: what is public serves as the secret. */
START_TEST(takes_no_public_key_for_a_secret)
{
    static const char *const headers[] = {"{\"alg\":\"HS256\"}",
                                          "{\"typ\":\"JWT\",\"alg\":\"HS256\"}", NULL};
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned int size = sizeof mac;
    char *text, *encoded, *pem;
    BIO *bio = BIO_new(BIO_s_mem());
    long length;

    PEM_write_bio_PUBKEY(bio, keys[_i]);
    length = BIO_get_mem_data(bio, &pem);
    for (int i = 0; i < 3; i++) {
        const char *header = headers[i] != NULL ? headers[i] : header_of(_i);
        text = unit_token_text(header, CLAIMS, strlen(CLAIMS));
        HMAC(EVP_sha256(), pem, (int)length, (unsigned char *)text, strlen(text), mac, &size);
        encoded = unit_base64url(mac, size);
        check_token(keys[_i], unit_dotted(text, encoded),
                    headers[i] != NULL ? "alg is not" : "the signature is not");
        free(text);
        free(encoded);
    }
    BIO_free(bio);
}
END_TEST

START_TEST(takes_no_other_signature)
{
    EVP_PKEY *other = make_key(_i);
    char *token, *unsigned_token = unit_token_text(header_of(_i), CLAIMS, strlen(CLAIMS));
    char *dot;

    check_token(keys[_i], unit_dotted(unsigned_token, ""), "the signature is not base64url");
    check_token(keys[_i], unit_dotted(unsigned_token, "AAAA"), "the signature is not");
    check_token(keys[_i],
                unit_sign(other, kinds[_i].digest, kinds[_i].width, header_of(_i), CLAIMS),
                "not by the client's key");
    token = sign(_i, header_of(_i), CLAIMS);
    token[strlen(token) - 4] = '\0'; /* three bytes less */
    check_token(keys[_i], token, "the signature is not");
    token = sign(_i, header_of(_i), CLAIMS);
    dot = strrchr(token, '.');
    dot[10] = dot[10] == 'A' ? 'B' : 'A';
    check_token(keys[_i], token, "not by the client's key");
    token = sign(_i, header_of(_i), CLAIMS);
    token = realloc(token, strlen(token) + 5);
    strcat(token, "AAAA"); /* three bytes more */
    check_token(keys[_i], token, "the signature is not");
    EVP_PKEY_free(other);
    free(unsigned_token);
}
END_TEST

START_TEST(takes_no_part_of_another_token)
{
    char *good = sign(_i, header_of(_i), CLAIMS);
    char *text = unit_token_text(header_of(_i), "{" WHO ",\"exp\":1800000601}", strlen(CLAIMS));

    check_token(keys[_i], unit_dotted(text, strrchr(good, '.') + 1), "not by the client's key");
    free(text);
    text = unit_token_text(strchr(header_of(_i), ','), CLAIMS, strlen(CLAIMS));
    check_token(keys[_i], unit_dotted(text, strrchr(good, '.') + 1), "not a JSON object");
    free(text);
    free(good);
}
END_TEST

/* JOSE's ECDSA signatures are r and s side by side; DER is another text for the same. */
START_TEST(takes_no_der)
{
    if (kinds[_i].width != 0)
        check_token(keys[_i], unit_sign(keys[_i], kinds[_i].digest, 0, header_of(_i), CLAIMS),
                    "r and s side by side");
}
END_TEST

START_TEST(takes_no_zeros_for_r_and_s)
{
    unsigned char zeros[2 * 66] = {0};
    char *text = unit_token_text(header_of(_i), CLAIMS, strlen(CLAIMS));
    char *encoded = unit_base64url(zeros, kinds[_i].width != 0 ? 2 * kinds[_i].width : 64);

    check_token(keys[_i], unit_dotted(text, encoded), "not by the client's key");
    free(encoded);
    free(text);
}
END_TEST

START_TEST(takes_no_other_padding)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *options;
    unsigned char signature[256];
    size_t size = sizeof signature;
    char *text = unit_token_text(header_of(0), CLAIMS, strlen(CLAIMS)), *encoded;

    ck_assert(EVP_DigestSignInit_ex(context, &options, "SHA256", NULL, NULL, keys[0], NULL) == 1);
    ck_assert(EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1);
    ck_assert(EVP_DigestSign(context, signature, &size, (unsigned char *)text, strlen(text)) == 1);
    encoded = unit_base64url(signature, size);
    check_token(keys[0], unit_dotted(text, encoded), "not by the client's key");
    EVP_MD_CTX_free(context);
    free(encoded);
    free(text);
}
END_TEST

/* ------------------------------------------------------------------ what others made */

/* The first as the Java SDK's PrivateKeyAuthenticationInfo puts it together; the others from RFC 7515 A.3 and RFC 8037
 * A.4, whose signatures are good and whose claims are not for us. */
static const struct {
    const char *jwk, *token, *wanted;
} foreign[] = {
    {"{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"yhQN9WnpPvRrd2-"
     "jceaDvzDUV0NrfIVOhK0tufNzob0B2gphiHBwO4NePwDw2dmRT73piCJj"
     "HHWxlTB25MqjYbL5lqiTaMECLB7gy1AHlQkEN8iDNhdOB-"
     "tEXzJbRSza0NKUkPCItSyEFjF001fd4JffZ9BZtb0Y3799Pw1-mjGRV8iu2XPZZr"
     "Xu8VH6LsaGT_2lsFPlx5bFx1G5xyquUPU1scNoRMQ02H5AWc2XvO_jdK4enwK6u1_"
     "HSl6jC60eNmhpL7mKPWUgBMpfzXEnc3hxEDg0dBafx-mP"
     "8PYD9kf62K5Tjv-tlzlQnFNUNk-yNifSPvZDhTmAAq0Is3upCw\"}",
     "eyJhbGciOiJSUzI1NiJ9."
     "eyJpc3MiOiIyMC41MDAuMTIzL2FsaWNlIiwic3ViIjoiMjAuNTAwLjEyMy9hbGljZSIsImp0aSI6IjVmMGM5YTRiZ"
     "TI3ZDgxMzYwZmE3IiwiaWF0IjoxODAwMDAwMDAwLCJleHAiOjE4MDAwMDA2MDB9."
     "fKkQl117OrP81M4PAlGJZ9d32ny2DH1wn6E7knMkIgxcMZ"
     "-qOCY2JsFo0w5x7QwLEtejgVxp7FJB-oHe_6-"
     "tC19jIkXfWLZJutAyIOSTuoLieBsfVrrjTKIuLhk91MHWUUnu0ZqyQUlH33LeBwhdAewmI9YK"
     "g59J6R-VETTanVRNrKmL3-PSlWP42BKwlQi4GVjVjvyke01qX8GK9SZDcyKv2xta1PQrzZz_2jpQxJK-TYmkbJVg1XEO-"
     "l-KQCpZVnHo0MZVI5"
     "79YuA_fDUV8hcbMdFP5uJMdeBdTzI-3rHYwLXFpc8hUh0mjyCW8nFSzUaJQ8GLyNmZuAPZaRmFMw",
     NULL},
    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
     "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
     "eyJhbGciOiJFUzI1NiJ9."
     "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0c"
     "nVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
     "iss and sub are not both the client"},
    {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
     "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-"
     "09PGcvMg3AIbQR6dWbhijcNR4"
     "ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
     "the claims are not a JSON object"},
};

START_TEST(takes_what_others_sign)
{
    char reason[256] = "";
    EVP_PKEY *key = key_parse(foreign[_i].jwk, strlen(foreign[_i].jwk), reason, sizeof reason);

    ck_assert_msg(key != NULL, "%s", reason);
    check_token(key, strdup(foreign[_i].token), foreign[_i].wanted);
    EVP_PKEY_free(key);
}
END_TEST

/* ------------------------------------------------------------------ the text */

/* Puts `with` in place of the token's `what`-th dot-separated part. */
static char *
with_part(const char *token, int what, const char *before, const char *after)
{
    const char *start = token, *end;
    char *made = malloc(strlen(token) + strlen(before) + strlen(after) + 1);

    for (int i = 0; i < what; i++)
        start = strchr(start, '.') + 1;
    end = start + strcspn(start, ".");
    sprintf(made, "%.*s%s%.*s%s%s", (int)(start - token), token, before, (int)(end - start), start,
            after, end);
    return made;
}

/* Each part, with what some decoders skip over, before and after it. The signature fits the changed text. */
START_TEST(takes_no_other_text)
{
    static const char *const junk[] = {" ", "\n", "\t", "=", "==", "+", "/", "\xc3\xa9", "%", "."};
    char *good = sign(ED25519, EDDSA, CLAIMS),
         *text = unit_token_text(EDDSA, CLAIMS, strlen(CLAIMS)), *changed;

    for (size_t i = 0; i < sizeof junk / sizeof junk[0]; i++)
        for (int part = 0; part < 3; part++)
            for (int after = 0; after < 2; after++) {
                changed = with_part(part == 2 ? good : text, part, after ? "" : junk[i],
                                    after ? junk[i] : "");
                check_token(keys[ED25519],
                            part == 2 ? strdup(changed)
                                      : unit_sign_text(keys[ED25519], NULL, 0, changed),
                            "not ");
                free(changed);
            }
    free(good);
    free(text);
}
END_TEST

/* The last character of a part carries bits that are nobody's: other ones make another text for the same token. */
START_TEST(takes_no_bits_left_over)
{
    static const char *const header = "{\"alg\":\"EdDSA\"} ", *const claims = CLAIMS "  ";
    char *text, *token, *last;

    ck_assert_uint_ne(strlen(header) % 3, 0);
    text = unit_token_text(header, CLAIMS, strlen(CLAIMS));
    last = strchr(text, '.') - 1;
    ++*last;
    check_token(keys[ED25519], unit_sign_text(keys[ED25519], NULL, 0, text), "the header is not");
    free(text);
    text = unit_token_text(EDDSA, claims, strlen(claims) - (strlen(claims) % 3 == 0));
    last = strchr(text, '\0') - 1;
    ++*last;
    check_token(keys[ED25519], unit_sign_text(keys[ED25519], NULL, 0, text), "the claims are not");
    free(text);
    token = sign(ED25519, EDDSA, CLAIMS);
    last = strchr(token, '\0') - 1;
    ck_assert_ptr_nonnull(strchr("AQgw", *last));
    ++*last;
    check_token(keys[ED25519], token, "the signature is not base64url");
}
END_TEST

START_TEST(takes_three_parts_only)
{
    static const char *const texts[] = {"",        ".",         "..",   "...",  "a.b",
                                        "a.b.c.d", "a.b.c.d.e", "a..c", ".b.c", "a.b."};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        check_token(keys[ED25519], strdup(texts[i]), "not ");
}
END_TEST

/* A token of `length` characters, by blanks after its claims. */
static char *
long_token(size_t length)
{
    size_t claims = (length - 20 - 86 - 2) / 4 * 3;
    char *filled = malloc(claims + 1), *token;

    memset(filled, ' ', claims);
    memcpy(filled, CLAIMS, strlen(CLAIMS));
    filled[claims] = '\0';
    token = sign(ED25519, EDDSA, filled);
    ck_assert_uint_eq(strlen(token), length);
    free(filled);
    return token;
}

START_TEST(bounds_the_length)
{
    char subject[64];
    char *token = long_token(TOKEN_MOST + 4);

    ck_assert(!token_subject(token, subject, sizeof subject));
    check_token(keys[ED25519], token, "too long");
    check_token(keys[ED25519], long_token(TOKEN_MOST), NULL);
}
END_TEST

START_TEST(takes_no_key_that_signs_no_tokens)
{
    EVP_PKEY *other = EVP_EC_gen("secp256k1");

    check_token(other, unit_sign(other, "SHA256", 32, "{\"alg\":\"ES256\"}", CLAIMS),
                "a kind that signs no tokens");
    EVP_PKEY_free(other);
}
END_TEST

#define LOOP(tests, test, table) \
    tcase_add_loop_test(tests, test, 0, (int)(sizeof(table) / sizeof((table)[0])))

static Suite *
suite(void)
{
    Suite *made = suite_create("token");
    TCase *tests = tcase_create("token");

    tcase_set_timeout(tests, 30);
    tcase_add_unchecked_fixture(tests, make_keys, free_keys);
    LOOP(tests, takes_each_algorithm, kinds);
    LOOP(tests, takes_no_algorithm_from_the_header, kinds);
    LOOP(tests, takes_no_public_key_for_a_secret, kinds);
    LOOP(tests, takes_no_other_signature, kinds);
    LOOP(tests, takes_no_part_of_another_token, kinds);
    LOOP(tests, takes_no_der, kinds);
    LOOP(tests, takes_no_zeros_for_r_and_s, kinds);
    tcase_add_test(tests, takes_no_other_padding);
    LOOP(tests, takes_what_others_sign, foreign);
    tcase_add_test(tests, takes_no_other_text);
    tcase_add_test(tests, takes_no_bits_left_over);
    tcase_add_test(tests, takes_three_parts_only);
    tcase_add_test(tests, bounds_the_length);
    tcase_add_test(tests, takes_no_key_that_signs_no_tokens);
    suite_add_tcase(made, tests);
    return made;
}

UNIT_MAIN(suite)
