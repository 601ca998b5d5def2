/*
 * Attributes and input as a handler reads them: in the compact and the full form, for every split
 * of the bytes, cut off at every byte.
 */
#include "unit_exchange.h"

#define OK "{\"status\":\"0.DOIP/Status.001\"}\n#\n#\n"

HANDLER(accept_all)
{
    return DOIP_OK;
}

/* ------------------------------------------------------------------ attributes */

/* Gives back what the getters of the operation's name make of the attribute `x`. */
HANDLER(echo_attribute)
{
    const char *operation = doip_request_operation(request);
    const char *string = "default";
    int64_t integer = -7;
    bool truth = true;

    if (strcmp(operation, "string") == 0)
        return doip_attribute_string(request, "x", &string) == DOIP_OK
                   ? doip_respond_json(response, json_string(string))
                   : DOIP_FAILED;
    if (strcmp(operation, "json") == 0)
        return doip_attribute_json(request, "x") == NULL
                   ? doip_respond_json(response, json_string("none"))
                   : doip_respond_json(response, json_incref(doip_attribute_json(request, "x")));
    if (strcmp(operation, "int") == 0)
        return doip_attribute_int(request, "x", &integer) == DOIP_OK
                   ? doip_respond_json(response, json_integer(integer))
                   : DOIP_FAILED;
    return doip_attribute_bool(request, "x", &truth) == DOIP_OK
               ? doip_respond_json(response, json_boolean(truth))
               : DOIP_FAILED;
}

static const struct {
    const char *getter;
    const char *attribute; /* JSON */
    const char *value;     /* JSON; NULL: refused */
} attributes[] = {
    {"string", "\"a\"", "\"a\""},
    {"string", "\"\"", "\"\""},
    {"string", "null", "\"default\""},
    {"string", "1", NULL},
    {"string", "true", NULL},
    {"int", "5", "5"},
    {"int", "\"10\"", "10"},
    {"int", "\"-10\"", "-10"},
    {"int", "\"0\"", "0"},
    {"int", "10.0", "10"},
    {"int", "-9223372036854775808.0", "-9223372036854775808"},
    {"int", "\"9223372036854775807\"", "9223372036854775807"},
    {"int", "null", "-7"},
    {"int", "9223372036854775808.0", NULL},
    {"int", "10.5", NULL},
    {"int", "1e300", NULL},
    {"int", "\"9223372036854775808\"", NULL},
    {"int", "\"\"", NULL},
    {"int", "\"-\"", NULL},
    {"int", "\"+1\"", NULL},
    {"int", "\" 1\"", NULL},
    {"int", "\"1 \"", NULL},
    {"int", "\"007\"", NULL},
    {"int", "\"-0x1\"", NULL},
    {"int", "true", NULL},
    {"int", "[]", NULL},
    {"bool", "true", "true"},
    {"bool", "false", "false"},
    {"bool", "\"True\"", "true"},
    {"bool", "\"FALSE\"", "false"},
    {"bool", "null", "true"},
    {"bool", "\"yes\"", NULL},
    {"bool", "1", NULL},
    {"json", "{\"start\":[1]}", "{\"start\":[1]}"},
    {"json", "\"a\"", "\"a\""},
    {"json", "false", "false"},
    {"json", "null", "\"none\""},
};

START_TEST(types_attributes)
{
    char input[256], output[256];

    snprintf(input, sizeof input,
             "{\"operationId\":\"%s\",\"targetId\":\"t\",\"attributes\":{\"x\":%s}}\n#\n#\n",
             attributes[_i].getter, attributes[_i].attribute);
    if (attributes[_i].value != NULL)
        snprintf(output, sizeof output, "{\"status\":\"0.DOIP/Status.001\",\"output\":%s}\n#\n#\n",
                 attributes[_i].value);
    exchange_check(input, 0, echo_attribute, DOIP_OUTCOME_COMPLETE,
                   attributes[_i].value != NULL ? output : NULL);
}
END_TEST

