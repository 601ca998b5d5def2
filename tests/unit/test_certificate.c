/*
 * Certificates: what doip_certificate_make() puts in, what doip_certificate_identity() reads out,
 * pins, and keys as JWK.
 */
#include <stdio.h>
#include <string.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <doip/tls.h>

#include "unit.h"

static const char *const no_names[] = {NULL};

static X509 *
make(const char *service, const char *const *names, EVP_PKEY **key)
{
    X509 *certificate = NULL;
    char reason[256] = "";

    ck_assert_msg(doip_certificate_make(service, names, key, &certificate, reason, sizeof(reason)),
                  "%s", reason);
    return certificate;
}

/* ------------------------------------------------------------------ making */

START_TEST(is_what_a_server_needs)
{
    EVP_PKEY *key = NULL;
    X509 *made = make("20.500.123/service", no_names, &key);
    BIGNUM *serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(made), NULL);
    int days, seconds;

    ck_assert_int_eq(X509_get_version(made), X509_VERSION_3);
    ck_assert_int_eq(X509_verify(made, key), 1);
    ck_assert_int_eq(BN_num_bits(serial), 127);
    ck_assert_int_eq(X509_cmp_current_time(X509_get0_notBefore(made)), -1);
    ck_assert(ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(made)));
    ck_assert_int_ge(days, 3649);
    ck_assert_int_eq(X509_check_purpose(made, X509_PURPOSE_SSL_SERVER, 0), 1);
    ck_assert_int_eq(X509_check_purpose(made, X509_PURPOSE_SSL_SERVER, 1), 0);
    ck_assert_int_eq(X509_get_key_usage(made), KU_DIGITAL_SIGNATURE);
    BN_free(serial);
    X509_free(made);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(names_hosts_and_addresses)
{
    static const char *const names[] = {"localhost",          "doip.example.org",
                                        "127.0.0.1",          "::1",
                                        "fe80::1%eth0",       "localhost",
                                        "not a name",         "",
                                        "a,DNS:evil.example", NULL};
    EVP_PKEY *key = NULL;
    X509 *made = make("0.DOIP/x", names, &key);
    GENERAL_NAMES *list = X509_get_ext_d2i(made, NID_subject_alt_name, NULL, NULL);

    ck_assert_int_eq(sk_GENERAL_NAME_num(list), 5);
    ck_assert_int_eq(X509_check_host(made, "localhost", 0, 0, NULL), 1);
    ck_assert_int_eq(X509_check_host(made, "doip.example.org", 0, 0, NULL), 1);
    ck_assert_int_eq(X509_check_host(made, "evil.example", 0, 0, NULL), 0);
    ck_assert_int_eq(X509_check_ip_asc(made, "127.0.0.1", 0), 1);
    ck_assert_int_eq(X509_check_ip_asc(made, "::1", 0), 1);
    ck_assert_int_eq(X509_check_ip_asc(made, "fe80::1", 0), 1);
    ck_assert_int_eq(X509_check_ip_asc(made, "127.0.0.2", 0), 0);
    GENERAL_NAMES_free(list);
    X509_free(made);
    EVP_PKEY_free(key);
}
END_TEST

static void
check_service_name(const char *service, bool common)
{
    EVP_PKEY *key = NULL;
    X509 *made = make(service, no_names, &key);
    const X509_NAME *subject = X509_get_subject_name(made);
    char *identity = doip_certificate_identity(made);

    ck_assert_str_eq(identity, service);
    ck_assert_int_ge(X509_NAME_get_index_by_NID((X509_NAME *)subject, NID_userId, -1), 0);
    ck_assert_int_eq(X509_NAME_get_index_by_NID((X509_NAME *)subject, NID_commonName, -1) >= 0,
                     common);
    ck_assert_int_eq(X509_NAME_cmp(subject, X509_get_issuer_name(made)), 0);
    free(identity);
    X509_free(made);
    EVP_PKEY_free(key);
}

START_TEST(names_the_service)
{
    char text[DOIP_ID_MAX + 1] = "";

    check_service_name("20.500.123/service", true);
    check_service_name("20.500.123/a,CN=b+c\"d\\", true);
    memset(text, 'x', 64);
    check_service_name(text, true);
    memset(text, 'x', 65);
    check_service_name(text, false);
    memset(text, 'x', DOIP_ID_MAX);
    check_service_name(text, false);
    text[0] = '\0';
    for (int i = 0; i < 64; i++)
        strcat(text, "\xc3\xa9"); /* 64 characters, 128 bytes */
    check_service_name(text, true);
}
END_TEST

