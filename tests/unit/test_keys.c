/*
 * Users' public keys from files: every form that is taken, and what is refused, with what to do.
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <doip/tls.h>

#include "base64url.h"
#include "keys.h"
#include "unit.h"

/* A key of any kind, by a word for each. */
static EVP_PKEY *
make(const char *kind)
{
    EVP_PKEY_CTX *context;
    EVP_PKEY *key = NULL;

    if (strncmp(kind, "RSA-PSS", 7) == 0) {
        context = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
        ck_assert(EVP_PKEY_keygen_init(context) == 1 && EVP_PKEY_generate(context, &key) == 1);
        EVP_PKEY_CTX_free(context);
        return key;
    }
    if (strncmp(kind, "RSA", 3) == 0)
        return EVP_RSA_gen((unsigned int)atoi(kind + 3));
    if (strncmp(kind, "P-", 2) == 0 || strncmp(kind, "secp", 4) == 0)
        return EVP_EC_gen(kind);
    return EVP_PKEY_Q_keygen(NULL, NULL, kind);
}

enum form { PUBLIC, CERTIFICATE, CHAIN, PRIVATE, ENCRYPTED, TRADITIONAL, RSA_PUBLIC, JWK };

static void
write_certificate(BIO *bio, EVP_PKEY *key)
{
    static const char *const names[] = {NULL};
    X509 *certificate = NULL;
    char reason[256] = "";

    ck_assert_msg(doip_certificate_make("x", names, &key, &certificate, reason, sizeof reason),
                  "%s", reason);
    PEM_write_bio_X509(bio, certificate);
    X509_free(certificate);
}

static void
write_chain(BIO *bio, EVP_PKEY *key)
{
    EVP_PKEY *issuer = EVP_EC_gen("P-256");

    write_certificate(bio, key);
    write_certificate(bio, issuer);
    EVP_PKEY_free(issuer);
}

static void
write_jwk(BIO *bio, EVP_PKEY *key)
{
    json_t *jwk = doip_key_jwk(key);
    char *text = json_dumps(jwk, JSON_INDENT(2));

    BIO_puts(bio, text);
    free(text);
    json_decref(jwk);
}

/* Without saying in which form: PKCS#1. */
static void
write_bare(BIO *bio, EVP_PKEY *key)
{
    unsigned char *der = NULL;
    int length = i2d_PublicKey(key, &der);

    PEM_write_bio(bio, PEM_STRING_RSA_PUBLIC, "", der, length);
    OPENSSL_free(der);
}

static BIO *
write_key(EVP_PKEY *key, enum form form)
{
    BIO *bio = BIO_new(BIO_s_mem());

    if (form == PUBLIC)
        PEM_write_bio_PUBKEY(bio, key);
    else if (form == CERTIFICATE)
        write_certificate(bio, key);
    else if (form == CHAIN)
        write_chain(bio, key);
    else if (form == PRIVATE)
        PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    else if (form == ENCRYPTED)
        PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_128_cbc(), "secret", 6, NULL, NULL);
    else if (form == TRADITIONAL)
        PEM_write_bio_PrivateKey_traditional(bio, key, NULL, NULL, 0, NULL, NULL);
    else if (form == RSA_PUBLIC)
        write_bare(bio, key);
    else
        write_jwk(bio, key);
    return bio;
}

/* What `text` gives: a key (to be freed), or NULL when the reason holds `wanted`. */
static EVP_PKEY *
parse(const char *text, size_t length, const char *wanted)
{
    char reason[256] = "";
    EVP_PKEY *key = key_parse(text, length, reason, sizeof reason);

    ck_assert_msg((key != NULL) == (wanted == NULL), "%.*s: %s", (int)length, text, reason);
    if (wanted != NULL)
        ck_assert_msg(strstr(reason, wanted) != NULL, "%s, wanted %s", reason, wanted);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    return key;
}

/* ------------------------------------------------------------------ keys of each kind */