START_TEST(names_the_attribute)
{
    exchange_check("{\"operationId\":\"int\",\"targetId\":\"t\",\"attributes\":{\"x\":[]}}\n#\n#\n",
                   0, echo_attribute, DOIP_OUTCOME_COMPLETE,
                   ERROR("101", "The attribute `x` must be an integer."));
    exchange_check("{\"operationId\":\"bool\",\"targetId\":\"t\"}\n#\n#\n", 0, echo_attribute,
                   DOIP_OUTCOME_COMPLETE,
                   "{\"status\":\"0.DOIP/Status.001\",\"output\":true}\n#\n#\n");
    exchange_check("{\"operationId\":\"json\",\"targetId\":\"t\"}\n#\n#\n", 0, echo_attribute,
                   DOIP_OUTCOME_COMPLETE,
                   "{\"status\":\"0.DOIP/Status.001\",\"output\":\"none\"}\n#\n#\n");
}
END_TEST

/* ------------------------------------------------------------------ the input */

/* Answers with all segments of the input as an array: JSON as it is, bytes as a string. */
HANDLER(echo)
{
    json_t *all = json_array();
    doip_segment kind;

    while ((kind = doip_input_next(request)) > DOIP_SEGMENT_END) {
        char data[256];
        size_t used = 0;
        ssize_t got;

        if (kind == DOIP_SEGMENT_JSON) {
            json_array_append(all, doip_input_json(request));
            ck_assert_ptr_eq(doip_input_json(request), doip_input_json(request));
            continue;
        }
        while ((got = doip_read(request, data + used, 3)) > 0)
            used += (size_t)got;
        ck_assert_int_eq(doip_read(request, data, 3), got);
        json_array_append_new(all, json_stringn(data, used));
    }
    ck_assert_int_eq(doip_input_next(request), kind);
    if (kind == DOIP_SEGMENT_END)
        ck_assert_int_eq(doip_input_end(request), DOIP_OK);
    ck_assert(doip_request_touched(request));
    return doip_respond_json(response, all);
}

/* Looks at nothing of what it steps over. */
HANDLER(skip)
{
    int count = 0;

    while (doip_input_next(request) > DOIP_SEGMENT_END)
        count++;
    return doip_respond_json(response, json_integer(count));
}

#define FULL "{\"operationId\":\"o\",\"targetId\":\"t\"}\n#\n"
#define COMPACT(input) "{\"operationId\":\"o\",\"targetId\":\"t\",\"input\":" input "}\n#\n"
#define RESULT(value) "{\"status\":\"0.DOIP/Status.001\",\"output\":" value "}\n#\n#\n"

static const struct {
    const char *input;
    const char *echoed;
    const char *skipped;
} inputs[] = {
    {FULL "#\n", RESULT("[]"), RESULT("0")},
    {COMPACT("null") "#\n", RESULT("[]"), RESULT("0")},
    {COMPACT("null") "5\n#\n#\n", RESULT("[5]"), RESULT("1")},
    {COMPACT("{\"a\":0.1}") "#\n", RESULT("[{\"a\":0.1}]"), RESULT("1")},
    {FULL "{\"a\":0.1}\n#\n#\n", RESULT("[{\"a\":0.1}]"), RESULT("1")},
    {FULL "null\n#\n#\n", RESULT("[null]"), RESULT("1")},
    {FULL "[1,\n\n 2]\r\n# \t\r\n#\r\n", RESULT("[[1,2]]"), RESULT("1")},
    {FULL "@\n#\n#\n", RESULT("[\"\"]"), RESULT("1")},
    {FULL "@ \r\n3 \t\nabc\r\n5\nd\n#\ne\n#\n1\n#\n#\n", RESULT("[\"abcd\\n#\\ne\",1]"),
     RESULT("2")},
    {FULL "@\n1\na\n#\n@\n1\nb\n#\n2\n#\n3\n#\n#\n", RESULT("[\"a\",\"b\",2,3]"), RESULT("4")},
    {"\n \t\r\n" FULL "1\n#\n#\n", RESULT("[1]"), RESULT("1")},
    {COMPACT("false") "1\n#\n#\n", NULL, NULL},
    {COMPACT("false") "@\n#\n#\n", NULL, NULL},
};

