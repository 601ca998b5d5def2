/*
 * The response: which bytes leave for what a handler did, and for its failures.
 */
#include <fcntl.h>
#include <unistd.h>

#include "unit_exchange.h"

#define HEAD "{\"requestId\":\"r1\",\"targetId\":\"t\",\"operationId\":\"op\"}\n#\n"
#define REQUEST HEAD "#\n"
#define OK "{\"requestId\":\"r1\",\"status\":\"0.DOIP/Status.001\""

/* ------------------------------------------------------------------ success */

HANDLER(nothing)
{
    return DOIP_OK;
}

HANDLER(one_json)
{
    ck_assert(!doip_request_touched(request));
    ck_assert_int_eq(doip_respond_json(response, json_pack("{s:i}", "a", 1)), DOIP_OK);
    ck_assert(doip_request_touched(request));
    return DOIP_OK;
}

HANDLER(json_null_value)
{
    return doip_respond_json(response, json_null());
}

HANDLER(json_with_attributes)
{
    doip_respond_json(response, json_string("x"));
    doip_respond_status(response, "0.DOIP/Status.101");
    return doip_respond_attribute(response, "n", json_integer(5));
}

HANDLER(two_json)
{
    doip_respond_attribute(response, "n", json_true());
    doip_respond_json(response, json_integer(1));
    return doip_respond_text(response, " [ 1, 2.50 ]\n");
}

HANDLER(json_then_bytes)
{
    doip_respond_json(response, json_pack("{s:s}", "id", "e"));
    return doip_respond_bytes(response, "a\n#\nb", 5);
}

HANDLER(text_only)
{
    return doip_respond_text(response, "{\"b\":0.1,\n\"a\":\"\xc3\xa9\"}");
}

HANDLER(plain_text_only)
{
    return doip_respond_text(response, "{\"b\":0.10,\"a\":[]}");
}

HANDLER(plain_texts)
{
    doip_respond_text(response, "1");
    doip_respond_text(response, "2");
    doip_respond_json(response, json_integer(3));
    return doip_respond_text(response, "\"4\"");
}

HANDLER(bytes_only)
{
    doip_respond_attribute(response, "filename", json_string("f"));
    return doip_respond_bytes(response, "abc", 3);
}

HANDLER(bytes_none)
{
    return doip_respond_bytes(response, "", 0);
}

HANDLER(bytes_in_pieces)
{
    doip_respond_bytes_begin(response);
    doip_write(response, "ab", 2);
    doip_write(response, "", 0);
    doip_write(response, "cd", 2);
    return doip_respond_json(response, json_integer(7));
}

HANDLER(json_in_pieces)
{
    doip_respond_json_begin(response);
    doip_write_text(response, "[");
    doip_write_value(response, json_real(0.1));
    doip_write_text(response, ",");
    doip_write_value(response, json_string("\n"));
    return doip_write_text(response, "]");
}

HANDLER(held_then_pieces)
{
    doip_respond_json(response, json_integer(1));
    doip_respond_json_begin(response);
    return doip_write_value(response, json_integer(2));
}

HANDLER(file)
{
    char path[] = "/tmp/doip-response-XXXXXX";
    int fd = mkstemp(path);

    ck_assert_int_eq(write(fd, "0123456789", 10), 10);
    ck_assert_int_eq(doip_respond_fd(response, fd, 2, 3), DOIP_OK);
    ck_assert_int_eq(doip_respond_fd(response, fd, 0, 0), DOIP_OK);
    ck_assert_int_eq(doip_respond_file(response, path), DOIP_OK);
    close(fd);
    unlink(path);
    return DOIP_OK;
}

/* ------------------------------------------------------------------ failure */

