/*
 * Streams over TLS, and the writer over a stream that does not wait: how connections end, what may be waited for, and
 * that nothing is lost or sent twice; whose turn it is. Two ends of a socket pair; the far one runs in a thread where both must move.
 */
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

#include <doip/segment.h>

#include "unit_service.h"

#define COUNT_OF(table) (int)(sizeof(table) / sizeof *(table))

static doip_stream *near, *far;
static int far_fd;      /* a second descriptor of the far end's socket, for raw bytes */
static atomic_bool over; /* the far end's thread may stop */

static void *
shake(void *stream)
{
    ck_assert_int_eq(doip_tls_handshake(stream), 0);
    return NULL;
}

/* `buffer`: the kernel's, for what the near end sends; 0 for its own choice. */
static void
connect_pair(int buffer)
{
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());
    pthread_t thread;
    int ends[2];

    service_make_certificate();
    unlink(service.file);
    SSL_CTX_set_num_tickets(service.context, 0); /* unread, they would make of the far end's close a reset */
    ck_assert(doip_tls_prepare(client, "1.2"));
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    if (buffer > 0)
        setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    far_fd = dup(ends[1]);
    near = doip_tls_server(service.context, ends[0]);
    far = doip_tls_client(client, ends[1], NULL);
    ck_assert_int_eq(pthread_create(&thread, NULL, shake, far), 0);
    shake(near);
    pthread_join(thread, NULL);
    SSL_CTX_free(client);
    over = false;
}

static void
far_close(void)
{
    doip_stream_free(&far);
    close(far_fd);
}

static void
near_close(void)
{
    doip_stream_free(&near);
    SSL_CTX_free(service.context);
    X509_free(service.certificate);
}

/* ------------------------------------------------------------------ ends */

/* With close_notify and without, an end between two reads is an end. */
START_TEST(reads_to_the_end)
{
    char data[64];

    connect_pair(0);
    say(far, "words");
    if (_i == 1)
        ck_assert_int_eq(doip_stream_finish(far), 0);
    far_close();
    ck_assert_int_eq(doip_stream_read(near, data, sizeof data), 5);
    ck_assert_int_eq(doip_stream_read(near, data, sizeof data), 0);
    ck_assert_int_eq(doip_stream_read(near, data, sizeof data), 0);
    ck_assert_str_eq(doip_stream_reason(near), "");
    near_close();
}
END_TEST

/* A read of nothing is not the end. */
START_TEST(reads_nothing)
{
    char data[64];

    connect_pair(0);
    say(far, "words");
    ck_assert_int_eq(doip_stream_read(near, data, 0), 0);
    ck_assert_int_eq(doip_stream_read(near, data, sizeof data), 5);
    far_close();
    near_close();
}
END_TEST

/* Bytes that are no TLS end the stream for good. */
START_TEST(latches_junk)
{
    char data[64];

    connect_pair(0);
    ck_assert_int_eq(write(far_fd, "GET / HTTP/1.1\r\n\r\n", 18), 18);
    ck_assert_int_eq(doip_stream_read(near, data, sizeof data), DOIP_E_TLS);
    ck_assert_int_eq(strncmp(doip_stream_reason(near), "TLS: ", 5), 0);
    ck_assert_int_eq(doip_stream_read(near, data, sizeof data), DOIP_E_TLS);
    ck_assert_int_eq(doip_stream_write(near, "x", 1), DOIP_E_TLS);
    ck_assert_int_eq(doip_stream_finish(near), DOIP_E_TLS);
    far_close();
    near_close();
}
END_TEST

/* A peer that takes no more may have said something before: writing and finishing fail, reading goes on. SIGPIPE never comes. */
START_TEST(reads_what_came_before_the_break)
{
    static char much[1 << 20];
    char data[64];

    connect_pair(0);
    signal(SIGPIPE, SIG_DFL);
    say(far, "early answer");
    far_close();
    if (_i == 0)
        ck_assert_int_eq(doip_stream_write_all(near, much, sizeof much), DOIP_E_BROKEN);
    ck_assert_int_eq(doip_stream_finish(near), DOIP_E_BROKEN);
    ck_assert_int_eq(doip_stream_write(near, "x", 1), DOIP_E_BROKEN);
    ck_assert_str_ne(doip_stream_reason(near), "");
    ck_assert_int_eq(doip_stream_read(near, data, sizeof data), 12);
    ck_assert_int_eq(doip_stream_read(near, data, sizeof data), 0);
    near_close();
}
END_TEST

