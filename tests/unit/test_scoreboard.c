/*
 * The scoreboard: what a thread does can be read beside it, and whatever a worker writes there, the master
 * reads no further than the part.
 */
#include "unit.h"

#include <limits.h>
#include <pthread.h>
#include <string.h>

#include "doipd/clock.h"
#include "doipd/scoreboard.h"

enum { WORKERS = 3, THREADS = 4, PLACES = 5 };

static struct scoreboard board;
static struct score_worker *worker;

static void
setup(void)
{
    ck_assert(scoreboard_init(&board, WORKERS, THREADS, PLACES));
    worker = scoreboard_worker(&board, 1);
}

static void
teardown(void)
{
    scoreboard_fini(&board);
}

START_TEST(idle_threads_say_nothing)
{
    struct score_report report;
    char text[512] = "x";

    ck_assert(!score_read(&worker->threads[0], &report));
    scoreboard_describe(&board, 1, text, sizeof text);
    ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(what_a_thread_does)
{
    struct score_report report;
    char text[512];

    score_begin(&worker->threads[2], "store", "0.DOIP/Op.Retrieve", "35.TEST/x");
    ck_assert(score_read(&worker->threads[2], &report));
    ck_assert_str_eq(report.handler, "store");
    ck_assert_str_eq(report.operation, "0.DOIP/Op.Retrieve");
    ck_assert_str_eq(report.target, "35.TEST/x");
    ck_assert_int_le(clock_ms() - report.began, 1000);
    scoreboard_describe(&board, 1, text, sizeof text);
    ck_assert_str_eq(text, "in handler store, operation 0.DOIP/Op.Retrieve, target 35.TEST/x");
    score_begin(&worker->threads[2], "a", "b", "");
    scoreboard_describe(&board, 1, text, sizeof text);
    ck_assert_str_eq(text, "in handler a, operation b");
    score_end(&worker->threads[2]);
    ck_assert(!score_read(&worker->threads[2], &report));
}
END_TEST

/* Texts of every length around a word's and the room's end. */
START_TEST(lengths)
{
    char target[SCORE_TARGET + 20];
    struct score_report report;

    for (size_t length = 0; length < sizeof target; length++) {
        memset(target, 'a' + (int)(length % 26), length);
        target[length] = '\0';
        score_begin(&worker->threads[0], target, target, target);
        ck_assert(score_read(&worker->threads[0], &report));
        ck_assert_uint_eq(strlen(report.target), length < SCORE_TARGET ? length : SCORE_TARGET - 1);
        ck_assert(strncmp(report.target, target, strlen(report.target)) == 0);
        ck_assert_uint_eq(strlen(report.handler), length < SCORE_HANDLER ? length : SCORE_HANDLER - 1);
        ck_assert_uint_eq(strlen(report.operation), length < SCORE_OPERATION ? length : SCORE_OPERATION - 1);
    }
}
END_TEST

/* A crash is told of the thread that took the signal; without one, of one and how many more there were. */
START_TEST(whose_fault)
{
    char text[512];

    score_begin(&worker->threads[1], "one", "o", "t");
    score_begin(&worker->threads[3], "two", "o", "t");
    scoreboard_describe(&board, 1, text, sizeof text);
    ck_assert_str_eq(text, "in handler one, operation o, target t (and 1 more requests)");
    atomic_store(&worker->fatal_thread, 4);
    scoreboard_describe(&board, 1, text, sizeof text);
    ck_assert_str_eq(text, "in handler two, operation o, target t");
    atomic_store(&worker->fatal_thread, 1);
    scoreboard_describe(&board, 1, text, sizeof text);
    ck_assert_str_eq(text, "");
    atomic_store(&worker->fatal_thread, SCORE_FOREIGN);
    scoreboard_describe(&board, 1, text, sizeof text);
    ck_assert_str_eq(text, "in a thread that a handler or a library has started; others were in handler one, operation o, target t"
                           " (and 1 more requests)");
    score_end(&worker->threads[1]);
    score_end(&worker->threads[3]);
    scoreboard_describe(&board, 1, text, sizeof text);
    ck_assert_str_eq(text, "in a thread that a handler or a library has started");
    scoreboard_clear(&board, 1);
    ck_assert_int_eq(atomic_load(&worker->fatal_thread), 0);
}
END_TEST

static void
call_in(size_t thread, const char *handler)
{
    int64_t begun = clock_us();

    while (clock_us() == begun)
        ;
    score_begin(&worker->threads[thread], handler, "o", "t");
    score_end(&worker->threads[thread]);
}

/* One that ends itself while nothing runs tells of the call that began last. */
START_TEST(last_words)
{
    char text[512], words[SCORE_WORDS];

    scoreboard_last_words(&board, 1, words);
    ck_assert_str_eq(words, "");
    score_last_words(worker, "that is why");
    scoreboard_last_words(&board, 1, words);
    ck_assert_str_eq(words, "that is why");
    atomic_store(&worker->fatal_thread, 1);
    scoreboard_describe(&board, 1, text, sizeof text);
    ck_assert_str_eq(text, "");
    call_in(2, "last");
    scoreboard_describe(&board, 1, text, sizeof text);
    ck_assert_str_eq(text, "the last call was in handler last, operation o, target t");
    call_in(0, "first"); /* within the same millisecond as the next */
    call_in(1, "second");
    scoreboard_describe(&board, 1, text, sizeof text);
    ck_assert_str_eq(text, "the last call was in handler second, operation o, target t");
    memset(text, 'w', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    score_last_words(worker, text);
    scoreboard_last_words(&board, 1, words);
    ck_assert_uint_eq(strlen(words), SCORE_WORDS - 1);
    scoreboard_clear(&board, 1);
}
END_TEST

/* A worker may write anything: no number leads out of its part, no text ends elsewhere. */
START_TEST(nothing_in_it_is_trusted)
{
    static const int fatal[] = {-1, 0, THREADS, THREADS + 1, 1 << 30, INT32_MIN, INT32_MAX};
    struct score_report report;
    char text[512];

    memset(board.base + board.stride, 0xff, board.stride);
    for (int i = 0; i < THREADS; i++) {
        atomic_store(&worker->threads[i].busy, true);
        memset(worker->threads[i].handler, 'h', SCORE_HANDLER);
        memset(worker->threads[i].operation, 'o', SCORE_OPERATION);
        memset(worker->threads[i].target, 't', SCORE_TARGET);
    }
    ck_assert(score_read(&worker->threads[0], &report));
    ck_assert_uint_eq(strlen(report.target), SCORE_TARGET - 1);
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++) {
        atomic_store(&worker->fatal_thread, fatal[i]);
        scoreboard_describe(&board, 1, text, sizeof text);
        ck_assert_uint_lt(strlen(text), sizeof text);
        ck_assert_str_ne(text, "");
        scoreboard_describe(&board, 1, text, 10);
        ck_assert_uint_lt(strlen(text), 10);
    }
    scoreboard_describe(&board, 2, text, sizeof text);
    ck_assert_str_eq(text, "");
}
END_TEST

/* Who is connected: places are given out, shown, given back and given out again, and there is an end to them. */
START_TEST(connections_have_places)
{
    struct score_connection *places[PLACES];
    struct score_seen seen;
    char address[32];

    ck_assert_uint_eq(scoreboard_places(&board, 1), 0);
    for (int i = 0; i < PLACES; i++) {
        snprintf(address, sizeof address, "192.0.2.%d:7", i);
        places[i] = score_connection_take(&board, 1, address, 100 + i);
        ck_assert_ptr_nonnull(places[i]);
    }
    ck_assert_ptr_null(score_connection_take(&board, 1, "x", 0));
    score_connection_phase(NULL, SCORE_IDLE, 0);
    score_connection_count(NULL, "", 0, 0, 0);
    score_connection_give_back(&board, 1, NULL);
    score_connection_phase(places[3], SCORE_RUNNING, 200);
    score_connection_count(places[3], "20.500/alice", 7, 8, 9);
    ck_assert_uint_eq(scoreboard_places(&board, 1), PLACES);
    ck_assert(scoreboard_connection(&board, 1, 3, &seen));
    ck_assert_str_eq(seen.address, "192.0.2.3:7");
    ck_assert_str_eq(seen.client, "20.500/alice");
    ck_assert_str_eq(score_phase_name(seen.phase), "running");
    ck_assert(seen.connected == 103 && seen.changed == 200);
    ck_assert(seen.requests == 7 && seen.bytes_in == 8 && seen.bytes_out == 9);
    score_connection_give_back(&board, 1, places[3]);
    score_connection_give_back(&board, 1, places[1]);
    ck_assert(!scoreboard_connection(&board, 1, 3, &seen));
    ck_assert_ptr_eq(score_connection_take(&board, 1, "b", 1), places[1]);
    ck_assert_ptr_eq(score_connection_take(&board, 1, "c", 1), places[3]);
    ck_assert(scoreboard_connection(&board, 1, 3, &seen));
    ck_assert_str_eq(seen.client, "");
    ck_assert_uint_eq(seen.requests, 0);
    ck_assert_uint_eq(scoreboard_places(&board, 0) + scoreboard_places(&board, 2), 0);
    scoreboard_clear(&board, 1);
    ck_assert_uint_eq(scoreboard_places(&board, 1), 0);
    ck_assert_ptr_eq(score_connection_take(&board, 1, "d", 1), places[0]);
}
END_TEST

START_TEST(nothing_in_a_place_is_trusted)
{
    struct score_seen seen;

    ck_assert_ptr_nonnull(score_connection_take(&board, 1, "x", 1));
    memset(board.connections, 0xff, board.connections_size);
    atomic_store(&worker->places_used, UINT_MAX);
    ck_assert_uint_eq(scoreboard_places(&board, 1), PLACES);
    ck_assert_int_eq(scoreboard_phase(&board, 1, 0), SCORE_FREE);
    atomic_store(&board.connections[PLACES].phase, SCORE_IDLE);
    ck_assert(scoreboard_connection(&board, 1, 0, &seen));
    ck_assert_uint_eq(strlen(seen.address), SCORE_ADDRESS - 1);
    ck_assert_uint_eq(strlen(seen.client), SCORE_CLIENT - 1);
}
END_TEST

static void
serve(size_t number, int connections)
{
    atomic_store(&scoreboard_worker(&board, number)->accepting, true);
    atomic_store(&scoreboard_worker(&board, number)->connections, connections);
}

START_TEST(shares)
{
    serve(0, 100);
    ck_assert(!scoreboard_above_share(&board, 0)); /* alone, it has no share to keep */
    serve(1, 100);
    serve(2, 100);
    ck_assert(!scoreboard_above_share(&board, 0));
    serve(0, 200);
    ck_assert(scoreboard_above_share(&board, 0));
    ck_assert(!scoreboard_above_share(&board, 1));
    /* Those that have gone or retired count for nothing. */
    scoreboard_clear(&board, 1);
    scoreboard_clear(&board, 2);
    ck_assert(!scoreboard_above_share(&board, 0));
}
END_TEST

START_TEST(all_connections_are_added_up)
{
    serve(0, 3);
    serve(1, -5); /* a worker may write anything */
    serve(2, 4);
    ck_assert_int_eq(scoreboard_open(&board), 7);
}
END_TEST

/* Those that have been idle the longest, of a worker and of all; those at work are passed by. */
START_TEST(the_longest_idle)
{
    static const struct {
        size_t worker;
        enum score_phase phase;
        int64_t since;
    } places[] = {{0, SCORE_IDLE, 50}, {0, SCORE_RUNNING, 10}, {0, SCORE_IDLE, 30},
                  {2, SCORE_IDLE, 40}, {2, SCORE_READING, 20}, {2, SCORE_IDLE, 60}};

    ck_assert_int_eq(scoreboard_idle_since(&board, SCORE_ALL, 3), -1);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        score_connection_phase(score_connection_take(&board, places[i].worker, "x", 0), places[i].phase, places[i].since);
    ck_assert_int_eq(scoreboard_idle_since(&board, SCORE_ALL, 0), -1);
    ck_assert_int_eq(scoreboard_idle_since(&board, SCORE_ALL, 1), 30);
    ck_assert_int_eq(scoreboard_idle_since(&board, SCORE_ALL, 3), 50);
    ck_assert_int_eq(scoreboard_idle_since(&board, SCORE_ALL, 1000), 60);
    ck_assert_int_eq(scoreboard_idle_since(&board, 0, 1000), 50);
    ck_assert_int_eq(scoreboard_idle_since(&board, 1, 1), -1);
    ck_assert_int_eq(scoreboard_idle_since(&board, 2, 1), 40);
}
END_TEST

/* One thread begins and ends calls whose texts belong together; another must never read a mixture. */
static atomic_bool over;

static void *
work(void *argument)
{
    struct score_thread *score = argument;

    for (int i = 0; !atomic_load(&over); i++) {
        static const char *const names[] = {"aaaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbbbbb"};
        score_begin(score, names[i & 1], names[i & 1], names[i & 1]);
        score_end(score);
    }
    return NULL;
}

START_TEST(reading_beside_a_writer)
{
    int64_t until = clock_ms() + 300;
    struct score_report report;
    pthread_t thread;

    pthread_create(&thread, NULL, work, &worker->threads[0]);
    while (clock_ms() < until)
        if (score_read(&worker->threads[0], &report) && clock_ms() - report.began > 5)
            ck_assert(report.handler[0] == report.operation[0] && report.handler[0] == report.target[0]);
    atomic_store(&over, true);
    pthread_join(thread, NULL);
}
END_TEST

static Suite *
suite(void)
{
    Suite *suite = suite_create("scoreboard");
    TCase *tests = tcase_create("scoreboard");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, idle_threads_say_nothing);
    tcase_add_test(tests, what_a_thread_does);
    tcase_add_test(tests, lengths);
    tcase_add_test(tests, whose_fault);
    tcase_add_test(tests, last_words);
    tcase_add_test(tests, nothing_in_it_is_trusted);
    tcase_add_test(tests, connections_have_places);
    tcase_add_test(tests, nothing_in_a_place_is_trusted);
    tcase_add_test(tests, shares);
    tcase_add_test(tests, all_connections_are_added_up);
    tcase_add_test(tests, the_longest_idle);
    tcase_add_test(tests, reading_beside_a_writer);
    suite_add_tcase(suite, tests);
    return suite;
}

UNIT_MAIN(suite)
