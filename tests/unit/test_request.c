/*
 * The request: its head's checks, what it says, and who sent it.
 */
#include "unit_exchange.h"

#define OK "{\"status\":\"0.DOIP/Status.001\"}\n#\n#\n"

HANDLER(accept_all)
{
    return DOIP_OK;
}

/* ------------------------------------------------------------------ the head */

static const struct {
    const char *head;
    const char *output;
} heads[] = {
    {"{\"operationId\":\"o\",\"targetId\":\"t\"}", OK},
    {"{\"operationId\":\"o\",\"targetId\":\"t\",\"requestId\":null,\"clientId\":null,"
     "\"attributes\":null,"
     "\"authentication\":null,\"input\":null,\"other\":[1]}",
     OK},
    {"{\n \"operationId\": \"o\",\n \"targetId\": \"t\"\n}", OK},
    {"{\"operationId\":\"0.DOIP/Op.Hello\"}", OK},
    {"{\"operationId\":\"0.DOIP/Op.Hello\",\"targetId\":\"\"}", OK},
    {"{\"operationId\":\"0.DOIP/Op.Hello\",\"targetId\":null}", OK},
    {"{\"operationId\":\"o\",\"targetId\":\"t\",\"clientId\":\"\"}", OK},
    {"[]", ERROR("101", "The first segment is not a JSON object.")},
    {"\"x\"", ERROR("101", "The first segment is not a JSON object.")},
    {"null", ERROR("101", "The first segment is not a JSON object.")},
    {"@\n#", ERROR("101", "The first segment is not a JSON object.")},
    {"{}", ERROR("101", "`operationId` is missing.")},
    {"{\"targetId\":\"t\"}", ERROR("101", "`operationId` is missing.")},
    {"{\"operationId\":null,\"targetId\":\"t\"}", ERROR("101", "`operationId` is missing.")},
    {"{\"operationId\":5,\"targetId\":\"t\"}",
     ERROR("101", "`operationId` must be a non-empty string.")},
    {"{\"operationId\":\"\",\"targetId\":\"t\"}",
     ERROR("101", "`operationId` must be a non-empty string.")},
    {"{\"operationId\":\"o\"}", ERROR("101", "`targetId` is missing.")},
    {"{\"operationId\":\"o\",\"targetId\":null}", ERROR("101", "`targetId` is missing.")},
    {"{\"operationId\":\"o\",\"targetId\":\"\"}", ERROR("101", "`targetId` is empty.")},
    {"{\"operationId\":\"o\",\"targetId\":[]}", ERROR("101", "`targetId` must be a string.")},
    {"{\"operationId\":\"0.DOIP/Op.Hello\",\"targetId\":5}",
     ERROR("101", "`targetId` must be a string.")},
    {"{\"operationId\":\"o\",\"targetId\":\"t\",\"clientId\":1}",
     ERROR("101", "`clientId` must be a string.")},
    {"{\"operationId\":\"o\",\"targetId\":\"t\",\"attributes\":[]}",
     ERROR("101", "`attributes` must be an object.")},
    {"{\"operationId\":\"o\",\"targetId\":\"t\",\"attributes\":\"\"}",
     ERROR("101", "`attributes` must be an object.")},
    {"{\"operationId\":\"o\",\"targetId\":\"t\",\"authentication\":\"x\"}",
     ERROR("101", "`authentication` must be an object.")},
    {"{\"operationId\":\"o\",\"targetId\":\"t\",\"requestId\":1}",
     ERROR("101", "`requestId` must be a string.")},
    {"{\"requestId\":\"r\",\"operationId\":\"o\",\"targetId\":7}",
     ERROR_OF("\"r\"", "101", "`targetId` must be a string.")},
    {"{\"targetId\":7,\"requestId\":\"r\"}", ERROR_OF("\"r\"", "101", "`operationId` is missing.")},
    {"{\"operationId\":\"o\",\"operationId\":\"o\"}",
     ERROR("101", "Cannot parse the JSON object from the first segment. "
                  "line 1, column 32: duplicate object key near '\\\"operationId\\\"'")},
    {"{\"a\":1,\"a\":2}", ERROR("101", "Cannot parse the JSON object from the first segment. "
                                       "line 1, column 10: duplicate object key near '\\\"a\\\"'")},
};

