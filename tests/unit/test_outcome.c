/*
 * How a response ends when an error comes too late, or when what the client sent is at fault.
 */
#include <stdlib.h>
#include <unistd.h>

#include "unit_exchange.h"

#define HEAD "{\"requestId\":\"r1\",\"targetId\":\"t\",\"operationId\":\"op\"}\n#\n"
#define REQUEST HEAD "#\n"

/* ------------------------------------------------------------------ too late for an error */

/* How much output comes before the error: so much that some of it leaves, or so little that all can be taken back. */
static size_t before;
static char output_before[256 * 1024];

static void
write_before(doip_response *response)
{
    doip_respond_bytes(response, output_before, before);
}

HANDLER(late_failure)
{
    write_before(response);
    return doip_fail(response, DOIP_STATUS_ERROR, "the disk broke");
}

HANDLER(late_silent_failure)
{
    late_failure(request, response);
    return DOIP_FAILED;
}

HANDLER(late_status)
{
    write_before(response);
    return doip_respond_status(response, DOIP_STATUS_INVALID);
}

HANDLER(late_attribute)
{
    write_before(response);
    doip_respond_attribute(response, "a", json_true());
    return DOIP_OK;
}

HANDLER(late_decline)
{
    write_before(response);
    return DOIP_DECLINED;
}

HANDLER(short_file)
{
    char path[] = "/tmp/doip-response-XXXXXX";
    int fd = mkstemp(path);
    doip_result result;

    unlink(path);
    ck_assert_int_eq(write(fd, "0123456789", 10), 10);
    write_before(response);
    result = doip_respond_fd(response, fd, 0, 11);
    ck_assert_int_eq(result, DOIP_FAILED);
    close(fd);
    return DOIP_OK;
}

HANDLER(newline_in_text)
{
    write_before(response);
    doip_respond_json_begin(response);
    return doip_write_text(response, "[\n]");
}

HANDLER(circle)
{
    json_t *a = json_array();
    json_t *b = json_array();

    write_before(response);
    json_array_append(a, b);
    json_array_append(b, a);
    doip_respond_json(response, json_incref(a));
    doip_respond_bytes(response, "", 0);
    json_array_clear(a);
    json_decref(a);
    json_decref(b);
    return DOIP_OK;
}

static const exchange_handler late[] = {
    late_failure, late_silent_failure, late_status,     late_attribute,
    late_decline, short_file,          newline_in_text, circle};

START_TEST(breaks_off)
{
    struct exchange exchange = exchange_open(REQUEST, strlen(REQUEST), 0, NULL);
    const char *output;

    before = sizeof output_before;
    ck_assert_int_eq(exchange_run(&exchange, late[_i]), DOIP_OUTCOME_BROKEN);
    output = exchange_output(&exchange);
    ck_assert_msg(strlen(output) < 4 || strcmp(output + strlen(output) - 4, "\n#\n#") != 0, "%s",
                  output);
    ck_assert_msg(strstr(output, "\n#\n#\n") == NULL, "%s", output);
    exchange_close(&exchange);
}
END_TEST

/* Nothing has left: the error replaces what was written, and is all that the client sees. */
START_TEST(takes_back_in_time)
{
    struct exchange exchange = exchange_open(REQUEST, strlen(REQUEST), 0, NULL);
    const char *output;

    before = 3;
    ck_assert_int_eq(exchange_run(&exchange, late[_i]), DOIP_OUTCOME_COMPLETE);
    output = exchange_output(&exchange);
    ck_assert_ptr_nonnull(strstr(output, "\"reason\""));
    ck_assert_msg(strchr(output, '@') == NULL, "%s", output);
    ck_assert_str_eq(output + strlen(output) - 5, "\n#\n#\n");
    exchange_close(&exchange);
}
END_TEST

START_TEST(says_why_it_broke)
{
    struct exchange exchange = exchange_open(REQUEST, strlen(REQUEST), 0, NULL);

    before = sizeof output_before;
    exchange_run(&exchange, late_failure);
    ck_assert_str_eq(doip_response_status(exchange.response), DOIP_STATUS_ERROR);
    ck_assert_str_eq(doip_response_message(exchange.response), "the disk broke");
    exchange_close(&exchange);
}
END_TEST

/* ------------------------------------------------------------------ faults in the input */

/* Reads all there is, then does what the test says. */
static doip_result
drain(doip_request *request)
{
    char data[16];
    doip_segment kind;

    while ((kind = doip_input_next(request)) > DOIP_SEGMENT_END)
        if (kind == DOIP_SEGMENT_BYTES)
            while (doip_read(request, data, sizeof data) > 0)
                ;
        else
            doip_input_json(request);
    return kind == DOIP_SEGMENT_END ? DOIP_OK : DOIP_FAILED;
}

