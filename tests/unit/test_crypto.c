/*
 * Whether TLS is proven to work before anybody is served, and what OpenSSL has lost for want of memory is found.
 */
#include "unit.h"

#include <openssl/ssl.h>
#include <stdint.h>
#include <string.h>

#include <doip/tls.h>

#include "doipd/crypto.h"
#include "doipd/tickets.h"

static const char *const names[] = {"localhost", NULL};
static char reason[512];

/* The sanitizers end a process that asks for too much, unless they are told. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *
__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

const char *
__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

/* A server's context as the service has it. */
static SSL_CTX *
make(const char *kind, const char *min_version)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = kind == NULL               ? NULL
                    : strcmp(kind, "RSA") == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, kind, (size_t)2048)
                                               : EVP_PKEY_Q_keygen(NULL, NULL, kind);
    X509 *certificate = NULL;

    ck_assert(
        doip_certificate_make("20.500.123/x", names, &key, &certificate, reason, sizeof reason));
    ck_assert(doip_tls_prepare(context, min_version));
    tickets_install(context);
    ck_assert_int_eq(SSL_CTX_use_cert_and_key(context, certificate, key, NULL, 1), 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return context;
}

static bool
proves(SSL_CTX *context, unsigned mark)
{
    bool done;

    reason[0] = '\0';
    done = crypto_prove(context, mark, reason, sizeof reason);
    ck_assert_msg(done == (reason[0] == '\0'), "%s", reason);
    return done;
}

static void
ask_too_much(void)
{
    volatile size_t size = PTRDIFF_MAX - 4096;

    ck_assert_ptr_null(OPENSSL_malloc(size));
}

static const struct {
    const char *kind;
    const char *min_version;
} good[] = {{NULL, "1.2"}, {NULL, "1.3"}, {"RSA", "1.2"}, {"ED25519", "1.3"}};

START_TEST(what_works)
{
    SSL_CTX *context;

    ck_assert(crypto_begin());
    context = make(good[_i].kind, good[_i].min_version);
    ck_assert_msg(proves(context, crypto_mark()), "%s", reason);
    ck_assert_msg(proves(context, crypto_mark()), "%s", reason);
    SSL_CTX_free(context);
}
END_TEST

/* As if OpenSSL had had no memory for the algorithms that go with the key. */
START_TEST(no_common_algorithm)
{
    SSL_CTX *context;

    ck_assert(crypto_begin());
    context = make(NULL, "1.2");
    ck_assert_int_eq(SSL_CTX_set1_sigalgs_list(context, "RSA+SHA256"), 1);
    ck_assert(!proves(context, crypto_mark()));
    ck_assert_msg(strstr(reason, "handshake of the service with itself fails") != NULL, "%s",
                  reason);
    SSL_CTX_free(context);
}
END_TEST

START_TEST(memory_that_was_refused_before_all_was_loaded)
{
    SSL_CTX *context;

    ck_assert(crypto_begin());
    ask_too_much();
    context = make(NULL, "1.2");
    ck_assert(!proves(context, crypto_mark()));
    ck_assert_msg(strstr(reason, "memory was short") != NULL, "%s", reason);
    SSL_CTX_free(context);
}
END_TEST

START_TEST(memory_that_is_refused_later)
{
    SSL_CTX *context;
    unsigned mark;

    ck_assert(crypto_begin());
    context = make(NULL, "1.2");
    ck_assert_msg(proves(context, crypto_mark()), "%s", reason);
    ask_too_much(); /* between two reloads: nothing of the next one */
    mark = crypto_mark();
    ck_assert_msg(proves(context, mark), "%s", reason);
    ask_too_much(); /* in the middle of one */
    ck_assert(!proves(context, mark));
    ck_assert_msg(proves(context, crypto_mark()), "%s", reason);
    SSL_CTX_free(context);
}
END_TEST

static Suite *
suite(void)
{
    Suite *all = suite_create("crypto");
    TCase *tests = tcase_create("crypto");

    tcase_add_loop_test(tests, what_works, 0, (int)(sizeof good / sizeof *good));
    tcase_add_test(tests, no_common_algorithm);
    tcase_add_test(tests, memory_that_was_refused_before_all_was_loaded);
    tcase_add_test(tests, memory_that_is_refused_later);
    suite_add_tcase(all, tests);
    return all;
}

UNIT_MAIN(suite)