static void
check_head(const char *head, const char *output, size_t step)
{
    char input[1024];

    snprintf(input, sizeof input, "%s\n#\n#\n", head);
    exchange_check(input, step, accept_all, DOIP_OUTCOME_COMPLETE, output);
}

START_TEST(checks_heads)
{
    check_head(heads[_i].head, heads[_i].output, 0);
    check_head(heads[_i].head, heads[_i].output, 1);
}
END_TEST

/* Heads of nothing but ids, which are read in another way than all others (request_head.c), and some that only look like them. */
static const char *const id_heads[] = {
    "{}",
    "{\"operationId\":\"o\",\"targetId\":\"t\"}",
    "{\"clientId\":\"c\",\"targetId\":\"t\",\"requestId\":\"r\",\"operationId\":\"o\"}",
    " {\t\"requestId\" : \"\" ,\r\n\"operationId\" : \"0.DOIP/Op.Hello\" } ",
    "{\"requestId\":\"r\",\"operationId\":\"\"}",
    "{\"operationId\":\"o\",\"targetId\":\"t\",\"clientId\":\"\"}",
    "{\"operationId\":\"o\",\"targetId\":\"\\u0074\"}",
    "{\"operationId\":\"o\",\"targetId\":\"\xc3\xa4\",\"requestId\":\"\xe2\x82\xac\"}",
    "{\"operationId\":\"o\",\"targetId\":\"\xc3\"}",
    "{\"operationId\":\"o\",\"targetId\":\"t\",\"targetId\":\"t\"}",
    "{\"operationId\":\"o\",\"targetId\":\"t\",}",
    "{\"operationId\":\"o\" \"targetId\":\"t\"}",
    "{\"operationId\":\"o\",\"targetId\":\"t\"} {}",
    "{\"operationId\":\"o\",\"targetId\":\"t\"",
    "{\"operationId\":\"o\",\"targetId\":\"t",
};

static void
assert_same_text(const char *a, const char *b)
{
    ck_assert_str_eq(a != NULL ? a : "(none)", b != NULL ? b : "(none)");
}

/* As it is, and with a property that makes a tree necessary. */
START_TEST(reads_ids_alike)
{
    const char *rest = strchr(id_heads[_i], '{') + 1;
    char plain[512], other[512];
    struct exchange a, b;
    int got;

    snprintf(plain, sizeof plain, "%s\n#\n#\n", id_heads[_i]);
    snprintf(other, sizeof other, "{\"other\":{}%s%s\n#\n#\n", *rest == '}' ? "" : ",", rest);
    a = exchange_open(plain, strlen(plain), 0, NULL);
    b = exchange_open(other, strlen(other), 0, NULL);
    got = doip_request_head(a.request);
    ck_assert_int_eq(got, doip_request_head(b.request));
    assert_same_text(doip_request_id(a.request), doip_request_id(b.request));
    assert_same_text(doip_request_operation(a.request), doip_request_operation(b.request));
    assert_same_text(doip_request_target(a.request), doip_request_target(b.request));
    assert_same_text(doip_request_client_id(a.request), doip_request_client_id(b.request));
    ck_assert_int_eq(doip_input_end(a.request), doip_input_end(b.request));
    if (got == 1)
        assert_same_text(doip_request_operation(a.request), _i == 3 ? "0.DOIP/Op.Hello" : "o");
    exchange_close(&a);
    exchange_close(&b);
}
END_TEST

START_TEST(refuses_an_empty_message)
{
    exchange_check("#\n", 0, accept_all, DOIP_OUTCOME_COMPLETE,
                   ERROR("101", "The first segment is not a JSON object."));
}
END_TEST

START_TEST(sees_the_end)
{
    struct exchange exchange = exchange_open(" \n ", 3, 1, NULL);

    ck_assert_int_eq(doip_request_head(exchange.request), 0);
    exchange_close(&exchange);
}
END_TEST

START_TEST(breaks_in_the_head)
{
    const char *head = "{\"operationId\":\"o\",\"targetId\":\"t\"}\n#\n";

    for (size_t size = 1; size < strlen(head); size++) {
        struct exchange exchange = exchange_open(head, size, 0, NULL);

        ck_assert_int_eq(doip_request_head(exchange.request), DOIP_E_BROKEN);
        ck_assert_int_eq(doip_response_end(exchange.response, DOIP_FAILED), DOIP_OUTCOME_BROKEN);
        exchange_close(&exchange);
    }
}
END_TEST