START_TEST(reads_input)
{
    size_t size = strlen(inputs[_i].input);

    for (size_t step = 0; step <= size; step++) {
        exchange_check(inputs[_i].input, step, echo, DOIP_OUTCOME_COMPLETE, inputs[_i].echoed);
        exchange_check(inputs[_i].input, step, skip, DOIP_OUTCOME_COMPLETE, inputs[_i].skipped);
    }
}
END_TEST

START_TEST(refuses_segments_after_input)
{
    struct exchange exchange =
        exchange_open(COMPACT("1") "2\n#\n#\n", strlen(COMPACT("1") "2\n#\n#\n"), 0, NULL);
    uint64_t budget = 1000;

    ck_assert_int_eq(exchange_run(&exchange, echo), DOIP_OUTCOME_COMPLETE);
    ck_assert_str_eq(doip_response_status(exchange.response), DOIP_STATUS_INVALID);
    ck_assert_ptr_nonnull(strstr(doip_response_message(exchange.response), "`input`"));
    ck_assert_int_eq(doip_message_discard(doip_request_message(exchange.request), &budget), 0);
    exchange_close(&exchange);
}
END_TEST

/* Two requests on one connection: what the first left unread is not the second's. */
START_TEST(goes_on_after_a_request)
{
    const char *input = FULL "@\n3\nabc\n#\n#\n" FULL "7\n#\n#\n";
    struct exchange exchange = exchange_open(input, strlen(input), 2, NULL);
    uint64_t budget = 1000;

    exchange_run(&exchange, accept_all);
    ck_assert_int_eq(doip_message_discard(doip_request_message(exchange.request), &budget), 0);
    doip_request_free(&exchange.request);
    exchange.request = doip_request_new(exchange.reader, exchange.writer, SERVICE, NULL);
    exchange.response = doip_request_response(exchange.request);
    ck_assert_int_eq(exchange_run(&exchange, echo), DOIP_OUTCOME_COMPLETE);
    ck_assert_str_eq(exchange_output(&exchange), OK RESULT("[7]"));
    exchange_close(&exchange);
}
END_TEST

HANDLER(wants_json)
{
    json_t *value = doip_input_next_json(request);

    if (value == NULL)
        return DOIP_FAILED;
    return doip_input_end(request) == DOIP_OK ? doip_respond_json(response, json_incref(value))
                                              : DOIP_FAILED;
}

HANDLER(wants_bytes)
{
    if (doip_input_next_bytes(request) != DOIP_OK)
        return DOIP_FAILED;
    return doip_input_end(request) == DOIP_OK ? doip_respond_json(response, json_true())
                                              : DOIP_FAILED;
}

HANDLER(reads_blindly)
{
    char data[4];

    doip_input_next(request);
    ck_assert_int_lt(doip_read(request, data, sizeof data), 0);
    ck_assert_int_lt(doip_read(request, data, sizeof data), 0);
    ck_assert_ptr_null(doip_input_json(request));
    ck_assert_int_eq(doip_input_next(request), DOIP_SEGMENT_ERROR);
    ck_assert_int_eq(doip_input_end(request), DOIP_FAILED);
    return DOIP_OK;
}

HANDLER(parses_blindly)
{
    doip_input_next(request);
    ck_assert_ptr_null(doip_input_json(request));
    return DOIP_OK;
}

