/*
 * The store's operations as a client meets them, but for Search: requests fed to the handler's
 * functions, and the exact answers.
 */
#include "unit_store_ask.h"

/* ------------------------------------------------------------------ cases */

/* Asked in this order of a store that holds FIRST. */
struct step {
    exchange_handler handler;
    const char *request;
    const char *answer;
};

static const struct step steps[] = {
    {retrieve, RETRIEVE("35.TEST/1", ""), OUTPUT(FIRST_STORED)},
    {retrieve, RETRIEVE("35.TEST/1", "\"includeElementData\":\"false\""), OUTPUT(FIRST_STORED)},
    {retrieve, RETRIEVE("35.TEST/1", "\"includeElementData\":\"true\""),
     SUCCESS "}\n#\n" FIRST_STORED
             "\n#\n{\"id\":\"a\"}\n#\n@\n5\nhello\n#\n{\"id\":\"c\"}\n#\n@\n#\n#\n"},
    {retrieve, RETRIEVE("35.TEST/1", "\"element\":\"a\""),
     BYTES("\"filename\":\"a.txt\",\"type\":\"text/plain\",\"length\":5", "5\nhello\n")},
    {retrieve, RETRIEVE("35.TEST/1", "\"element\":\"b\""), BYTES("\"filename\":\"b\"", "")},
    {retrieve, RETRIEVE("35.TEST/1", "\"element\":\"c\""),
     BYTES("\"filename\":\"c\",\"length\":0", "")},
    {retrieve, RETRIEVE("35.TEST/1", "\"element\":\"d\""),
     ERROR("104", "The object '35.TEST/1' has no element 'd'.")},
    {retrieve, RETRIEVE("35.TEST/1", "\"element\":\"a\",\"includeElementData\":true"),
     ERROR("101", "The attributes 'element' and 'includeElementData' exclude each other.")},
    {retrieve, RETRIEVE("35.TEST/1", "\"range\":{\"start\":1}"),
     ERROR("101", "The attribute 'range' needs the attribute 'element' beside it.")},
    {retrieve, RETRIEVE("35.TEST/2", ""), ERROR("104", "There is no object '35.TEST/2'.")},
    {retrieve, RETRIEVE("35.TEST/2", "\"element\":\"a\""),
     ERROR("104", "There is no object '35.TEST/2'.")},
    {retrieve, RETRIEVE("35.TEST/2", "\"includeElementData\":true"),
     ERROR("104", "There is no object '35.TEST/2'.")},
    {create, CREATE("{\"id\":\"35.TEST/1\",\"type\":\"Document\"}"),
     ERROR("105", "The identifier '35.TEST/1' is already in use.")},
    {create, CREATE("{\"id\":\"" SERVICE "\",\"type\":\"T\"}"),
     ERROR("105", "The identifier '" SERVICE "' is already in use.")},
    {update, UPDATE("35.TEST/1", "{\"id\":\"35.TEST/2\"}"),
     ERROR("101", "The id of the input, '35.TEST/2', is not that of the target, '35.TEST/1'.")},
    {update, UPDATE("35.TEST/2", "{\"type\":\"T\"}"),
     ERROR("104", "There is no object '35.TEST/2'.")},
    {delete, DELETE("35.TEST/2"), ERROR("104", "There is no object '35.TEST/2'.")},
    {create, CREATE("{\"id\":\"99/elsewhere\",\"type\":\"T\"}"),
     OUTPUT("{\"id\":\"99/elsewhere\",\"type\":\"T\"}")},
    {update,
     UPDATE("99/elsewhere", "{\"id\":\"99/elsewhere\",\"attributes\":{\"x\":null,\"a\":[]}}"),
     OUTPUT("{\"id\":\"99/elsewhere\",\"type\":\"T\",\"attributes\":{\"x\":null,\"a\":[]}}")},
    {update,
     HEAD("35.TEST/1", "Update", "") "{\"type\":\"New\",\"elements\":[{\"id\":\"b\"}]}\n#\n{\"id\":"
                                     "\"b\"}\n#\n@\n1\nB\n#\n#\n",
     OUTPUT("{\"id\":\"35.TEST/"
            "1\",\"type\":\"New\",\"attributes\":{\"content\":{\"name\":\"Gr\xc3\xbc\xc3\x9f\","
            "\"n\":1.0}},"
            "\"elements\":[{\"id\":\"a\",\"type\":\"text/"
            "plain\",\"length\":5,\"attributes\":{\"filename\":\"a.txt\"}},"
            "{\"id\":\"b\",\"length\":1},{\"id\":\"c\",\"length\":0}]}")},
    {retrieve, RETRIEVE("35.TEST/1", "\"element\":\"b\""),
     BYTES("\"filename\":\"b\",\"length\":1", "1\nB\n")},
    {delete, DELETE("35.TEST/1"), SUCCESS "}\n#\n#\n"},
    {delete, DELETE("35.TEST/1"), ERROR("104", "There is no object '35.TEST/1'.")},
    {list, HEAD("35.TEST/1", "ListOperations", "") "#\n",
     ERROR("104", "There is no object '35.TEST/1'.")},
};

