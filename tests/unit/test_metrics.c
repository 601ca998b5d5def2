/*
 * Metrics: what is counted in one process is read in another and outlives it; names of handlers; what the text looks like.
 */
#include "unit.h"

#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "doipd/metrics.h"
#include "doipd/metrics_text.h"
#include "doipd/rate.h"

static struct metrics_sum sum;

static void
setup(void)
{
    ck_assert(metrics_init());
}

static void
request(const char *operation, const char *status, uint64_t microseconds, uint64_t bytes)
{
    metrics_request(&(struct metrics_request){.operation = operation,
                                              .status = status,
                                              .microseconds = microseconds,
                                              .bytes_in = bytes,
                                              .bytes_out = 2 * bytes});
}

START_TEST(each_request_is_counted_where_it_belongs)
{
    request(DOIP_OP_HELLO, DOIP_STATUS_OK, 100, 64);
    request(DOIP_OP_HELLO, DOIP_STATUS_OK, 101, 65);
    request("20.TEST/Op", "20.TEST/Status", UINT64_C(1) << 40, UINT64_C(1) << 50);
    request("", DOIP_STATUS_INVALID, 0, 0);
    metrics_add_up(&sum);
    ck_assert_uint_eq(metrics_requests(&sum), 4);
    ck_assert_uint_eq(sum.requests[OPERATION_HELLO][0], 2);
    ck_assert_uint_eq(sum.requests[OPERATION_EXTENDED][METRICS_STATUSES - 1], 1);
    ck_assert_uint_eq(sum.requests[METRICS_NO_OPERATION][1], 1);
    ck_assert_uint_eq(sum.duration[OPERATION_HELLO].buckets[0], 1);
    ck_assert_uint_eq(sum.duration[OPERATION_HELLO].buckets[1], 1);
    ck_assert_uint_eq(sum.duration[OPERATION_HELLO].sum, 201);
    ck_assert_uint_eq(sum.bytes_in[OPERATION_HELLO].buckets[0], 1);
    ck_assert_uint_eq(sum.bytes_in[OPERATION_HELLO].sum, 129);
    ck_assert_uint_eq(sum.bytes_out[OPERATION_HELLO].sum, 258);
    ck_assert_uint_eq(sum.duration[OPERATION_EXTENDED].buckets[METRICS_BOUNDS], 1);
    ck_assert_uint_eq(sum.bytes_in[OPERATION_EXTENDED].buckets[METRICS_BOUNDS], 1);
}
END_TEST

enum { THREADS = 4, ROUNDS = 20000 };

static void *
count_many(void *unused)
{
    for (int i = 0; i < ROUNDS; i++)
        metrics_count(METRICS_CONNECTIONS);
    return unused;
}

/* Four threads in each of as many processes, more processes than stripes; some are killed when they have counted. */
START_TEST(counts_outlive_processes)
{
    int status;

    for (size_t i = 0; i < METRICS_STRIPES + 2; i++)
        if (fork() == 0) {
            pthread_t threads[THREADS];

            metrics_use_stripe(i * 7);
            for (int j = 0; j < THREADS; j++)
                pthread_create(&threads[j], NULL, count_many, NULL);
            for (int j = 0; j < THREADS; j++)
                pthread_join(threads[j], NULL);
            if (i % 2 == 0)
                kill(getpid(), SIGKILL);
            _exit(0);
        }
    while (wait(&status) > 0)
        ;
    metrics_add_up(&sum);
    ck_assert_uint_eq(sum.counters[METRICS_CONNECTIONS], (METRICS_STRIPES + 2) * THREADS * ROUNDS);
}
END_TEST

static unsigned
handler(const char *name, unsigned generation)
{
    return metrics_handler(&(struct metrics_handler){
        .name = name, .version = "1.0", .thread_safe = true, .generation = generation, .place = 3});
}

START_TEST(handlers_have_numbers)
{
    unsigned store = handler("store", 1), debug = handler("debug", 1);
    char name[100];

    ck_assert_uint_ne(store, debug);
    ck_assert_uint_eq(handler("store", 2), store);
    metrics_call(store, METRICS_CALL_OK, 5);
    metrics_call(store, METRICS_CALL_DECLINED, 6);
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    ck_assert_uint_eq(handler(name, 1), handler(name, 1));
    metrics_add_up(&sum);
    ck_assert_str_eq(sum.handlers[store].name, "store");
    ck_assert_str_eq(sum.handlers[store].version, "1.0");
    ck_assert_uint_eq(sum.handlers[store].generation, 2);
    ck_assert_uint_eq(sum.handlers[store].place, 3);
    ck_assert_uint_eq(sum.handlers[store].calls[METRICS_CALL_OK], 1);
    ck_assert_uint_eq(sum.handlers[store].calls[METRICS_CALL_DECLINED], 1);
    ck_assert_uint_eq(sum.handlers[store].microseconds, 11);
    for (int i = 0; i < 2 * METRICS_HANDLERS; i++) {
        snprintf(name, sizeof name, "h%d", i);
        ck_assert_uint_lt(handler(name, 1), METRICS_HANDLERS);
    }
    metrics_add_up(&sum);
    ck_assert_str_eq(sum.handlers[METRICS_HANDLERS - 1].name, "(others)");
}
END_TEST

