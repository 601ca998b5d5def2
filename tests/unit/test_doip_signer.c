/*
 * Tokens that the client signs: the daemon takes them, from this client, for this service, for a while.
 */
#include <string.h>
#include <unistd.h>

#include <openssl/pem.h>

#include "doip/signer.h"
#include "doipd/keys.h"
#include "doipd/token.h"
#include "unit.h"

#define ALICE "20.500.123/alice"
#define SERVICE "20.500.123/service"

enum { NOW = 1800000000 };

static char path[64], reason[256];

/* A private key in a file, as signer_load() reads it back; NULL where it refuses it. */
static EVP_PKEY *
load(const char *kind)
{
    EVP_PKEY *key, *loaded;
    FILE *file;
    int fd;

    if (strncmp(kind, "RSA", 3) == 0)
        key = EVP_RSA_gen(2048);
    else
        key = strchr(kind, '2') != NULL && kind[0] != 'P' && kind[0] != 's'
                  ? EVP_PKEY_Q_keygen(NULL, NULL, kind)
                  : EVP_EC_gen(kind);
    ck_assert_ptr_nonnull(key);
    strcpy(path, "/tmp/doip-signer-XXXXXX");
    fd = mkstemp(path);
    file = fdopen(fd, "w");
    ck_assert_int_eq(PEM_write_PKCS8PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
    loaded = signer_load(path, reason, sizeof(reason));
    unlink(path);
    EVP_PKEY_free(key);
    return loaded;
}

static bool
taken(const char *token, EVP_PKEY *key, const char *service, int64_t now)
{
    return token_verify(token, key, ALICE, service, now, reason, sizeof(reason));
}

static const char *const kinds[] = {"RSA", "P-256", "P-384", "P-521", "ED25519"};

START_TEST(signs_what_the_daemon_takes)
{
    EVP_PKEY *key = load(kinds[_i]);
    char *token;

    ck_assert_msg(key != NULL, "%s", reason);
    for (int i = 0; i < 20; i++) { /* r and s of all lengths */
        token = signer_token(key, ALICE, SERVICE, NOW + i, reason, sizeof(reason));
        ck_assert_msg(token != NULL && taken(token, key, SERVICE, NOW + i), "%s", reason);
        free(token);
    }
    token = signer_token(key, ALICE, SERVICE, NOW, reason, sizeof(reason));
    ck_assert(!taken(token, key, "20.500.123/other", NOW));
    ck_assert(taken(token, key, SERVICE, NOW + 120));
    ck_assert(!taken(token, key, SERVICE, NOW + 120 + TOKEN_LEEWAY));
    free(token);
    token = signer_token(key, ALICE, NULL, NOW, reason, sizeof(reason));
    ck_assert(taken(token, key, "20.500.123/other", NOW));
    ck_assert(!token_verify(token, key, "20.500.123/bob", SERVICE, NOW, reason, sizeof(reason)));
    free(token);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(takes_odd_names)
{
    EVP_PKEY *key = load("ED25519");
    char client[4097];
    char *token;

    memset(client, '"', sizeof(client) - 1);
    client[sizeof(client) - 1] = '\0';
    token = signer_token(key, client, client, NOW, reason, sizeof(reason));
    ck_assert_ptr_nonnull(token);
    ck_assert_uint_gt(strlen(token), TOKEN_MOST);
    free(token);
    client[512] = '\0';
    token = signer_token(key, client, client, NOW, reason, sizeof(reason));
    ck_assert(token_verify(token, key, client, client, NOW, reason, sizeof(reason)));
    free(token);
    ck_assert_ptr_null(signer_token(key, "\xff", NULL, NOW, reason, sizeof(reason)));
    ck_assert_str_eq(reason, "the client id has to be UTF-8");
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(refuses_other_keys)
{
    ck_assert_ptr_null(load("secp256k1"));
    ck_assert_ptr_nonnull(strstr(reason, "can't sign tokens"));
    ck_assert_ptr_null(load("X25519"));
    ck_assert_ptr_nonnull(strstr(reason, "can't sign tokens"));
    ck_assert_ptr_null(signer_load("/nonexistent", reason, sizeof(reason)));
    ck_assert_ptr_nonnull(strstr(reason, "No such file or directory"));
    ck_assert_ptr_null(signer_load("/dev/null", reason, sizeof(reason)));
    ck_assert_ptr_nonnull(strstr(reason, "holds no private key in PEM"));
}
END_TEST

static Suite *
suite(void)
{
    Suite *made = suite_create("doip_signer");
    TCase *tests = tcase_create("signer");

    tcase_set_timeout(tests, 30);
    tcase_add_loop_test(tests, signs_what_the_daemon_takes, 0,
                        (int)(sizeof(kinds) / sizeof(kinds[0])));
    tcase_add_test(tests, takes_odd_names);
    tcase_add_test(tests, refuses_other_keys);
    suite_add_tcase(made, tests);
    return made;
}

UNIT_MAIN(suite)