START_TEST(answers)
{
    ck_assert_str_eq(ask(create, FIRST), OUTPUT(FIRST_STORED));
    for (int i = 0; i < COUNT_OF(steps); i++)
        ck_assert_str_eq(ask(steps[i].handler, steps[i].request), steps[i].answer);
    scratch_check();
}
END_TEST

struct range {
    const char *range;
    const char *chunks; /* NULL: 101 */
};

static const struct range ranges[] = {
    {"{}", "5\nhello\n"},
    {"null", "5\nhello\n"},
    {"{\"start\":0}", "5\nhello\n"},
    {"{\"start\":1}", "4\nello\n"},
    {"{\"start\":4}", "1\no\n"},
    {"{\"start\":5}", NULL},
    {"{\"end\":0}", "1\nh\n"},
    {"{\"end\":4}", "5\nhello\n"},
    {"{\"end\":5}", "5\nhello\n"},
    {"{\"end\":9223372036854775807}", "5\nhello\n"},
    {"{\"start\":\"1\",\"end\":\"3\"}", "3\nell\n"},
    {"{\"start\":2.0,\"end\":2}", "1\nl\n"},
    {"{\"start\":null,\"end\":1}", "2\nhe\n"},
    {"{\"start\":0,\"end\":\"18446744073709551615\"}", "5\nhello\n"},
    {"{\"start\":3,\"end\":2}", NULL},
    {"{\"start\":-1}", NULL},
    {"{\"end\":-1}", NULL},
    {"{\"start\":\"\"}", NULL},
    {"{\"start\":\"1x\"}", NULL},
    {"{\"start\":\" 1\"}", NULL},
    {"{\"start\":1.5}", NULL},
    {"{\"start\":true}", NULL},
    {"{\"end\":\"99999999999999999999\"}", NULL},
    {"[1,2]", NULL},
    {"\"1-2\"", NULL},
};

START_TEST(gives_ranges)
{
    char request[400], answer[400];
    const char *output;

    ask(create, FIRST);
    snprintf(
        request, sizeof(request),
        HEAD("35.TEST/1", "Retrieve", ",\"attributes\":{\"element\":\"a\",\"range\":%s}") "#\n",
        ranges[_i].range);
    output = ask(retrieve, request);
    if (ranges[_i].chunks == NULL) {
        ck_assert_msg(strncmp(output, "{\"status\":\"0.DOIP/Status.101\"", 29) == 0, "%s", output);
        return;
    }
    snprintf(answer, sizeof(answer),
             BYTES("\"filename\":\"a.txt\",\"type\":\"text/plain\",\"length\":5", "%s"),
             ranges[_i].chunks);
    ck_assert_str_eq(output, answer);
}
END_TEST

START_TEST(gives_ranges_of_nothing)
{
    ask(create, FIRST);
    ck_assert_str_eq(
        ask(retrieve, RETRIEVE("35.TEST/1", "\"element\":\"c\",\"range\":{\"start\":3}")),
        BYTES("\"filename\":\"c\",\"length\":0", ""));
    ck_assert_str_eq(
        ask(retrieve, RETRIEVE("35.TEST/1", "\"element\":\"b\",\"range\":{\"end\":3}")),
        BYTES("\"filename\":\"b\"", ""));
}
END_TEST

/* ------------------------------------------------------------------ minting */