/* ------------------------------------------------------------------ the text */

static char *
printed(void (*print)(FILE *file))
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);

    print(file);
    fclose(file);
    return text;
}

static void
print_all(FILE *file)
{
    metrics_add_up(&sum);
    metrics_print(file, &sum);
}

START_TEST(the_text_has_what_was_counted)
{
    static const char *const wanted[] = {
        "# TYPE doipd_connections_total counter\ndoipd_connections_total 1\n",
        "doipd_handshakes_total{result=\"full\"} 0\n",
        "doipd_requests_total{operation=\"0.DOIP/Op.Hello\",status=\"0.DOIP/Status.001\"} 2\n",
        "# TYPE doipd_request_duration_seconds histogram\n",
        "doipd_request_duration_seconds_bucket{operation=\"0.DOIP/Op.Hello\",le=\"0.0001\"} 1\n",
        "doipd_request_duration_seconds_bucket{operation=\"0.DOIP/Op.Hello\",le=\"0.00025\"} 2\n",
        "doipd_request_duration_seconds_bucket{operation=\"0.DOIP/Op.Hello\",le=\"30\"} 2\n",
        "doipd_request_duration_seconds_bucket{operation=\"0.DOIP/Op.Hello\",le=\"+Inf\"} 2\n",
        "doipd_request_duration_seconds_sum{operation=\"0.DOIP/Op.Hello\"} 0.0003\n",
        "doipd_request_duration_seconds_count{operation=\"0.DOIP/Op.Hello\"} 2\n",
        "doipd_handler_calls_total{handler=\"a\\\"b\\\\\\\\n\\\\xff\",result=\"error\"} 1\n",
        "doipd_handler_seconds_total{handler=\"a\\\"b\\\\\\\\n\\\\xff\"} 1.5\n",
    };
    char *text;

    metrics_count(METRICS_CONNECTIONS);
    request(DOIP_OP_HELLO, DOIP_STATUS_OK, 100, 1);
    request(DOIP_OP_HELLO, DOIP_STATUS_OK, 200, 1);
    metrics_call(handler("a\"b\\\n\xff", 1), METRICS_CALL_ERROR, 1500000);
    text = printed(print_all);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        ck_assert_msg(strstr(text, wanted[i]) != NULL, "%s is not in ...%s", wanted[i],
                      strlen(text) > 900 ? text + strlen(text) - 900 : text);
    ck_assert_ptr_null(strstr(text, "Op.Create"));
    free(text);
}
END_TEST

/* ------------------------------------------------------------------ the rate */

START_TEST(rates)
{
    struct rate rate = {.count = 0};

    ck_assert(rate_per_second(&rate, 1000, 5) == 0);
    rate_look(&rate, 1000, 10);
    rate_look(&rate, 1001, 99); /* too soon */
    ck_assert_int_eq(rate_due(&rate), 1000 + RATE_LOOK_MS);
    ck_assert(rate_per_second(&rate, 1000, 10) == 0);
    ck_assert(rate_per_second(&rate, 3000, 20) == 5);
    ck_assert(rate_per_second(&rate, 3000, 9) == 0); /* a worker lied */
    for (int i = 1; i < 100; i++)
        rate_look(&rate, 1000 + i * RATE_LOOK_MS, 10);
    ck_assert(rate_per_second(&rate, 1000 + 99 * RATE_LOOK_MS, 10 + 120) ==
              2); /* over the last minute */
}
END_TEST

static Suite *
suite(void)
{
    Suite *suite = suite_create("metrics");
    TCase *tests = tcase_create("metrics");

    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, each_request_is_counted_where_it_belongs);
    tcase_add_test(tests, counts_outlive_processes);
    tcase_add_test(tests, handlers_have_numbers);
    tcase_add_test(tests, the_text_has_what_was_counted);
    tcase_add_test(tests, rates);
    suite_add_tcase(suite, tests);
    return suite;
}

UNIT_MAIN(suite)