HANDLER(drain_only)
{
    return drain(request);
}

HANDLER(drain_and_claim_success)
{
    doip_respond_json(response, json_true());
    drain(request);
    doip_respond_json(response, json_true());
    return DOIP_OK;
}

HANDLER(drain_and_fail)
{
    drain(request);
    return doip_fail(response, DOIP_STATUS_FORBIDDEN, "mine");
}

HANDLER(drain_and_decline)
{
    drain(request);
    return DOIP_DECLINED;
}

HANDLER(output_first)
{
    before = sizeof output_before;
    write_before(response);
    return drain(request);
}

static const exchange_handler drains[] = {drain_only, drain_and_claim_success, drain_and_fail,
                                          drain_and_decline};

static const struct {
    const char *input;
    doip_outcome outcome;
    const char *message; /* part of it */
} faults[] = {
    {HEAD "@\n07\n", DOIP_OUTCOME_CLOSE, "must not begin with 0"},
    {HEAD "@\n5\nhelloX\n#\n#\n", DOIP_OUTCOME_CLOSE, "newline is due"},
    {HEAD "#x\n", DOIP_OUTCOME_CLOSE, "#"},
    {HEAD "{\n#\n#\n", DOIP_OUTCOME_COMPLETE, "Cannot parse the JSON"},
    {HEAD "\"\xff\"\n#\n#\n", DOIP_OUTCOME_COMPLETE, "Cannot parse the JSON"},
    {HEAD "@\n5\nhel", DOIP_OUTCOME_BROKEN, NULL},
    {HEAD "#", DOIP_OUTCOME_BROKEN, NULL},
    {HEAD, DOIP_OUTCOME_BROKEN, NULL},
};

START_TEST(answers_faults)
{
    for (int i = 0; i < COUNT_OF(drains); i++) {
        struct exchange exchange =
            exchange_open(faults[_i].input, strlen(faults[_i].input), 1, NULL);
        const char *output;

        ck_assert_int_eq(exchange_run(&exchange, drains[i]), faults[_i].outcome);
        ck_assert_str_eq(doip_response_status(exchange.response), DOIP_STATUS_INVALID);
        output = exchange_output(&exchange);
        if (faults[_i].message == NULL) {
            ck_assert_str_eq(output, "");
        } else {
            ck_assert_ptr_nonnull(
                strstr(output, "{\"requestId\":\"r1\",\"status\":\"0.DOIP/Status.101\""));
            ck_assert_msg(strstr(output, faults[_i].message) != NULL, "%s", output);
        }
        exchange_close(&exchange);
    }
}
END_TEST

START_TEST(breaks_off_after_output)
{
    if (faults[_i].outcome == DOIP_OUTCOME_COMPLETE || faults[_i].outcome == DOIP_OUTCOME_CLOSE)
        exchange_check(faults[_i].input, 0, output_first, DOIP_OUTCOME_BROKEN, NULL);
}
END_TEST

/* A stream that has nothing yet and does not end: the handler waited in vain. */
START_TEST(breaks_off_when_input_stays_away)
{
    struct exchange exchange = exchange_open("", 0, 0, NULL);

    exchange_close(&exchange);
    exchange.stream = doip_memory_new();
    doip_memory_feed(exchange.stream, HEAD "@\n", strlen(HEAD) + 2);
    exchange.reader = doip_reader_new(exchange.stream, 1024);
    exchange.writer = doip_writer_new(exchange.stream);
    exchange.request = doip_request_new(exchange.reader, exchange.writer, SERVICE, NULL);
    exchange.response = doip_request_response(exchange.request);
    ck_assert_int_eq(exchange_run(&exchange, drain_and_claim_success), DOIP_OUTCOME_BROKEN);
    ck_assert_str_eq(exchange_output(&exchange), "");
    exchange_close(&exchange);
}
END_TEST

static Suite *
suite(void)
{
    Suite *all = suite_create("outcome");
    TCase *cases = tcase_create("outcome");

    tcase_add_loop_test(cases, breaks_off, 0, COUNT_OF(late));
    tcase_add_loop_test(cases, takes_back_in_time, 0, COUNT_OF(late));
    tcase_add_test(cases, says_why_it_broke);
    tcase_add_loop_test(cases, answers_faults, 0, COUNT_OF(faults));
    tcase_add_loop_test(cases, breaks_off_after_output, 0, COUNT_OF(faults));
    tcase_add_test(cases, breaks_off_when_input_stays_away);
    suite_add_tcase(all, cases);
    return all;
}

UNIT_MAIN(suite)