static const struct {
    const char *kind;
    enum form form;
    const char *algorithm; /* or else */
    const char *wanted;
} kinds[] = {
    {"RSA2048", PUBLIC, "RS256", NULL},
    {"RSA2048", CERTIFICATE, "RS256", NULL},
    {"RSA2048", JWK, "RS256", NULL},
    {"P-256", PUBLIC, "ES256", NULL},
    {"P-256", CERTIFICATE, "ES256", NULL},
    {"P-256", CHAIN, "ES256", NULL},
    {"P-256", JWK, "ES256", NULL},
    {"P-384", PUBLIC, "ES384", NULL},
    {"P-384", JWK, "ES384", NULL},
    {"P-521", PUBLIC, "ES512", NULL},
    {"P-521", JWK, "ES512", NULL},
    {"ED25519", PUBLIC, "EdDSA", NULL},
    {"ED25519", CHAIN, "EdDSA", NULL},
    {"ED25519", JWK, "EdDSA", NULL},
    {"RSA1024", PUBLIC, NULL, "an RSA key of 1024 bits; it must have 2048"},
    {"RSA1024", CERTIFICATE, NULL, "an RSA key of 1024 bits; it must have 2048"},
    {"RSA1024", JWK, NULL, "an RSA key of 1024 bits; it must have 2048"},
    {"RSA-PSS", PUBLIC, NULL, "not supported; use RSA"},
    {"secp256k1", PUBLIC, NULL, "not supported; use RSA"},
    {"secp224r1", PUBLIC, NULL, "not supported; use RSA"},
    {"X25519", PUBLIC, NULL, "not supported; use RSA"},
    {"ED448", PUBLIC, NULL, "not supported; use RSA"},
    {"P-256", PRIVATE, NULL, "private key; register the public key alone"},
    {"ED25519", PRIVATE, NULL, "private key; register the public key alone"},
    {"ED25519", ENCRYPTED, NULL, "private key; register the public key alone"},
    {"RSA2048", TRADITIONAL, NULL, "private key; register the public key alone"},
    {"RSA2048", RSA_PUBLIC, NULL, "neither PUBLIC KEY nor CERTIFICATE"},
};

START_TEST(takes_each_kind)
{
    EVP_PKEY *key = make(kinds[_i].kind), *read;
    BIO *bio = write_key(key, kinds[_i].form);
    char *text;
    long length = BIO_get_mem_data(bio, &text);

    read = parse(text, (size_t)length, kinds[_i].wanted);
    if (kinds[_i].algorithm != NULL) {
        ck_assert_int_eq(EVP_PKEY_eq(read, key), 1);
        ck_assert_str_eq(key_algorithm(read)->name, kinds[_i].algorithm);
    }
    EVP_PKEY_free(read);
    EVP_PKEY_free(key);
    BIO_free(bio);
}
END_TEST

/* `openssl x509 -text` and the like write words before the block; blanks hide no JWK. */
START_TEST(takes_what_stands_around)
{
    EVP_PKEY *key = make("ED25519");
    BIO *pem = write_key(key, PUBLIC), *jwk = write_key(key, JWK);
    char text[4096], *block;
    long length = BIO_get_mem_data(pem, &block);

    snprintf(text, sizeof text, "Alice's key\n{\n%.*strailing\n", (int)length, block);
    EVP_PKEY_free(parse(text, strlen(text), NULL));
    snprintf(text, sizeof text, "%.*s", (int)length, block);
    EVP_PKEY_free(parse(text, strlen(text) - 1, NULL));
    length = BIO_get_mem_data(jwk, &block);
    snprintf(text, sizeof text, "\r\n\t %.*s\n", (int)length, block);
    EVP_PKEY_free(parse(text, strlen(text), NULL));
    BIO_free(pem);
    BIO_free(jwk);
    EVP_PKEY_free(key);
}
END_TEST

/* A certificate with its key in one file, as doipd keeps its own. */
START_TEST(takes_no_private_key_behind_a_public_one)
{
    EVP_PKEY *key = make("P-256");
    BIO *bio = write_key(key, CERTIFICATE);
    char *text;
    long length;

    PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    length = BIO_get_mem_data(bio, &text);
    parse(text, (size_t)length, "private key");
    BIO_free(bio);
    EVP_PKEY_free(key);
}
END_TEST

/* ------------------------------------------------------------------ JWKs */

#define X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define EC_KEY "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\""
#define OKP_KEY \
    "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""