/* New keys, asked for by the peer in the middle, change nothing. */
START_TEST(survives_new_keys)
{
    char data[64];

    connect_pair(0);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(SSL_key_update(doip_tls_ssl(far), SSL_KEY_UPDATE_REQUESTED), 1);
        say(far, "words");
        ck_assert_int_eq(doip_stream_read(near, data, sizeof data), 5);
        say(near, "answer");
        ck_assert_int_eq(doip_stream_read(far, data, sizeof data), 6);
    }
    far_close();
    near_close();
}
END_TEST

/* ------------------------------------------------------------------ waits */

/* The bytes of a record that never gets whole, one by one. */
static void *
dribble(void *unused)
{
    static const unsigned char head[] = {0x17, 3, 3, 0x40, 0};

    ck_assert_int_eq(write(far_fd, head, sizeof head), sizeof head);
    for (int i = 0; i < 16000 && !over; i++) {
        ck_assert_int_eq(write(far_fd, "x", 1), 1);
        usleep(20000);
    }
    return unused;
}

/* A wait is bounded in all, not anew with each byte of a record. */
START_TEST(waits_no_longer_for_a_dribble)
{
    pthread_t thread;
    char data[64];

    connect_pair(0);
    doip_stream_set_waits(near, 300, 300);
    ck_assert_int_eq(pthread_create(&thread, NULL, dribble, NULL), 0);
    ck_assert_int_eq(doip_stream_read(near, data, sizeof data), DOIP_E_TIMEOUT);
    ck_assert_int_ge(doip_stream_waited(near, DOIP_WANT_READ), 300);
    ck_assert_int_eq(doip_stream_waited(near, DOIP_WANT_WRITE), 0);
    over = true;
    pthread_join(thread, NULL);
    far_close();
    near_close();
}
END_TEST

/* The same bounds the least rate: after the grace, a reader that waits without bound gives up. */
START_TEST(gives_up_on_a_slow_message)
{
    doip_reader *reader;
    doip_segment kind;
    pthread_t thread;

    connect_pair(0);
    reader = doip_reader_new(near, 1000);
    doip_reader_set_rate(reader, 1000, 200);
    say(far, "{}\n#\n@\n");
    ck_assert_int_eq(doip_reader_next(reader, &kind), 1);
    ck_assert_int_eq(doip_reader_next(reader, &kind), 1);
    ck_assert_int_eq(pthread_create(&thread, NULL, dribble, NULL), 0);
    ck_assert_int_eq(doip_reader_next(reader, &kind), DOIP_E_TIMEOUT);
    ck_assert_int_eq(doip_reader_next(reader, &kind), DOIP_E_TIMEOUT);
    over = true;
    pthread_join(thread, NULL);
    doip_reader_free(&reader);
    far_close();
    near_close();
}
END_TEST

/* ------------------------------------------------------------------ a writer that does not wait */

static void *
collect(void *into)
{
    doip_stream *memory = into;
    char data[65536];
    ssize_t n;

    while ((n = doip_stream_read(far, data, sizeof data)) > 0)
        doip_memory_feed(memory, data, (size_t)n);
    doip_memory_end(memory);
    return NULL;
}

static char
byte_at(size_t i)
{
    return (char)(i * 31 + i / 251 + i / 65536);
}

/* Pieces that are copied, and pieces that go from where they lie. */
static const size_t pieces[] = {1000, 30000, 100000, 3000000};
enum { TOTAL = 3000000 };

static void
check_collected(doip_stream *memory)
{
    doip_reader *reader = doip_reader_new(memory, 1000);
    char data[8192];
    doip_segment kind;
    size_t total = 0, wrong = 0;
    ssize_t n;

    ck_assert_int_eq(doip_reader_next(reader, &kind), 1);
    while ((n = doip_reader_read(reader, data, sizeof data)) > 0)
        for (ssize_t i = 0; i < n; i++)
            wrong += data[i] != byte_at(total++);
    ck_assert_int_eq(n, 0);
    ck_assert_uint_eq(total, TOTAL);
    ck_assert_uint_eq(wrong, 0);
    ck_assert_int_eq(doip_reader_next(reader, &kind), 1);
    ck_assert_int_eq(kind, DOIP_SEGMENT_END);
    doip_reader_free(&reader);
}