static void
check_id_length(const char *name, size_t length, bool good)
{
    char id[600], input[1024];
    struct exchange exchange;

    memset(id, 'i', length);
    id[length] = '\0';
    snprintf(input, sizeof input, "{\"%s\":\"%s\",%s\"operationId\":\"o\"}\n#\n#\n", name, id,
             strcmp(name, "requestId") == 0 ? "\"targetId\":\"t\"," : "");
    exchange = exchange_open(input, strlen(input), 0, NULL);
    ck_assert_int_eq(doip_request_head(exchange.request), good ? 1 : DOIP_E_CONTENT);
    doip_response_end(exchange.response, DOIP_OK);
    doip_writer_flush(exchange.writer);
    if (!good) {
        ck_assert_ptr_nonnull(strstr(doip_response_message(exchange.response), name));
        ck_assert_ptr_null(strstr(exchange_output(&exchange), "requestId\":"));
    }
    exchange_close(&exchange);
}

START_TEST(limits_ids)
{
    check_id_length("requestId", 512, true);
    check_id_length("requestId", 513, false);
    check_id_length("targetId", 512, true);
    check_id_length("targetId", 513, false);
}
END_TEST

START_TEST(closes_on_a_head_over_the_limit)
{
    static char input[100 * 1024];
    struct exchange exchange;

    memset(input, ' ', sizeof input);
    input[0] = '{';
    exchange = exchange_open(input, sizeof input, 0, NULL);
    ck_assert_int_eq(doip_request_head(exchange.request), DOIP_E_LIMIT);
    ck_assert_int_eq(doip_response_end(exchange.response, DOIP_FAILED), DOIP_OUTCOME_CLOSE);
    doip_writer_flush(exchange.writer);
    ck_assert_ptr_nonnull(strstr(exchange_output(&exchange), "limit"));
    exchange_close(&exchange);
}
END_TEST

START_TEST(closes_on_garbage)
{
    exchange_check("GET / HTTP/1.1\r\n#x", 0, accept_all, DOIP_OUTCOME_CLOSE, NULL);
}
END_TEST

START_TEST(waits_for_a_head)
{
    const char *head = "{\"operationId\":\"o\",\"targetId\":\"t\"}\n#\n";
    doip_stream *stream = doip_memory_new();
    doip_reader *reader = doip_reader_new(stream, 1024);
    doip_writer *writer = doip_writer_new(stream);
    doip_request *request = doip_request_new(reader, writer, SERVICE, NULL);

    for (size_t i = 0; i < strlen(head); i++) {
        ck_assert_int_eq(doip_request_head(request), DOIP_E_AGAIN);
        doip_memory_feed(stream, head + i, 1);
    }
    ck_assert_int_eq(doip_request_head(request), 1);
    ck_assert_str_eq(doip_request_target(request), "t");
    doip_request_free(&request);
    ck_assert_ptr_null(request);
    doip_request_free(&request);
    doip_writer_free(&writer);
    doip_reader_free(&reader);
    doip_stream_free(&stream);
}
END_TEST

/* ------------------------------------------------------------------ what the head says */

HANDLER(look_at_all)
{
    bool verified = true;
    json_t *groups;

    ck_assert_str_eq(doip_request_operation(request), "0.DOIP/Op.Hello");
    ck_assert_str_eq(doip_request_target(request), SERVICE);
    ck_assert_str_eq(doip_request_service(request), SERVICE);
    ck_assert(doip_request_to_service(request));
    ck_assert_ptr_null(doip_request_id(request));
    ck_assert_ptr_null(doip_request_client(request));
    ck_assert_ptr_null(doip_request_claimed_client(request));
    ck_assert_str_eq(doip_request_peer(request), "");
    ck_assert_ptr_null(doip_request_certificate(request, &verified));
    ck_assert(!verified);
    ck_assert(json_is_object(doip_request_attributes(request)));
    ck_assert_ptr_null(doip_request_authentication(request));
    ck_assert_ptr_nonnull(doip_request_message(request));
    doip_request_set_state(request, response);
    ck_assert_ptr_eq(doip_state(request), response);
    ck_assert_ptr_null(doip_request_groups(request));
    groups = json_pack("[s]", "editors");
    doip_request_set_client(request, "alice", groups);
    json_decref(groups);
    ck_assert_str_eq(json_string_value(json_array_get(doip_request_groups(request), 0)), "editors");
    ck_assert_str_eq(doip_request_client(request), "alice");
    ck_assert_int_eq(doip_input_end(request), DOIP_OK);
    ck_assert(!doip_request_touched(request));
    return DOIP_OK;
}