static const struct {
    const char *jwk, *wanted;
} jwks[] = {
    {"{" EC_KEY "}", NULL},
    {"{" EC_KEY ",\"use\":\"sig\",\"alg\":\"ES256\",\"kid\":\"1\",\"key_ops\":[\"verify\"]}", NULL},
    {"{" EC_KEY ",\"use\":\"enc\"}", "not for signatures"},
    {"{" EC_KEY ",\"use\":1}", "not for signatures"},
    {"{" EC_KEY ",\"alg\":\"ES384\"}", "for another algorithm"},
    {"{" EC_KEY ",\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}", "private part"},
    {"{" OKP_KEY ",\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"}", "private part"},
    {"{" OKP_KEY ",\"d\":null}", "private part"},
    {"{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75\"}",
     "a shared secret"},
    {"{" OKP_KEY ",\"k\":\"AyM1\"}", "a shared secret"},
    {"{\"keys\":[{" EC_KEY "}]}", "a set of JWKs"},
    {"{}", "not supported; use RSA"},
    {"{\"kty\":\"ec\"}", "not supported; use RSA"},
    {"{\"kty\":\"EC\",\"crv\":\"secp256k1\"}", "not supported; use RSA"},
    {"{\"kty\":\"EC\",\"crv\":\"Ed25519\"}", "not supported; use RSA"},
    {"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" X "\"}", "not supported; use RSA"},
    {"{\"kty\":\"OKP\",\"crv\":\"P-256\",\"x\":\"" X "\"}", "not supported; use RSA"},
    {"{\"kty\":[\"EC\"]}", "not supported; use RSA"},
    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\"}", "x and y in base64url do not make"},
    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"y\":\"" Y "\"}", "x and y in base64url do not make"},
    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" X "\"}", "key"}, /* on no curve */
    {"{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" X "\",\"y\":\"" Y "\"}",
     "x and y in base64url do not make"},
    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "=\",\"y\":\"" Y "\"}",
     "x and y in base64url do not make"},
    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X
     "\",\"y\":\"x/FEzRu9m36HLN/tue659LNpXW6pCyStikYjKIWI5a0\"}",
     "x and y in base64url do not make"},
    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA" X "\",\"y\":\"" Y "\"}",
     "x and y in base64url do not make"},
    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":1,\"y\":2}", "x and y in base64url do not make"},
    {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHUQ\"}",
     "whose x in base64url do"},
    {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"\"}", "whose x in base64url do"},
    {"{\"kty\":\"RSA\",\"n\":\"AQAB\"}", "n and e in base64url do not make"},
    {"{\"kty\":\"RSA\",\"e\":\"AQAB\"}", "n and e in base64url do not make"},
    {"{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}", "an RSA key of 17 bits"},
    {"{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\",\"d\":\"AQAB\"}", "private part"},
    {"{" EC_KEY "", "its JSON can't be read, line 1, column"},
    {"{" EC_KEY "} x", "its JSON can't be read, line 1, column"},
    {"{" EC_KEY ",\"x\":\"" X "\"}", "its JSON can't be read, line 1, column"},
    {"{\n" EC_KEY ",\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6\xff\"}",
     "its JSON can't be read, line 2, column"},
    {"{\"d\" \"jpsQnnGQ\"}", "its JSON can't be read, line 1, column"},
};

START_TEST(judges_jwks)
{
    char reason[256] = "";
    EVP_PKEY *key = parse(jwks[_i].jwk, strlen(jwks[_i].jwk), jwks[_i].wanted);

    EVP_PKEY_free(key);
    EVP_PKEY_free(key_parse(jwks[_i].jwk, strlen(jwks[_i].jwk), reason, sizeof reason));
    ck_assert_ptr_null(strstr(reason, "jpsQ")); /* what is private is not quoted */
}
END_TEST

/* A modulus of `bytes` bytes, all alike. */
static void
check_modulus(size_t bytes, char digit, const char *exponent, const char *wanted)
{
    size_t length = bytes / 3 * 4;
    char *jwk = malloc(length + 64), *n = jwk + sprintf(jwk, "{\"kty\":\"RSA\",\"n\":\"");

    memset(n, digit, length);
    sprintf(n + length, "\",\"e\":\"%s\"}", exponent);
    EVP_PKEY_free(parse(jwk, strlen(jwk), wanted));
    free(jwk);
}

START_TEST(judges_rsa_numbers)
{
    check_modulus(258, '_', "AQAB", "not a valid RSA key"); /* divisible by 3 */
    check_modulus(258, 'q', "AQAB", "not a valid RSA key"); /* even */
    check_modulus(258, '_', "", "n and e in base64url do not make");
    check_modulus(2046, '_', "AQAB", "not a valid RSA key");
    check_modulus(2049, '_', "AQAB", "an RSA key of 16392 bits; it must have 2048 to 16384");
    check_modulus(2052, '_', "AQAB", "n and e in base64url do not make");
    check_modulus(30000, '_', "AQAB", "n and e in base64url do not make");
}
END_TEST

/* ------------------------------------------------------------------ files */

#define WHOLE(text) text, sizeof(text) - 1
#define NEITHER "neither a public key or certificate in PEM nor a JWK"