/* What the stream does not take is kept, and goes out later: nothing lost, nothing twice. The far end reads from the start, or
 * only once all is written. */
START_TEST(keeps_what_can_not_go)
{
    static char data[TOTAL];
    size_t piece = pieces[_i / 2];
    doip_stream *memory = doip_memory_new();
    doip_writer *writer;
    pthread_t thread;
    int n;

    connect_pair(0);
    for (size_t i = 0; i < TOTAL; i++)
        data[i] = byte_at(i);
    writer = doip_writer_new(near);
    doip_stream_set_waits(near, 0, 0);
    if (_i % 2 == 0)
        ck_assert_int_eq(pthread_create(&thread, NULL, collect, memory), 0);
    ck_assert_int_eq(doip_writer_bytes_begin(writer), 0);
    for (size_t i = 0; i < TOTAL; i += piece)
        ck_assert_int_eq(doip_writer_bytes(writer, data + i, piece), 0);
    ck_assert_int_eq(doip_writer_empty(writer), 0);
    if (_i % 2 == 1)
        ck_assert_int_eq(pthread_create(&thread, NULL, collect, memory), 0);
    while ((n = doip_writer_flush(writer)) == DOIP_E_AGAIN)
        usleep(1000);
    ck_assert_int_eq(n, 0);
    doip_stream_set_waits(near, -1, -1);
    ck_assert_int_eq(doip_stream_finish(near), 0);
    pthread_join(thread, NULL);
    check_collected(memory);
    doip_writer_free(&writer);
    doip_stream_free(&memory);
    far_close();
    near_close();
}
END_TEST

/* A message that was offered to TLS can't be taken back, though no byte of it was reported as gone: a record of it may be made. */
START_TEST(takes_nothing_back_from_tls)
{
    static char text[200000];
    doip_writer *writer;
    json_t *value;

    connect_pair(1);
    memset(text, 'x', sizeof text - 1);
    value = json_string(text);
    writer = doip_writer_new(near);
    doip_stream_set_waits(near, 0, _i == 0 ? 0 : 50);
    ck_assert_int_eq(doip_writer_json(writer, value), _i == 0 ? 0 : DOIP_E_TIMEOUT);
    ck_assert_uint_eq(doip_stream_bytes_out(near), 0);
    ck_assert(!doip_writer_undo(writer));
    json_decref(value);
    doip_writer_free(&writer);
    far_close();
    near_close();
}
END_TEST

/* In place of the C library's. */
static atomic_int yields;

int
sched_yield(void)
{
    yields++;
    return 0;
}

/* A large transfer offers its place to others now and then, both ways; a small one keeps it. */
START_TEST(takes_turns)
{
    static char bytes[16384];
    doip_stream *memory = doip_memory_new();
    int before = yields;

    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(doip_stream_write_all(memory, bytes, sizeof bytes), 0);
    ck_assert_int_eq(yields, before);
    for (int i = 8; i < 64; i++)
        ck_assert_int_eq(doip_stream_write_all(memory, bytes, sizeof bytes), 0);
    ck_assert_int_eq(yields, before + 4);
    for (int i = 0; i < 64; i++) {
        doip_memory_feed(memory, bytes, sizeof bytes);
        ck_assert_int_eq(doip_stream_read(memory, bytes, sizeof bytes), sizeof bytes);
    }
    ck_assert_int_eq(yields, before + 8);
    doip_stream_free(&memory);
}
END_TEST

static Suite *
suite(void)
{
    Suite *all = suite_create("stream");
    TCase *cases = tcase_create("stream");

    tcase_set_timeout(cases, 30);
    tcase_add_loop_test(cases, reads_to_the_end, 0, 2);
    tcase_add_test(cases, reads_nothing);
    tcase_add_test(cases, latches_junk);
    tcase_add_loop_test(cases, reads_what_came_before_the_break, 0, 2);
    tcase_add_test(cases, survives_new_keys);
    tcase_add_test(cases, waits_no_longer_for_a_dribble);
    tcase_add_test(cases, gives_up_on_a_slow_message);
    tcase_add_loop_test(cases, keeps_what_can_not_go, 0, 2 * COUNT_OF(pieces));
    tcase_add_loop_test(cases, takes_nothing_back_from_tls, 0, 2);
    tcase_add_test(cases, takes_turns);
    suite_add_tcase(all, cases);
    return all;
}

UNIT_MAIN(suite)