/* The id in an answer to a create. */
static const char *
minted(void)
{
    const char *output = ask(create, CREATE("{\"id\":\"\",\"type\":\"T\"}"));
    const char *start = strstr(output, "\"output\":{\"id\":\"");
    static char id[600];

    ck_assert_msg(start != NULL, "%s", output);
    snprintf(id, sizeof(id), "%.*s", (int)strcspn(start + 16, "\""), start + 16);
    return id;
}

START_TEST(mints_ids)
{
    char first[600];

    snprintf(first, sizeof(first), "%s", minted());
    ck_assert_uint_eq(strlen(first), strlen("35.TEST/") + 28);
    ck_assert_int_eq(strncmp(first, "35.TEST/", 8), 0);
    ck_assert_str_ne(first, minted());
    usleep(2000);
    ck_assert_int_lt(strcmp(first, minted()), 0); /* in the order of time */
    close_store();
    open_store("20.500.1/sub");
    ck_assert_int_eq(strncmp(minted(), "20.500.1/sub/", 13), 0);
}
END_TEST

/* ------------------------------------------------------------------ broken off */

/* A create cut at every byte: nothing can be seen of it, nothing stays. */
START_TEST(cut_at_every_byte)
{
    for (size_t size = 0; size < strlen(FIRST); size++) {
        struct exchange exchange = exchange_open(FIRST, size, 0, NULL);

        doip_request_set_state(exchange.request, state);
        exchange_run(&exchange, create);
        ck_assert_msg(strstr(exchange_output(&exchange), "Status.001") == NULL, "%zu: %s", size,
                      exchange_output(&exchange));
        exchange_close(&exchange);
    }
    ck_assert_int_eq(scratch_sql("SELECT count(*) FROM object"), 0);
    scratch_check();
    ck_assert_int_eq(scratch_blob_count, 0);
    ck_assert_str_eq(ask(create, FIRST), OUTPUT(FIRST_STORED));
}
END_TEST

static const char *const broken[] = {
    CREATE("[]"),
    CREATE("{\"id\":\"x/1\"}"),
    CREATE("{\"id\":\"x/1\",\"type\":\"T\",\"elements\":[{\"id\":\"e\"},{\"id\":\"e\"}]}"),
    HEAD(SERVICE, "Create", "") "#\n",
    HEAD(SERVICE, "Create",
         "") "{\"id\":\"x/1\",\"type\":\"T\"}\n#\n{\"id\":\"e\"}\n#\n@\n1\nx\n#\n#\n",
    HEAD(SERVICE, "Create", "") "{\"id\":\"x/1\",\"type\":\"T\",\"elements\":[{\"id\":\"e\"}]}\n#\n"
                                "{\"id\":\"e\"}\n#\n@\n1\nx\n#\n{\"id\":\"e\"}\n#\n@\n1\nx\n#\n#\n",
    HEAD(SERVICE, "Create",
         "") "{\"id\":\"x/"
             "1\",\"type\":\"T\",\"elements\":[{\"id\":\"e\"}]}\n#\n{\"id\":\"e\"}\n#\n#\n",
    HEAD(SERVICE, "Create",
         "") "{\"id\":\"x/1\",\"type\":\"T\",\"elements\":[{\"id\":\"e\"}]}\n#\n@\n1\nx\n#\n#\n",
};

START_TEST(refuses_broken_objects)
{
    const char *output = ask(create, broken[_i]);

    ck_assert_msg(strstr(output, "Status.101") != NULL, "%s", output);
    ck_assert_int_eq(scratch_sql("SELECT count(*) FROM object"), 0);
    scratch_check();
    ck_assert_int_eq(scratch_blob_count, 0);
}
END_TEST

/* ------------------------------------------------------------------ list and open */

static doip_result
list_declines(doip_request *request, doip_response *response)
{
    ck_assert_int_eq(list(request, response), DOIP_DECLINED);
    ck_assert(!doip_request_touched(request));
    return DOIP_OK;
}

START_TEST(leaves_lists_to_the_daemon)
{
    ask(create, FIRST);
    ask(list_declines, HEAD(SERVICE, "ListOperations", "") "#\n");
    ask(list_declines, HEAD("35.TEST/1", "ListOperations", "") "#\n");
}
END_TEST

