/*
 * TLS ticket keys: a session is resumed after one turn of the keys and not after two, and whoever reads
 * beside a turn gets whole keys.
 */
#include "unit.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doip/tls.h>

#include "doipd/tickets.h"

static SSL_CTX *server, *client;

static void
setup(void)
{
    static const char *const names[] = {"localhost", NULL};
    X509 *certificate = NULL;
    EVP_PKEY *key = NULL;
    char reason[256];

    ck_assert(tickets_init());
    ck_assert(doip_certificate_make("35.TEST/DOIP", names, &key, &certificate, reason, sizeof reason));
    server = SSL_CTX_new(TLS_server_method());
    client = SSL_CTX_new(TLS_client_method());
    SSL_CTX_use_certificate(server, certificate);
    SSL_CTX_use_PrivateKey(server, key);
    tickets_install(server);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static void
teardown(void)
{
    SSL_CTX_free(server);
    SSL_CTX_free(client);
}

/* A handshake in memory; gives the session that the server's ticket makes, and whether `session` was resumed. */
static SSL_SESSION *
shake(SSL_SESSION *session, bool *resumed)
{
    SSL *a = SSL_new(client), *b = SSL_new(server);
    BIO *left, *right;
    SSL_SESSION *out;
    char byte;

    ck_assert_int_eq(BIO_new_bio_pair(&left, 0, &right, 0), 1);
    SSL_set_bio(a, left, left);
    SSL_set_bio(b, right, right);
    SSL_set_connect_state(a);
    SSL_set_accept_state(b);
    if (session != NULL)
        SSL_set_session(a, session);
    for (int i = 0; i < 20 && (!SSL_is_init_finished(a) || !SSL_is_init_finished(b)); i++) {
        SSL_do_handshake(a);
        SSL_do_handshake(b);
    }
    ck_assert(SSL_is_init_finished(a) && SSL_is_init_finished(b));
    SSL_read(a, &byte, 1); /* the ticket */
    *resumed = SSL_session_reused(b) == 1;
    out = SSL_get1_session(a);
    SSL_shutdown(a);
    SSL_free(a);
    SSL_free(b);
    return out;
}

START_TEST(a_ticket_outlives_one_turn)
{
    bool resumed;
    SSL_SESSION *session = shake(NULL, &resumed), *again;

    ck_assert(!resumed);
    again = shake(session, &resumed);
    ck_assert(resumed);
    SSL_SESSION_free(again);
    ck_assert(tickets_turn());
    again = shake(session, &resumed);
    ck_assert_msg(resumed, "the last key is kept");
    ck_assert(tickets_turn());
    SSL_SESSION_free(shake(session, &resumed));
    ck_assert_msg(!resumed, "a key of two turns ago still opens");
    SSL_SESSION_free(again);
    SSL_SESSION_free(session);
}
END_TEST

/* A ticket made by the last key is replaced by one of the new. */
START_TEST(a_resumed_session_gets_a_new_ticket)
{
    bool resumed;
    SSL_SESSION *first = shake(NULL, &resumed), *second, *third;

    ck_assert(tickets_turn());
    second = shake(first, &resumed);
    ck_assert(resumed);
    ck_assert(tickets_turn());
    third = shake(second, &resumed);
    ck_assert_msg(resumed, "the new ticket was made with the old key");
    SSL_SESSION_free(first);
    SSL_SESSION_free(second);
    SSL_SESSION_free(third);
}
END_TEST

/* Reconnects `times` times, each with the session of the last: how often it was resumed. */
static int
reconnect(int times)
{
    bool resumed;
    SSL_SESSION *session = shake(NULL, &resumed);
    int count = 0;

    for (int i = 0; i < times; i++) {
        SSL_SESSION *next = shake(session, &resumed);

        count += resumed;
        SSL_SESSION_free(session);
        session = next;
    }
    SSL_SESSION_free(session);
    return count;
}

/* A ticket of TLS 1.3 is used once, also by OpenSSL's clients if they keep sessions: each handshake gives the one for the next. */
START_TEST(a_client_that_comes_again_is_resumed_each_time)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

    SSL_CTX_set_session_cache_mode(client, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_set_max_proto_version(client, versions[_i]);
    ck_assert_int_eq(reconnect(5), 5);
}
END_TEST

static int tickets_seen;

static int
count_ticket(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    (void)session;
    tickets_seen++;
    return 0;
}

/* Each costs the server a sixteenth of a full handshake. */
START_TEST(a_handshake_gives_one_ticket)
{
    bool resumed;
    SSL_SESSION *first, *second;

    SSL_CTX_set_session_cache_mode(client, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(client, count_ticket);
    first = shake(NULL, &resumed);
    ck_assert_int_eq(tickets_seen, 1);
    second = shake(first, &resumed);
    ck_assert(resumed);
    ck_assert_int_eq(tickets_seen, 2);
    SSL_SESSION_free(first);
    SSL_SESSION_free(second);
}
END_TEST

/* Turns without end beside handshakes: each ends, and none of two handshakes in a row by torn keys. */
static atomic_bool over;

static void *
turn(void *argument)
{
    (void)argument;
    while (!atomic_load(&over)) {
        tickets_turn();
        usleep(50);
    }
    return NULL;
}

START_TEST(turns_beside_handshakes)
{
    pthread_t thread;
    bool resumed;

    pthread_create(&thread, NULL, turn, NULL);
    for (int i = 0; i < 200; i++)
        SSL_SESSION_free(shake(NULL, &resumed));
    atomic_store(&over, true);
    pthread_join(thread, NULL);
}
END_TEST

/* A worker that tries to write them dies of it. */
START_TEST(a_worker_can_not_write_them)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        tickets_protect();
        tickets_turn();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(!WIFEXITED(status) || WEXITSTATUS(status) != 0, "the keys could be written");
}
END_TEST

static Suite *
suite(void)
{
    Suite *suite = suite_create("tickets");
    TCase *tests = tcase_create("tickets");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_ticket_outlives_one_turn);
    tcase_add_test(tests, a_resumed_session_gets_a_new_ticket);
    tcase_add_test(tests, a_handshake_gives_one_ticket);
    tcase_add_loop_test(tests, a_client_that_comes_again_is_resumed_each_time, 0, 2);
    tcase_add_test(tests, turns_beside_handshakes);
    tcase_add_test(tests, a_worker_can_not_write_them);
    suite_add_tcase(suite, tests);
    return suite;
}

UNIT_MAIN(suite)
