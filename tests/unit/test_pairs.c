/*
 * Certificates with their keys: what is read, what is refused, what is told of them; and the watch over their files.
 */
#include "unit_config.h"

#include <openssl/pem.h>
#include <sys/stat.h>
#include <time.h>

#include <doip/tls.h>

#include "doipd/certificate_watch.h"
#include "doipd/identity.h"
#include "doipd/pairs.h"

static const char *const names[] = {"localhost", "127.0.0.1", NULL};

static FILE *
open_pem(const char *name)
{
    FILE *file = fopen(path_of(name), "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fchmod(fileno(file), 0600), 0);
    return file;
}

/* Makes NAME.pem and NAME.key; `kind` is RSA or NULL for EC. */
static void
make_files(const char *name, const char *kind)
{
    EVP_PKEY *key = kind != NULL ? EVP_PKEY_Q_keygen(NULL, NULL, kind, (size_t)2048) : NULL;
    X509 *certificate = NULL;
    char file_name[64];
    FILE *file;

    ck_assert(
        doip_certificate_make("20.500.123/x", names, &key, &certificate, reason, sizeof reason));
    snprintf(file_name, sizeof file_name, "%s.pem", name);
    file = open_pem(file_name);
    PEM_write_X509(file, certificate);
    fclose(file);
    snprintf(file_name, sizeof file_name, "%s.key", name);
    file = open_pem(file_name);
    PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    fclose(file);
    EVP_PKEY_free(key);
    X509_free(certificate);
}

static bool
read_files(struct pair *pair, const char *certificate, const char *key)
{
    char certificate_path[2 * PATH_MAX], key_path[2 * PATH_MAX];

    snprintf(certificate_path, sizeof certificate_path, "%s", path_of(certificate));
    snprintf(key_path, sizeof key_path, "%s", path_of(key));
    return pair_read(
        pair,
        &(struct pair_files){.certificate = certificate_path,
                             .key = key_path,
                             .certificate_says = "f:1: tls.certificate",
                             .key_says = "f:2: tls.key"},
        reason, sizeof reason);
}

START_TEST(a_good_one)
{
    struct pair_set *set = calloc(1, sizeof *set);
    struct pair *pair = pair_set_add(set);
    char text[256];

    make_files("a", _i == 0 ? NULL : "RSA");
    ck_assert_msg(read_files(pair, "a.pem", "a.key"), "%s", reason);
    ck_assert_int_ge(days_until(pair_end(pair)), 3649);
    pair_key_text(pair, text, sizeof text);
    ck_assert_str_eq(text, _i == 0 ? "EC prime256v1" : "RSA 2048");
    pair_names_text(pair, text, sizeof text);
    ck_assert_str_eq(text, "DNS:localhost, IP Address:127.0.0.1");
    pair_names_text(pair, text, 8); /* cut, not overrun */
    ck_assert_str_eq(text, "DNS:loc");
    pair_set_free(&set);
    ck_assert_ptr_null(set);
}
END_TEST

static const struct {
    const char *certificate;
    const char *key;
    const char *wanted;
} bad[] = {
    {"none.pem", "a.key", "f:1: tls.certificate: can't read "},
    {"a.pem", "none.key", "f:2: tls.key: can't read "},
    {"text.pem", "a.key", "holds no usable certificate"},
    {"a.pem", "text.pem", "holds no usable key"},
    {"a.key", "a.key", "holds no usable certificate"},
    {"a.pem", "b.key", "does not hold the key of the certificate in"},
    {"cut.pem", "a.key", "holds no usable certificate"},
    {"a.pem", "open.key", "everybody can read the key in"},
};

START_TEST(bad_ones)
{
    struct pair_set *set = calloc(1, sizeof *set);
    char text[8192] = "";
    FILE *file;

    make_files("a", NULL);
    make_files("b", NULL);
    make_files("open", NULL);
    ck_assert_int_eq(chmod(path_of("open.key"), 0644), 0);
    put("text.pem", "no PEM\n");
    file = fopen(path_of("a.pem"), "r");
    text[fread(text, 1, 200, file)] = '\0';
    fclose(file);
    put("cut.pem", text);
    ck_assert(!read_files(pair_set_add(set), bad[_i].certificate, bad[_i].key));
    ck_assert_msg(strstr(reason, bad[_i].wanted) != NULL, "%s", reason);
    ck_assert_msg(strncmp(reason, "f:", 2) == 0, "%s", reason);
    pair_set_free(&set);
}
END_TEST

START_TEST(days)
{
    time_t now = time(NULL);

    ck_assert_int_eq(days_until(now + 86400 + 60), 1);
    ck_assert_int_eq(days_until(now + 60), 0);
    ck_assert_int_eq(days_until(now - 60), -1);
    ck_assert_int_eq(days_until(now - 86400 - 60), -2);
}
END_TEST

/* ------------------------------------------------------------------ the watch */

static struct generation
served(struct config *config)
{
    struct generation generation = {
        .number = 1, .config = config, .stamp = certificate_watch_stamp(config)};

    generation.tls = identity_context(config, false, reason, sizeof reason);
    ck_assert_msg(generation.tls != NULL, "%s", reason);
    return generation;
}

START_TEST(changed_files_are_found_when_they_rest_and_are_good)
{
    struct certificate_watch watch = {.look_at = 0};
    struct generation generation;
    int64_t now = 1000000;

    make_files("a", NULL);
    put("c", "tls = { certificate = \"a.pem\"; key = \"a.key\"; }\n");
    generation = served(load_good(path_of("c"), NULL));
    ck_assert(!certificate_watch_look(&watch, &generation, now));
    ck_assert(!certificate_watch_look(&watch, &generation, now += 10000));
    ck_assert_int_eq(unlink(path_of("a.key")), 0);
    ck_assert(!certificate_watch_look(&watch, &generation, now += 10000)); /* just changed */
    ck_assert(!certificate_watch_look(&watch, &generation, now += 10000)); /* no good */
    make_files("a", NULL);
    ck_assert(!certificate_watch_look(&watch, &generation, now += 10000));
    ck_assert(!certificate_watch_look(&watch, &generation, now)); /* too early for a look */
    ck_assert(certificate_watch_look(&watch, &generation, now += 10000));
    ck_assert(!certificate_watch_look(&watch, &generation, now += 10000)); /* once is enough */
    SSL_CTX_free(generation.tls);
    config_free(&generation.config);
}
END_TEST

static Suite *
suite(void)
{
    Suite *all = suite_create("pairs");
    TCase *tests = tcase_create("pairs");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, a_good_one, 0, 2);
    tcase_add_loop_test(tests, bad_ones, 0, (int)(sizeof bad / sizeof *bad));
    tcase_add_test(tests, days);
    tcase_add_test(tests, changed_files_are_found_when_they_rest_and_are_good);
    suite_add_tcase(all, tests);
    return all;
}

UNIT_MAIN(suite)