static const struct {
    const char *input;
    exchange_handler handler;
    const char *message; /* part of it; NULL: success */
} wanted[] = {
    {FULL "1\n#\n#\n", wants_json, NULL},
    {COMPACT("1") "#\n", wants_json, NULL},
    {FULL "#\n", wants_json, "must have a JSON segment here, not the empty segment"},
    {FULL "@\n1\na\n#\n#\n", wants_json, "must have a JSON segment here, not a bytes segment"},
    {FULL "1\n#\n2\n#\n#\n", wants_json, "The end of the message is due"},
    {FULL "[\n#\n#\n", wants_json, "Cannot parse"},
    {FULL "@\n1\na\n#\n#\n", wants_bytes, NULL},
    {FULL "#\n", wants_bytes, "must have a bytes segment here, not the empty segment"},
    {FULL "1\n#\n#\n", wants_bytes, "must have a bytes segment here, not a JSON segment"},
    {COMPACT("1") "#\n", wants_bytes, "must have a bytes segment here, not a JSON segment"},
    {FULL "@\n#\n@\n#\n#\n", wants_bytes, "The end of the message is due"},
    {FULL "1\n#\n#\n", reads_blindly, "must have a bytes segment here"},
    {FULL "@\n1\na\n#\n#\n", parses_blindly, "must have a JSON segment here"},
    {FULL "#\n", parses_blindly, "must have a JSON segment here"},
};

START_TEST(insists_on_kinds)
{
    struct exchange exchange = exchange_open(wanted[_i].input, strlen(wanted[_i].input), 0, NULL);

    ck_assert_int_eq(exchange_run(&exchange, wanted[_i].handler), DOIP_OUTCOME_COMPLETE);
    ck_assert_str_eq(doip_response_status(exchange.response),
                     wanted[_i].message == NULL ? DOIP_STATUS_OK : DOIP_STATUS_INVALID);
    if (wanted[_i].message != NULL)
        ck_assert_msg(strstr(doip_response_message(exchange.response), wanted[_i].message) != NULL,
                      "%s", doip_response_message(exchange.response));
    exchange_close(&exchange);
}
END_TEST

/* ------------------------------------------------------------------ objects as input */

/* Answers {"object": …, "data": {element id: bytes}}. */
HANDLER(echo_object)
{
    json_t *object = doip_input_object(request, 0);
    json_t *data = json_object();
    json_t *element;
    char bytes[64];

    if (object != NULL) {
        while (doip_input_element(request, &element) == 1) {
            size_t used = 0;
            ssize_t got;

            while ((got = doip_read(request, bytes + used, sizeof bytes - used)) > 0)
                used += (size_t)got;
            json_object_set_new(data, json_string_value(json_object_get(element, "id")),
                                json_stringn(bytes, used));
        }
        if (doip_input_end(request) == DOIP_OK)
            return doip_respond_json(response,
                                     json_pack("{s:O,s:o}", "object", object, "data", data));
    }
    json_decref(data);
    return DOIP_FAILED;
}

#define OBJECT "{\"type\":\"T\",\"elements\":[{\"id\":\"a\"},{\"id\":\"b\"}]}"