START_TEST(keeps_a_given_key)
{
    static const char *const kinds[] = {"RSA", "ED25519", "EC"};
    EVP_PKEY *key, *given;
    X509 *made;

    for (size_t i = 0; i < 3; i++) {
        given = key = strcmp(kinds[i], "RSA") == 0
                          ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048)
                      : strcmp(kinds[i], "EC") == 0 ? EVP_EC_gen("P-384")
                                                    : EVP_PKEY_Q_keygen(NULL, NULL, kinds[i]);
        made = make("0.DOIP/x", no_names, &key);
        ck_assert_ptr_eq(key, given);
        ck_assert_int_eq(X509_verify(made, key), 1);
        X509_free(made);
        EVP_PKEY_free(key);
    }
}
END_TEST

/* ------------------------------------------------------------------ identities */

#define O NID_organizationName
#define CN NID_commonName
#define UID NID_userId

static const struct {
    struct {
        int nid;
        const char *text;
        int length; /* 0: of the text */
    } entries[3];
    const char *identity;
} identities[] = {
    {{{UID, "alice", 0}}, "alice"},
    {{{CN, "bob", 0}, {UID, "alice", 0}}, "alice"},
    {{{O, "ACME", 0}, {CN, "bob", 0}}, "bob"},
    {{{O, "ACME", 0}}, "ACME"},
    {{{NID_countryName, "DE", 0}}, NULL},
    {{{0, NULL, 0}}, NULL},
    {{{UID, "300:20.500.123/alice", 0}}, "20.500.123/alice"},
    {{{CN, "300:bob", 0}}, "bob"},
    {{{UID, "300:", 0}}, NULL},
    {{{UID, ":x", 0}}, ":x"},
    {{{UID, "3a:x", 0}}, "3a:x"},
    {{{UID, "1:2:x", 0}}, "2:x"},
    {{{UID, "ali\0ce", 6}, {CN, "bob", 0}}, NULL},
    {{{UID, "bad \xff utf-8", 0}, {CN, "bob", 0}}, NULL},
};

START_TEST(reads_the_identity)
{
    X509 *certificate = X509_new();
    X509_NAME *name = X509_NAME_new();
    char *identity;

    for (int i = 0; i < 3 && identities[_i].entries[i].text != NULL; i++) {
        const char *text = identities[_i].entries[i].text;
        int length = identities[_i].entries[i].length;
        ck_assert(X509_NAME_add_entry_by_NID(name, identities[_i].entries[i].nid, V_ASN1_UTF8STRING,
                                             (const unsigned char *)text,
                                             length > 0 ? length : (int)strlen(text), -1, 0));
    }
    X509_set_subject_name(certificate, name);
    identity = doip_certificate_identity(certificate);
    ck_assert_pstr_eq(identity, identities[_i].identity);
    free(identity);
    X509_NAME_free(name);
    X509_free(certificate);
}
END_TEST

START_TEST(refuses_a_long_identity)
{
    char text[DOIP_ID_MAX + 2];
    EVP_PKEY *key = NULL;
    X509 *made;

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    made = make(text, no_names, &key);
    ck_assert_ptr_null(doip_certificate_identity(made));
    X509_free(made);
    EVP_PKEY_free(key);
}
END_TEST

/* ------------------------------------------------------------------ keys */

/* Made with: openssl x509 -pubkey -noout | openssl pkey -pubin -outform der | sha256sum */
START_TEST(pins_the_key)
{
    static const char pem[] = "-----BEGIN CERTIFICATE-----\n"
                              "MIIBrzCCAVWgAwIBAgIUf+4uLNJbLNpDuMMA3z4xfJyPjy4wCgYIKoZIzj0EAwIw\n"
                              "HzERMA8GCgmSJomT8ixkAQEMAXgxCjAIBgNVBAMMAXgwHhcNMjYxMTIyMTAyNTQy\n"
                              "WhcNMjYxMjIyMTAyNTQyWjAfMREwDwYKCZImiZPyLGQBAQwBeDEKMAgGA1UEAwwB\n"
                              "eDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABMOsmvzPgqsuT/bcsakCoSU9dmcN\n"
                              "I02AVHAxWRiUNUchSHkNLqIETCdtouG87FQjN1GtscUHZ3EjcevTGtZeFCijbzBt\n"
                              "MB0GA1UdDgQWBBS4TVoT99Se+L5lP6cUKYe8AY5onjAfBgNVHSMEGDAWgBS4TVoT\n"
                              "99Se+L5lP6cUKYe8AY5onjAPBgNVHRMBAf8EBTADAQH/MBoGA1UdEQQTMBGCCWxv\n"
                              "Y2FsaG9zdIcEfwAAATAKBggqhkjOPQQDAgNIADBFAiEA6qOsY1yi/l5qvpX7GuVz\n"
                              "bAMweCYSp4EewL2hZWC/I+8CIFownZXGA0arnvfUkFAawsq+l3krJV2Qf7J2Wk/U\n"
                              "Aqcs\n"
                              "-----END CERTIFICATE-----\n";
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    char pin[65];

    ck_assert(doip_certificate_pin(certificate, pin));
    ck_assert_str_eq(pin, "f84c930731de3f414b463ea4de3cd100ec4f4c37e0cedbc3b759d15340bfd572");
    X509_free(certificate);
    BIO_free(bio);
}
END_TEST