START_TEST(gives_defaults)
{
    exchange_check("{\"operationId\":\"0.DOIP/Op.Hello\"}\n#\n#\n", 0, look_at_all,
                   DOIP_OUTCOME_COMPLETE, OK);
}
END_TEST

static const struct {
    const char *client_id; /* JSON */
    const char *as;        /* JSON */
    const char *identity;
    bool verified;
    bool good;
    const char *client;
    const char *claimed;
} clients[] = {
    {"null", "null", NULL, false, true, NULL, NULL},
    {"\"a\"", "null", NULL, false, true, NULL, "a"},
    {"null", "null", "b", false, true, NULL, "b"},
    {"\"a\"", "null", "b", false, true, NULL, "a"},
    {"null", "null", "b", true, true, "b", "b"},
    {"\"\"", "null", "b", true, true, "b", "b"},
    {"\"b\"", "null", "b", true, true, "b", "b"},
    {"\"a\"", "null", "b", true, false, NULL, NULL},
    {"\"B\"", "null", "b", true, false, NULL, NULL},
    {"\"a\"", "\"a\"", "b", true, true, "b", "a"},
    {"\"a\"", "\"c\"", "b", true, false, NULL, NULL},
    {"\"a\"", "5", "b", true, false, NULL, NULL},
};

START_TEST(knows_clients)
{
    doip_peer peer = {"192.0.2.1:40000", "PEM", clients[_i].identity, clients[_i].verified};
    char input[256];
    struct exchange exchange;
    bool verified;

    snprintf(input, sizeof input,
             "{\"operationId\":\"o\",\"targetId\":\"t\",\"clientId\":%s,"
             "\"authentication\":{\"asUserId\":%s}}\n#\n#\n",
             clients[_i].client_id, clients[_i].as);
    exchange = exchange_open(input, strlen(input), 0, &peer);
    ck_assert_int_eq(doip_request_head(exchange.request), clients[_i].good ? 1 : DOIP_E_CONTENT);
    if (clients[_i].good) {
        ck_assert_pstr_eq(doip_request_client(exchange.request), clients[_i].client);
        ck_assert_pstr_eq(doip_request_claimed_client(exchange.request), clients[_i].claimed);
        ck_assert_str_eq(doip_request_certificate(exchange.request, &verified), "PEM");
        ck_assert(verified == clients[_i].verified);
        ck_assert_str_eq(doip_request_peer(exchange.request), "192.0.2.1:40000");
    } else {
        ck_assert_int_eq(doip_response_end(exchange.response, DOIP_FAILED), DOIP_OUTCOME_COMPLETE);
        ck_assert_str_eq(doip_response_status(exchange.response), DOIP_STATUS_UNAUTHENTICATED);
    }
    exchange_close(&exchange);
}
END_TEST

static Suite *
suite(void)
{
    Suite *all = suite_create("request");
    TCase *head = tcase_create("head");

    tcase_set_timeout(head, 60);
    tcase_add_loop_test(head, reads_ids_alike, 0, COUNT_OF(id_heads));
    tcase_add_loop_test(head, checks_heads, 0, COUNT_OF(heads));
    tcase_add_test(head, refuses_an_empty_message);
    tcase_add_test(head, sees_the_end);
    tcase_add_test(head, breaks_in_the_head);
    tcase_add_test(head, limits_ids);
    tcase_add_test(head, closes_on_a_head_over_the_limit);
    tcase_add_test(head, closes_on_garbage);
    tcase_add_test(head, waits_for_a_head);
    tcase_add_test(head, gives_defaults);
    tcase_add_loop_test(head, knows_clients, 0, COUNT_OF(clients));
    suite_add_tcase(all, head);
    return all;
}

UNIT_MAIN(suite)