HANDLER(fails)
{
    doip_respond_json(response, json_string("held back"));
    doip_respond_attribute(response, "gone", json_true());
    ck_assert_int_eq(doip_fail(response, DOIP_STATUS_UNKNOWN_OBJECT, "No %s \"here\".",
                               doip_request_target(request)),
                     DOIP_FAILED);
    ck_assert_int_eq(doip_respond_json(response, json_true()), DOIP_FAILED);
    ck_assert_int_eq(doip_respond_bytes(response, "x", 1), DOIP_FAILED);
    ck_assert_int_eq(doip_respond_bytes_begin(response), DOIP_FAILED);
    ck_assert_int_eq(doip_respond_json_begin(response), DOIP_FAILED);
    ck_assert_int_eq(doip_write_value(response, json_true()), DOIP_FAILED);
    ck_assert_int_eq(doip_write_text(response, "1"), DOIP_FAILED);
    ck_assert_int_eq(doip_write(response, "1", 1), DOIP_FAILED);
    ck_assert_int_eq(doip_respond_attribute(response, "a", json_true()), DOIP_FAILED);
    ck_assert_int_eq(doip_respond_status(response, DOIP_STATUS_OK), DOIP_FAILED);
    ck_assert_int_eq(doip_respond_text(response, "1"), DOIP_FAILED);
    ck_assert_int_eq(doip_respond_file(response, "/etc/passwd"), DOIP_FAILED);
    return DOIP_FAILED;
}

HANDLER(fails_but_says_ok)
{
    doip_fail_invalid(response, "%d things", 3);
    return DOIP_OK;
}

HANDLER(fails_twice)
{
    doip_fail_invalid(response, "first");
    return doip_fail(response, DOIP_STATUS_DUPLICATE, "second");
}

HANDLER(fails_silently)
{
    doip_respond_json(response, json_true());
    return DOIP_FAILED;
}

HANDLER(returns_junk)
{
    return (doip_result)42;
}

HANDLER(declines)
{
    return DOIP_DECLINED;
}

HANDLER(unsupported)
{
    return doip_fail_unsupported(response);
}

HANDLER(no_memory)
{
    ck_assert_int_eq(doip_respond_json(response, NULL), DOIP_FAILED);
    return DOIP_OK;
}

HANDLER(bad_text)
{
    return doip_respond_text(response, "{");
}

HANDLER(write_outside)
{
    return doip_write(response, "a", 1);
}

HANDLER(value_outside)
{
    return doip_write_value(response, json_true());
}

HANDLER(missing_file)
{
    return doip_respond_file(response, "/nonexistent/secret");
}

HANDLER(directory)
{
    return doip_respond_file(response, "/");
}

HANDLER(own_status)
{
    return doip_fail(response, "35.TEST/Status.\xc3\xa9", "m");
}

HANDLER(bad_message)
{
    return doip_fail_invalid(response, "a%cb%s", '\xff', "\n\xe2\x82");
}

HANDLER(empty_status)
{
    return doip_fail(response, "", "m");
}

#define FAILED_BY(message) ERROR_OF("\"r1\"", "500", "The handler failed: " message)