START_TEST(says_why_it_cannot_open)
{
    const doip_setting settings[] = {{"root", "/dev/null/store", NULL, 0}, {.name = NULL}};
    char reason[300];
    void *none = NULL;
    doip_options *wrong =
        doip_options_new(&doip_handler, SERVICE, "/nowhere", settings, reason, sizeof(reason));

    ck_assert_ptr_nonnull(wrong);
    ck_assert_int_eq(doip_handler.open(wrong, &none), DOIP_FAILED);
    ck_assert_ptr_nonnull(strstr(doip_options_reason(wrong),
                                 "root: the repository in '/dev/null/store' can't be opened: "
                                 "/dev/null/store: Not a directory. Check"));
    doip_options_free(&wrong);
}
END_TEST

/* What a kept object becomes, by SQL, and what a Retrieve of it then answers. */
static const struct {
    const char *sql;
    const char *attributes;
    const char *answer;
} altered[] = {
    {"UPDATE object SET attributes = '{\"name\":x}'", "",
     ERROR("500", "The repository can't do that now: attributes of the object '35.TEST/1' are "
                  "damaged in the catalog.")},
    {"UPDATE object SET attributes = '{\"name\":x}'", "\"includeElementData\":true",
     ERROR("500", "The repository can't do that now: the catalog: attributes of an object are "
                  "damaged: line 1, column 58: invalid token near 'x'.")},
    {"UPDATE object SET attributes = '{'", "",
     ERROR("500", "The repository can't do that now: the catalog: an object is damaged in the "
                  "catalog, or memory is short.")},
    {"UPDATE element SET attributes = '{\"acl\"}' WHERE id = 'a'", "",
     ERROR("500", "The repository can't do that now: attributes of the object '35.TEST/1' are "
                  "damaged in the catalog.")},
    {"UPDATE object SET attributes = '{\"acl\"}'", "",
     ERROR("500", "The repository can't do that now: the catalog: attributes of an object are "
                  "damaged: line 1, column 7: ':' expected near '}'.")},
    /* As an early version kept them: with what clients sent under the store's own names. */
    {"UPDATE object SET attributes = '{\"metadata\":{\"version\":77},\"n\": [1e5]}'", "",
     OUTPUT("{\"id\":\"35.TEST/"
            "1\",\"type\":\"Document\",\"attributes\":{\"n\":[100000.0]},\"elements\":["
            "{\"id\":\"a\",\"type\":\"text/plain\",\"length\":5,\"attributes\":{\"filename\":"
            "\"a.txt\"}},{\"id\":\"b\"},{\"id\":\"c\",\"length\":0}]}")},
    {"UPDATE element SET attributes = '{\"sha256\":\"0\"}' WHERE id = 'b';"
     "UPDATE object SET attributes = NULL",
     "",
     OUTPUT("{\"id\":\"35.TEST/1\",\"type\":\"Document\",\"elements\":["
            "{\"id\":\"a\",\"type\":\"text/plain\",\"length\":5,\"attributes\":{\"filename\":"
            "\"a.txt\"}},{\"id\":\"b\",\"attributes\":{}},{\"id\":\"c\",\"length\":0}]}")},
};

START_TEST(says_what_is_damaged)
{
    char *request;

    ck_assert_int_ge(asprintf(&request, RETRIEVE("35.TEST/1", "%s"), altered[_i].attributes), 0);
    ck_assert_str_eq(ask(create, FIRST), OUTPUT(FIRST_STORED));
    scratch_execute(altered[_i].sql);
    ck_assert_str_eq(ask(retrieve, request), altered[_i].answer);
    free(request);
}
END_TEST

static Suite *
suite(void)
{
    Suite *made = suite_create("store operations");
    TCase *tests = tcase_create("operations");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, answers);
    tcase_add_loop_test(tests, gives_ranges, 0, COUNT_OF(ranges));
    tcase_add_test(tests, gives_ranges_of_nothing);
    tcase_add_test(tests, mints_ids);
    tcase_add_loop_test(tests, says_what_is_damaged, 0, COUNT_OF(altered));
    tcase_add_test(tests, cut_at_every_byte);
    tcase_add_loop_test(tests, refuses_broken_objects, 0, COUNT_OF(broken));
    tcase_add_test(tests, leaves_lists_to_the_daemon);
    tcase_add_test(tests, says_why_it_cannot_open);
    suite_add_tcase(made, tests);
    return made;
}

UNIT_MAIN(suite)