static const struct {
    const char *text;
    size_t length;
    const char *wanted;
} texts[] = {
    {WHOLE(""), NEITHER},
    {WHOLE(" \n"), NEITHER},
    {WHOLE("\0{}"), NEITHER},
    {WHOLE("ssh-ed25519 AAAA alice"), NEITHER},
    {WHOLE("\x30\x2a\x30\x05\x06\x03\x2b\x65\x70"), NEITHER},
    {WHOLE("[{" EC_KEY "}]"), NEITHER},
    {WHOLE("-----BEGIN PUBLIC KEY-----\nMCow"), NEITHER},
    {WHOLE("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n"),
     "the PUBLIC KEY in it can't be read"},
    {WHOLE("-----BEGIN CERTIFICATE-----\nMCowBQYDK2VwAyEA\n-----END CERTIFICATE-----\n"),
     "the CERTIFICATE in it can't be read"},
    {WHOLE("-----BEGIN OPENSSH PRIVATE KEY-----\n"), "private key"},
};

START_TEST(judges_texts)
{
    parse(texts[_i].text, texts[_i].length, texts[_i].wanted);
}
END_TEST

static char folder[64];

static void
make_folder(void)
{
    strcpy(folder, "/tmp/doipd-keys-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
}

static void
remove_folder(void)
{
    unlink("key");
    ck_assert_int_eq(rmdir(folder), 0);
}

static void
check_load(const char *path, const char *wanted)
{
    char reason[256] = "";
    EVP_PKEY *key = key_load(path, reason, sizeof reason);

    if (wanted == NULL)
        ck_assert_msg(key != NULL, "%s", reason);
    else
        ck_assert_str_eq(reason, wanted);
    EVP_PKEY_free(key);
}

/* The key, and blanks up to `length`. */
static void
write_file(const char *text, int length)
{
    FILE *file = fopen("key", "w");

    ck_assert_int_eq(fprintf(file, "%-*s", length, text), length);
    fclose(file);
}

START_TEST(loads_files)
{
    static const char *const jwk = "{" EC_KEY "}";

    check_load("key", "key: can't be read: No such file or directory");
    check_load("/", "/: can't be read: not a regular file");
    write_file(jwk, (int)strlen(jwk));
    check_load("key", NULL);
    write_file(jwk, 64 * 1024);
    check_load("key", NULL);
    write_file(jwk, 64 * 1024 + 1);
    check_load("key", "key: is over 64 KiB, too long for a key");
    write_file("", 0);
    check_load("key", "key: neither a public key or certificate in PEM nor a JWK: no start line");
    unlink("key");
    ck_assert_int_eq(mkfifo("key", 0600), 0);
    check_load("key", "key: can't be read: not a regular file");
}
END_TEST

/* ------------------------------------------------------------------ base64url */

static const struct {
    const char *text;
    const char *bytes; /* NULL: none */
    ssize_t length;
} encoded[] = {
    {"", "", 0},
    {"AA", "\0", 1},
    {"Zg", "f", 1},
    {"Zm8", "fo", 2},
    {"Zm9v", "foo", 3},
    {"Zm9vYg", "foob", 4},
    {"-_-_", "\xfb\xff\xbf", 3},
    {"Z", NULL, -1},
    {"Zm9vY", NULL, -1},
    {"Zh", NULL, -1},
    {"Zm9", NULL, -1},
    {"Zg==", NULL, -1},
    {"Zg=", NULL, -1},
    {"+/+/", NULL, -1},
    {"Zm 9", NULL, -1},
    {"Zm9\n", NULL, -1},
    {"Zm9vYmFy", NULL, -1}, /* 6 bytes, there is room for 5 */
    {"Zm9vYmE", "fooba", 5},
    {"\xc3\xa9Zm", NULL, -1},
};

START_TEST(decodes_base64url)
{
    unsigned char bytes[5];
    ssize_t n = base64url_decode(encoded[_i].text, strlen(encoded[_i].text), bytes, sizeof bytes);

    ck_assert_int_eq(n, encoded[_i].length);
    if (n > 0)
        ck_assert_mem_eq(bytes, encoded[_i].bytes, (size_t)n);
}
END_TEST

#define LOOP(tests, test, table) \
    tcase_add_loop_test(tests, test, 0, (int)(sizeof(table) / sizeof((table)[0])))

static Suite *
suite(void)
{
    Suite *made = suite_create("keys");
    TCase *tests = tcase_create("keys"), *files = tcase_create("files");

    tcase_set_timeout(tests, 30);
    LOOP(tests, takes_each_kind, kinds);
    tcase_add_test(tests, takes_what_stands_around);
    tcase_add_test(tests, takes_no_private_key_behind_a_public_one);
    LOOP(tests, judges_jwks, jwks);
    tcase_add_test(tests, judges_rsa_numbers);
    LOOP(tests, judges_texts, texts);
    LOOP(tests, decodes_base64url, encoded);
    tcase_add_checked_fixture(files, make_folder, remove_folder);
    tcase_add_test(files, loads_files);
    suite_add_tcase(made, tests);
    suite_add_tcase(made, files);
    return made;
}

UNIT_MAIN(suite)