static const struct {
    exchange_handler handler;
    const char *output;
} whole[] = {
    {nothing, OK "}\n#\n#\n"},
    {one_json, OK ",\"output\":{\"a\":1}}\n#\n#\n"},
    {json_null_value, OK ",\"output\":null}\n#\n#\n"},
    {json_with_attributes,
     "{\"requestId\":\"r1\",\"status\":\"0.DOIP/Status.101\",\"attributes\":{\"n\":5},"
     "\"output\":\"x\"}\n#\n#\n"},
    {two_json, OK ",\"attributes\":{\"n\":true}}\n#\n1\n#\n[1,2.5]\n#\n#\n"},
    {json_then_bytes, OK "}\n#\n{\"id\":\"e\"}\n#\n@\n5\na\n#\nb\n#\n#\n"},
    {plain_text_only, OK ",\"output\":{\"b\":0.10,\"a\":[]}}\n#\n#\n"},
    {plain_texts, OK "}\n#\n1\n#\n2\n#\n3\n#\n\"4\"\n#\n#\n"},
    {text_only, OK ",\"output\":{\"b\":0.1,\"a\":\"\xc3\xa9\"}}\n#\n#\n"},
    {bytes_only, OK ",\"attributes\":{\"filename\":\"f\"}}\n#\n@\n3\nabc\n#\n#\n"},
    {bytes_none, OK "}\n#\n@\n#\n#\n"},
    {bytes_in_pieces, OK "}\n#\n@\n4\nabcd\n#\n7\n#\n#\n"},
    {json_in_pieces, OK "}\n#\n[0.1,\"\\n\"]\n#\n#\n"},
    {held_then_pieces, OK "}\n#\n1\n#\n2\n#\n#\n"},
    {file, OK "}\n#\n@\n3\n234\n#\n@\n#\n@\n10\n0123456789\n#\n#\n"},
    {fails, ERROR_OF("\"r1\"", "104", "No t \\\"here\\\".")},
    {fails_but_says_ok, ERROR_OF("\"r1\"", "101", "3 things")},
    {fails_twice, ERROR_OF("\"r1\"", "105", "second")},
    {fails_silently, ERROR_OF("\"r1\"", "500", "Internal Server Error")},
    {returns_junk, ERROR_OF("\"r1\"", "500", "Internal Server Error")},
    {declines, ERROR_OF("\"r1\"", "200", "This operation is not supported.")},
    {unsupported, ERROR_OF("\"r1\"", "200", "This operation is not supported.")},
    {no_memory, FAILED_BY("a JSON value is missing (out of memory, or not UTF-8).")},
    {bad_text,
     FAILED_BY(
         "its JSON does not parse: line 1, column 1: string or '}' expected near end of file.")},
    {write_outside, FAILED_BY("bytes were written outside a bytes segment.")},
    {value_outside, FAILED_BY("a value was written outside a JSON segment.")},
    {missing_file,
     ERROR_OF("\"r1\"", "500", "A file of the service cannot be read: No such file or directory.")},
    {directory,
     ERROR_OF("\"r1\"", "500", "A file of the service cannot be read: not a regular file.")},
    {bad_message, ERROR_OF("\"r1\"", "101", "a?b\\n")},
    {empty_status, ERROR_OF("\"r1\"", "500", "m")},
    {own_status, NULL},
};

START_TEST(answers_whole)
{
    exchange_check(REQUEST, 0, whole[_i].handler, DOIP_OUTCOME_COMPLETE, whole[_i].output);
}
END_TEST

/* ------------------------------------------------------------------ messages */

HANDLER(long_message)
{
    char text[6000];

    for (size_t i = 0; i < sizeof text - 3; i += 3)
        memcpy(text + i, "\xe2\x82\xac", 4);
    return doip_fail_invalid(response, "%s", text);
}

START_TEST(cuts_messages_between_characters)
{
    struct exchange exchange = exchange_open(REQUEST, strlen(REQUEST), 0, NULL);
    size_t length;

    ck_assert_int_eq(exchange_run(&exchange, long_message), DOIP_OUTCOME_COMPLETE);
    length = strlen(doip_response_message(exchange.response));
    ck_assert_uint_gt(length, 2000);
    ck_assert_uint_lt(length, 2048);
    ck_assert_uint_eq(length % 3, 0);
    exchange_close(&exchange);
}
END_TEST

START_TEST(echoes_the_request_id)
{
    static const char *const ids[] = {"\"\"", "\"a\\n\\\"#\"", "\"\xc3\xa9\"", "\"\\u0001\""};

    for (int i = 0; i < COUNT_OF(ids); i++) {
        char input[200], output[200];

        snprintf(input, sizeof input,
                 "{\"operationId\":\"o\",\"targetId\":\"t\",\"requestId\":%s}\n#\n#\n", ids[i]);
        snprintf(output, sizeof output,
                 "{\"requestId\":%s,\"status\":\"0.DOIP/Status.001\"}\n#\n#\n", ids[i]);
        exchange_check(input, 0, nothing, DOIP_OUTCOME_COMPLETE, output);
    }
    exchange_check("{\"operationId\":\"o\",\"targetId\":\"t\",\"requestId\":null}\n#\n#\n", 0,
                   nothing, DOIP_OUTCOME_COMPLETE, "{\"status\":\"0.DOIP/Status.001\"}\n#\n#\n");
}
END_TEST

static Suite *
suite(void)
{
    Suite *all = suite_create("response");
    TCase *cases = tcase_create("response");

    tcase_add_loop_test(cases, answers_whole, 0, COUNT_OF(whole));
    tcase_add_test(cases, cuts_messages_between_characters);
    tcase_add_test(cases, echoes_the_request_id);
    suite_add_tcase(all, cases);
    return all;
}

UNIT_MAIN(suite)