static const struct {
    const char *input;
    const char *output; /* NULL: the message */
    const char *message;
} objects[] = {
    {COMPACT(OBJECT) "#\n", RESULT("{\"object\":" OBJECT ",\"data\":{}}"), NULL},
    {FULL OBJECT "\n#\n#\n", RESULT("{\"object\":" OBJECT ",\"data\":{}}"), NULL},
    {FULL OBJECT "\n#\n{\"id\":\"b\"}\n#\n@\n2\nbb\n#\n{\"id\":\"a\",\"x\":1}\n#\n@\n#\n#\n",
     RESULT("{\"object\":" OBJECT ",\"data\":{\"b\":\"bb\",\"a\":\"\"}}"), NULL},
    {FULL "#\n", NULL, "a digital object is due, not the empty segment"},
    {FULL "@\n#\n#\n", NULL, "a digital object is due, not a bytes segment"},
    {FULL "[]\n#\n#\n", NULL, "a digital object must be a JSON object"},
    {FULL "{}\n#\n#\n", NULL, "the object's `type` must be a non-empty string"},
    {FULL OBJECT "\n#\n{\"id\":\"c\"}\n#\n@\n#\n#\n", NULL, "the object has no element c"},
    {FULL OBJECT "\n#\n{\"id\":\"a\"}\n#\n@\n#\n{\"id\":\"a\"}\n#\n@\n#\n#\n", NULL,
     "the data of the element a come twice"},
    {FULL OBJECT "\n#\n{\"id\":5}\n#\n@\n#\n#\n", NULL, "element header"},
    {FULL OBJECT "\n#\n7\n#\n@\n#\n#\n", NULL, "element header"},
    {FULL OBJECT "\n#\n@\n#\n#\n", NULL, "an element header is due"},
    {FULL OBJECT "\n#\n{\"id\":\"a\"}\n#\n#\n", NULL, "a bytes segment is due"},
    {FULL OBJECT "\n#\n{\"id\":\"a\"}\n#\n{\"id\":\"b\"}\n#\n@\n#\n#\n", NULL,
     "a bytes segment is due"},
    {FULL OBJECT "\n#\n{\"id\":\n#\n#\n", NULL, "Cannot parse"},
    {COMPACT(OBJECT) "{\"id\":\"a\"}\n#\n@\n#\n#\n", NULL, "`input`"},
};

START_TEST(reads_objects)
{
    for (size_t step = 0; step < 4; step++) {
        struct exchange exchange =
            exchange_open(objects[_i].input, strlen(objects[_i].input), step, NULL);

        ck_assert_int_eq(exchange_run(&exchange, echo_object), DOIP_OUTCOME_COMPLETE);
        if (objects[_i].output != NULL)
            ck_assert_str_eq(exchange_output(&exchange), objects[_i].output);
        else
            ck_assert_msg(strstr(doip_response_message(exchange.response), objects[_i].message) !=
                              NULL,
                          "%s", doip_response_message(exchange.response));
        ck_assert_str_eq(doip_response_status(exchange.response),
                         objects[_i].output != NULL ? DOIP_STATUS_OK : DOIP_STATUS_INVALID);
        exchange_close(&exchange);
    }
}
END_TEST

/* Cut at every byte, a request is broken: no answer, and above all no success. */
START_TEST(breaks_at_every_byte)
{
    const char *input =
        FULL OBJECT "\n#\n{\"id\":\"b\"}\n#\n@\n2\nbb\n#\n{\"id\":\"a\",\"x\":1}\n#\n@\n#\n#\n";

    for (size_t size = strlen(FULL); size < strlen(input); size++) {
        struct exchange exchange = exchange_open(input, size, 0, NULL);

        ck_assert_int_eq(exchange_run(&exchange, echo_object), DOIP_OUTCOME_BROKEN);
        ck_assert_str_eq(exchange_output(&exchange), "");
        exchange_close(&exchange);
    }
}
END_TEST

static Suite *
suite(void)
{
    Suite *all = suite_create("input");
    TCase *cases = tcase_create("input");

    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, types_attributes, 0, COUNT_OF(attributes));
    tcase_add_test(cases, names_the_attribute);
    tcase_add_loop_test(cases, reads_input, 0, COUNT_OF(inputs));
    tcase_add_test(cases, refuses_segments_after_input);
    tcase_add_test(cases, goes_on_after_a_request);
    tcase_add_loop_test(cases, insists_on_kinds, 0, COUNT_OF(wanted));
    tcase_add_loop_test(cases, reads_objects, 0, COUNT_OF(objects));
    tcase_add_test(cases, breaks_at_every_byte);
    suite_add_tcase(all, cases);
    return all;
}

UNIT_MAIN(suite)
