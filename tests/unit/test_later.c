/*
 * Answers that come later (later.c): whoever comes second goes on, the function that returns or the thread that completes; a ticket is used
 * once; and nobody waits for a client meanwhile.
 */
#include "unit.h"
#include "unit_exchange.h"

#include <pthread.h>
#include <unistd.h>

#include "stream_impl.h"

#define REQUEST "{\"requestId\":\"1\",\"operationId\":\"x/y\",\"targetId\":\"" SERVICE "\"}\n#\n#\n"
#define ANSWER "{\"requestId\":\"1\",\"status\":\"0.DOIP/Status.001\",\"output\":true}\n#\n#\n"

static doip_ticket ticket;
static int completions;
static pthread_t thread;

static void
completed(doip_request *request, void *closure)
{
    completions++;
    *(doip_result *)closure = doip_request_result(request);
}

static struct exchange
asked(void)
{
    struct exchange exchange = exchange_open(REQUEST, strlen(REQUEST), 0, NULL);

    ck_assert_int_eq(doip_request_head(exchange.request), 1);
    doip_stream_set_waits(exchange.stream, 11, 22);
    ticket = doip_later(exchange.request);
    ck_assert_uint_ne(ticket, 0);
    return exchange;
}

START_TEST(completed_while_held)
{
    struct exchange exchange = asked();
    doip_result result = DOIP_DECLINED;

    ck_assert_int_eq(exchange.stream->write_ms, 0);
    ck_assert_uint_eq(doip_later(exchange.request), ticket);
    ck_assert_int_eq(doip_request_hold(exchange.request, completed, &result), DOIP_LATER);
    ck_assert_int_eq(completions, 0);
    ck_assert_int_eq(doip_complete(ticket, DOIP_OK), DOIP_OK);
    ck_assert_int_eq(completions, 1);
    ck_assert_int_eq(result, DOIP_OK);
    ck_assert_int_eq(exchange.stream->read_ms, 11);
    ck_assert_int_eq(exchange.stream->write_ms, 22);
    ck_assert_int_eq(doip_complete(ticket, DOIP_OK), DOIP_FAILED);
    ck_assert_int_eq(completions, 1);
    exchange_close(&exchange);
}
END_TEST

START_TEST(completed_before_it_is_held)
{
    struct exchange exchange = asked();
    doip_result result;

    ck_assert_int_eq(doip_complete(ticket, DOIP_FAILED), DOIP_OK);
    ck_assert_int_eq(doip_request_hold(exchange.request, completed, &result), DOIP_FAILED);
    ck_assert_int_eq(completions, 0);
    exchange_close(&exchange);
}
END_TEST

/* Places are used again, under other tickets; an old one completes nobody else's request. */
START_TEST(a_ticket_is_used_once)
{
    struct exchange first = asked();
    doip_ticket old = ticket;
    doip_result result = DOIP_DECLINED;
    struct exchange second;

    ck_assert_int_eq(doip_complete(old, DOIP_OK), DOIP_OK);
    second = asked();
    ck_assert_uint_ne(ticket, old);
    ck_assert_int_eq(doip_request_hold(second.request, completed, &result), DOIP_LATER);
    ck_assert_int_eq(doip_complete(old, DOIP_OK), DOIP_FAILED);
    ck_assert_int_eq(doip_complete(0, DOIP_OK), DOIP_FAILED);
    ck_assert_int_eq(doip_complete(UINT64_MAX, DOIP_OK), DOIP_FAILED);
    ck_assert_int_eq(result, DOIP_DECLINED);
    ck_assert_int_eq(doip_complete(ticket, DOIP_OK), DOIP_OK);
    ck_assert_int_eq(result, DOIP_OK);
    ck_assert_int_eq(doip_response_end(first.response, DOIP_LATER), DOIP_OUTCOME_COMPLETE);
    exchange_close(&first);
    exchange_close(&second);
}
END_TEST