START_TEST(pins_the_key_not_the_certificate)
{
    EVP_PKEY *key = NULL;
    X509 *one = make("a", no_names, &key), *two = make("b", no_names, &key);
    char first[65], second[65];

    ck_assert(doip_certificate_pin(one, first) && doip_certificate_pin(two, second));
    ck_assert_str_eq(first, second);
    X509_free(one);
    X509_free(two);
    EVP_PKEY_free(key);
}
END_TEST

/* Public keys from RFC 7515 A.3, RFC 8037 A.2 and RFC 7517 A.1; and one on P-521 whose x begins
 * with zeros. */
static const struct {
    const char *pem, *jwk;
} keys[] = {
    {"-----BEGIN PUBLIC KEY-----\n"
     "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n"
     "6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"
     "-----END PUBLIC KEY-----\n",
     "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
     "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"},
    {"-----BEGIN PUBLIC KEY-----\n"
     "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
     "-----END PUBLIC KEY-----\n",
     "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"},
    {"-----BEGIN PUBLIC KEY-----\n"
     "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA0vx7agoebGcQSuuPiLJX\n"
     "ZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tS\n"
     "oc/BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ/2W+5JsGY4Hc5n9yBXArwl93lqt\n"
     "7/RN5w6Cf0h4QyQ5v+65YGjQR0/FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0\n"
     "zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt+bFTWhAI4vMQFh6WeZu0f\n"
     "M4lFd2NcRwr3XPksINHaQ+G/xBniIqbw0Ls1jF44+csFCur+kEgU8awapJzKnqDK\n"
     "gwIDAQAB\n"
     "-----END PUBLIC KEY-----\n",
     "{\"kty\":\"RSA\",\"n\":"
     "\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_"
     "BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_"
     "FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-"
     "bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw\","
     "\"e\":\"AQAB\"}"},
    {"-----BEGIN PUBLIC KEY-----\n"
     "MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQAAGCojYWWosZZey3E5GXf1+dKC8t7\n"
     "hj9W8hwUFKWVi2KklZlv2GuOnnimcSx4h+dd/OlyoE4Sy5z54DL/KsGv/xkBM9H8\n"
     "Cq26CAYTV40pgMd/5jy3zQpg0a3ysuUI2ayeKosdDFOI0cuwXw4sWNAcvMBZRZKT\n"
     "1Jgoth9HwfLt64kUUoo=\n"
     "-----END PUBLIC KEY-----\n",
     "{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"AABgqI2FlqLGWXstxORl39fnSgvLe4Y_"
     "VvIcFBSllYtipJWZb9hrjp54pnEseIfnXfzpcqBOEsuc-eAy_yrBr_8Z\",\"y\":\"ATPR_AqtuggGE1eNKYDHf-"
     "Y8t80KYNGt8rLlCNmsniqLHQxTiNHLsF8OLFjQHLzAWUWSk9SYKLYfR8Hy7euJFFKK\"}"},
};

START_TEST(shows_a_key_as_jwk)
{
    BIO *bio = BIO_new_mem_buf(keys[_i].pem, -1);
    EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    json_t *jwk, *due = json_loads(keys[_i].jwk, 0, NULL);

    ck_assert_ptr_nonnull(key);
    jwk = doip_key_jwk(key);
    ck_assert_ptr_nonnull(due);
    ck_assert_msg(json_equal(jwk, due), "%s", json_dumps(jwk, 0));
    json_decref(jwk);
    json_decref(due);
    EVP_PKEY_free(key);
    BIO_free(bio);
}
END_TEST

START_TEST(knows_no_jwk_for_other_keys)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");

    ck_assert_ptr_null(doip_key_jwk(key));
    EVP_PKEY_free(key);
    key = EVP_EC_gen("secp256k1");
    ck_assert_ptr_null(doip_key_jwk(key));
    EVP_PKEY_free(key);
}
END_TEST

static Suite *
suite(void)
{
    Suite *made = suite_create("certificate");
    TCase *tests = tcase_create("certificate");

    tcase_add_test(tests, is_what_a_server_needs);
    tcase_add_test(tests, names_hosts_and_addresses);
    tcase_add_test(tests, names_the_service);
    tcase_add_test(tests, keeps_a_given_key);
    tcase_add_loop_test(tests, reads_the_identity, 0,
                        (int)(sizeof(identities) / sizeof(identities[0])));
    tcase_add_test(tests, refuses_a_long_identity);
    tcase_add_test(tests, pins_the_key);
    tcase_add_test(tests, pins_the_key_not_the_certificate);
    tcase_add_loop_test(tests, shows_a_key_as_jwk, 0, (int)(sizeof(keys) / sizeof(keys[0])));
    tcase_add_test(tests, knows_no_jwk_for_other_keys);
    suite_add_tcase(made, tests);
    return made;
}

UNIT_MAIN(suite)