START_TEST(many_tickets)
{
    enum { MANY = 300 };
    static struct exchange exchanges[MANY];
    static doip_ticket tickets[MANY];

    for (int turn = 0; turn < 2; turn++) {
        for (int i = 0; i < MANY; i++) {
            exchanges[i] = asked();
            tickets[i] = ticket;
            for (int j = 0; j < i; j++)
                ck_assert_uint_ne(tickets[j], ticket);
        }
        for (int i = MANY; i-- > 0;) {
            ck_assert_int_eq(doip_complete(tickets[i], DOIP_OK), DOIP_OK);
            exchange_close(&exchanges[i]);
        }
    }
}
END_TEST

/* ------------------------------------------------------------------ where nobody holds */

static void *
complete_soon(void *response)
{
    usleep(50000);
    doip_respond_json(response, json_true());
    ck_assert_int_eq(doip_complete(ticket, DOIP_OK), DOIP_OK);
    return NULL;
}

static doip_result
later(doip_request *request, doip_response *response)
{
    ticket = doip_later(request);
    pthread_create(&thread, NULL, complete_soon, response);
    return DOIP_LATER;
}

START_TEST(the_end_of_the_response_waits)
{
    struct exchange exchange = exchange_open(REQUEST, strlen(REQUEST), 0, NULL);

    ck_assert_int_eq(exchange_run(&exchange, later), DOIP_OUTCOME_COMPLETE);
    ck_assert_str_eq(exchange_output(&exchange), ANSWER);
    pthread_join(thread, NULL);
    exchange_close(&exchange);
}
END_TEST

static doip_result
unasked(doip_request *request, doip_response *response)
{
    (void)request, (void)response;
    return DOIP_LATER;
}

static doip_result
anyway(doip_request *request, doip_response *response)
{
    ticket = doip_later(request);
    return doip_respond_json(response, json_true());
}

START_TEST(without_a_ticket_it_fails)
{
    struct exchange exchange = exchange_open(REQUEST, strlen(REQUEST), 0, NULL);

    exchange_run(&exchange, unasked);
    ck_assert_ptr_nonnull(strstr(exchange_output(&exchange), "Internal Server Error"));
    exchange_close(&exchange);
}
END_TEST

START_TEST(what_the_function_says_else_stands)
{
    struct exchange exchange = exchange_open(REQUEST, strlen(REQUEST), 0, NULL);

    exchange_run(&exchange, anyway);
    ck_assert_str_eq(exchange_output(&exchange), ANSWER);
    exchange_close(&exchange);
    ck_assert_int_eq(doip_complete(ticket, DOIP_FAILED), DOIP_FAILED);
}
END_TEST

/* ------------------------------------------------------------------ two threads at once */

static void *
complete_now(void *nothing)
{
    (void)nothing;
    ck_assert_int_eq(doip_complete(ticket, DOIP_OK), DOIP_OK);
    return NULL;
}

START_TEST(two_threads_meet)
{
    for (int i = 0; i < 500; i++) {
        struct exchange exchange = asked();
        doip_result result = DOIP_DECLINED, now;

        completions = 0;
        pthread_create(&thread, NULL, complete_now, NULL);
        now = doip_request_hold(exchange.request, completed, &result);
        pthread_join(thread, NULL);
        ck_assert_int_eq(now == DOIP_LATER ? result : now, DOIP_OK);
        ck_assert_int_eq(completions, now == DOIP_LATER);
        exchange_close(&exchange);
    }
}
END_TEST

static Suite *
suite(void)
{
    Suite *made = suite_create("later");
    TCase *tests = tcase_create("later");

    tcase_add_test(tests, completed_while_held);
    tcase_add_test(tests, completed_before_it_is_held);
    tcase_add_test(tests, a_ticket_is_used_once);
    tcase_add_test(tests, many_tickets);
    tcase_add_test(tests, the_end_of_the_response_waits);
    tcase_add_test(tests, without_a_ticket_it_fails);
    tcase_add_test(tests, what_the_function_says_else_stands);
    tcase_add_test(tests, two_threads_meet);
    suite_add_tcase(made, tests);
    return made;
}

UNIT_MAIN(suite)
