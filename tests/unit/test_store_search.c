/*
 * The store's Search as a client meets it: what is found, in what order, and the exact answers.
 */
#include "unit_store_ask.h"

static void
fill(void)
{
    ask(create,
        CREATE(
            "{\"id\":\"35.TEST/1\",\"type\":\"Book\",\"attributes\":{\"content\":{\"title\":\"Tess "
            "of the d'Urbervilles\","
            "\"year\":1891,\"author\":[{\"lastName\":\"Hardy\"}]}}}"));
    ask(create,
        CREATE("{\"id\":\"35.TEST/"
               "2\",\"type\":\"Book\",\"attributes\":{\"content\":{\"title\":\"Jude the Obscure\","
               "\"author\":[{\"lastName\":\"Hardy\"}]}}}"));
    ask(create, CREATE("{\"id\":\"35.TEST/"
                       "3\",\"type\":\"Author\",\"attributes\":{\"content\":{\"name\":\"Thomas "
                       "H\xc3\xa4rdy\"}}}"));
    ask(create, CREATE("{\"id\":\"35.TEST/0\",\"type\":\"0.TYPE/DO\"}"));
}

struct found {
    const char *attributes;
    const char *size_and_ids; /* NULL: 101 */
};

#define ALL "{\"size\":4,\"results\":[\"35.TEST/1\",\"35.TEST/2\",\"35.TEST/3\",\"35.TEST/0\"]}"
#define NONE "{\"size\":0,\"results\":[]}"

static const struct found founds[] = {
    {"\"query\":\"*:*\"", ALL},
    {"\"query\":\"\"", ALL},
    {"\"query\":\"type:Book\"", "{\"size\":2,\"results\":[\"35.TEST/1\",\"35.TEST/2\"]}"},
    {"\"query\":\"type:book\"", NONE},
    {"\"query\":\"type:0.TYPE/DO\"", "{\"size\":1,\"results\":[\"35.TEST/0\"]}"},
    {"\"query\":\"id:35.TEST/3\"", "{\"size\":1,\"results\":[\"35.TEST/3\"]}"},
    {"\"query\":\"id:35.TEST/3 type:Book\"", NONE},
    {"\"query\":\"type:Author type:Book\"", NONE},
    {"\"query\":\"hardy\"", "{\"size\":3,\"results\":[\"35.TEST/1\",\"35.TEST/2\",\"35.TEST/3\"]}"},
    {"\"query\":\"HARDY type:Book\"", "{\"size\":2,\"results\":[\"35.TEST/1\",\"35.TEST/2\"]}"},
    {"\"query\":\"the hardy AND jude\"", "{\"size\":1,\"results\":[\"35.TEST/2\"]}"},
    {"\"query\":\"\\\"jude the obscure\\\"\"", "{\"size\":1,\"results\":[\"35.TEST/2\"]}"},
    {"\"query\":\"\\\"the jude\\\"\"", NONE},
    {"\"query\":\"\\\"obscure hardy\\\"\"", NONE},
    {"\"query\":\"d'Urbervilles\"", "{\"size\":1,\"results\":[\"35.TEST/1\"]}"},
    {"\"query\":\"1891\"", "{\"size\":1,\"results\":[\"35.TEST/1\"]}"},
    {"\"query\":\"35.TEST/2\"", "{\"size\":1,\"results\":[\"35.TEST/2\"]}"},
    {"\"query\":\"book\"", "{\"size\":2,\"results\":[\"35.TEST/1\",\"35.TEST/2\"]}"},
    {"\"query\":\"lastName\"", NONE},
    {"\"query\":\"'; \\\\\\\" tess\"", "{\"size\":1,\"results\":[\"35.TEST/1\"]}"},
    {"\"query\":\"nothing\"", NONE},
    {"\"query\":\"\\\"\\\"\"", NONE},
    {"\"query\":\"& hardy\",\"pageSize\":0", "{\"size\":3,\"results\":[]}"},
    {"\"query\":\"--\"", NULL},
    {"\"query\":\"*:*\",\"pageSize\":0", "{\"size\":4,\"results\":[]}"},
    {"\"query\":\"hardy\",\"pageSize\":\"0\"", "{\"size\":3,\"results\":[]}"},
    {"\"query\":\"*:*\",\"pageSize\":-1,\"pageNum\":0", ALL},
    {"\"query\":\"*:*\",\"pageNum\":1", "{\"size\":4,\"results\":[]}"},
    {"\"query\":\"*:*\",\"pageSize\":3",
     "{\"size\":4,\"results\":[\"35.TEST/1\",\"35.TEST/2\",\"35.TEST/3\"]}"},
    {"\"query\":\"*:*\",\"pageSize\":3,\"pageNum\":1", "{\"size\":4,\"results\":[\"35.TEST/0\"]}"},
    {"\"query\":\"*:*\",\"pageSize\":3,\"pageNum\":2", "{\"size\":4,\"results\":[]}"},
    {"\"query\":\"hardy\",\"pageSize\":\"2\",\"pageNum\":\"1\"",
     "{\"size\":3,\"results\":[\"35.TEST/3\"]}"},
    {"\"query\":\"hardy type:Book\",\"pageSize\":1,\"pageNum\":1",
     "{\"size\":2,\"results\":[\"35.TEST/2\"]}"},
    {"\"query\":\"*:*\",\"pageSize\":9223372036854775807,\"pageNum\":9223372036854775807",
     "{\"size\":4,\"results\":[]}"},
    {"\"query\":\"*:*\",\"sortFields\":\"id\"",
     "{\"size\":4,\"results\":[\"35.TEST/0\",\"35.TEST/1\",\"35.TEST/2\",\"35.TEST/3\"]}"},
    {"\"query\":\"*:*\",\"sortFields\":\"id desc\"",
     "{\"size\":4,\"results\":[\"35.TEST/3\",\"35.TEST/2\",\"35.TEST/1\",\"35.TEST/0\"]}"},
    {"\"query\":\"*:*\",\"sortFields\":\" type , id DESC,id\"",
     "{\"size\":4,\"results\":[\"35.TEST/0\",\"35.TEST/3\",\"35.TEST/2\",\"35.TEST/1\"]}"},
    {"\"query\":\"*:*\",\"sortFields\":\"type DESC\",\"pageSize\":2",
     "{\"size\":4,\"results\":[\"35.TEST/1\",\"35.TEST/2\"]}"},
    {"\"query\":\"hardy\",\"sortFields\":\"id DESC\",\"pageSize\":2",
     "{\"size\":3,\"results\":[\"35.TEST/3\",\"35.TEST/2\"]}"},
    {"\"query\":\"hardy\",\"sortFields\":\"type\"",
     "{\"size\":3,\"results\":[\"35.TEST/3\",\"35.TEST/1\",\"35.TEST/2\"]}"},
    {"\"query\":null", NULL},
    {"\"query\":5", NULL},
    {"\"query\":\"*:*\",\"pageNum\":-1", NULL},
    {"\"query\":\"*:*\",\"pageSize\":\"x\"", NULL},
    {"\"query\":\"*:*\",\"sortFields\":\"name\"", NULL},
    {"\"query\":\"*:*\",\"sortFields\":\"id,,type\"", NULL},
    {"\"query\":\"*:*\",\"sortFields\":\"id DOWN\"", NULL},
    {"\"query\":\"*:*\",\"sortFields\":\"id ASC please\"", NULL},
    {"\"query\":\"(\"", NULL},
};

START_TEST(finds)
{
    char request[1000], answer[400];
    const char *output;

    fill();
    snprintf(request, sizeof(request), SEARCH("%s,\"type\":\"id\""), founds[_i].attributes);
    output = ask(search, request);
    if (founds[_i].size_and_ids == NULL) {
        ck_assert_msg(strncmp(output, "{\"status\":\"0.DOIP/Status.101\"", 29) == 0, "%s", output);
        return;
    }
    snprintf(answer, sizeof(answer), SUCCESS "}\n#\n%s\n#\n#\n", founds[_i].size_and_ids);
    ck_assert_str_eq(output, answer);
}
END_TEST

START_TEST(finds_full_objects)
{
    ask(create, FIRST);
    ck_assert_str_eq(ask(search, SEARCH("\"query\":\"*:*\"")),
                     SUCCESS "}\n#\n{\"size\":1,\"results\":[" FIRST_STORED "]}\n#\n#\n");
    ck_assert_str_eq(ask(search, SEARCH("\"query\":\"*:*\",\"type\":\"full\"")),
                     SUCCESS "}\n#\n{\"size\":1,\"results\":[" FIRST_STORED "]}\n#\n#\n");
    ck_assert_str_eq(ask(search, SEARCH("\"query\":\"*:*\",\"type\":\"ids\"")),
                     ERROR("101", "The attribute 'type' is neither 'full' nor 'id'."));
    ck_assert_str_eq(
        ask(search, SEARCH("\"query\":\"a (b\"")),
        ERROR("101",
              "The query is malformed at character 3: '(' has no meaning here (put the text in "
              "quotes)."));
}
END_TEST

#define SIZE_OF(query) ask(search, SEARCH("\"query\":\"" query "\",\"pageSize\":0"))
#define SIZE(n) SUCCESS "}\n#\n{\"size\":" n ",\"results\":[]}\n#\n#\n"

/* The index follows updates and deletes. */
START_TEST(finds_what_is_there_now)
{
    fill();
    ask(update, UPDATE("35.TEST/2", "{\"attributes\":{\"content\":\"Under the Greenwood Tree\"}}"));
    ck_assert_str_eq(SIZE_OF("obscure"), SIZE("0"));
    ck_assert_str_eq(SIZE_OF("greenwood type:Book"), SIZE("1"));
    ask(update, UPDATE("35.TEST/2", "{\"type\":\"Novel\"}"));
    ck_assert_str_eq(SIZE_OF("greenwood type:Book"), SIZE("0"));
    ck_assert_str_eq(SIZE_OF("greenwood novel"), SIZE("1"));
    ask(update, UPDATE("35.TEST/2", "{\"elements\":[{\"id\":\"e\"}]}"));
    ck_assert_str_eq(SIZE_OF("greenwood novel"), SIZE("1"));
    ask(delete, DELETE("35.TEST/2"));
    ck_assert_str_eq(SIZE_OF("greenwood"), SIZE("0"));
    ck_assert_str_eq(SIZE_OF("hardy"), SIZE("2"));
    ck_assert_int_eq(scratch_sql("INSERT INTO word (word) VALUES ('integrity-check')"), -1);
}
END_TEST

/* So many that the list of results goes through its file. */
START_TEST(streams_long_results)
{
    char request[200];
    json_t *answer;
    const char *output, *json;

    for (int i = 0; i < 2500; i++) {
        snprintf(request, sizeof(request), CREATE("{\"id\":\"x/%04d\",\"type\":\"T\"}"), i);
        ask(create, request);
    }
    output = ask(search, SEARCH("\"query\":\"x\",\"type\":\"id\",\"sortFields\":\"id DESC\""));
    json = strstr(output, "{\"size\":");
    ck_assert_ptr_nonnull(json);
    answer = json_loadb(json, strlen(json), JSON_DISABLE_EOF_CHECK, NULL);
    ck_assert_int_eq(json_integer_value(json_object_get(answer, "size")), 2500);
    for (int i = 0; i < 2500; i++) {
        snprintf(request, sizeof(request), "x/%04d", 2499 - i);
        ck_assert_str_eq(
            json_string_value(json_array_get(json_object_get(answer, "results"), (size_t)i)),
            request);
    }
    json_decref(answer);
    scratch_check();
}
END_TEST

static Suite *
suite(void)
{
    Suite *made = suite_create("store search");
    TCase *tests = tcase_create("search");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, finds, 0, COUNT_OF(founds));
    tcase_add_test(tests, finds_full_objects);
    tcase_add_test(tests, finds_what_is_there_now);
    tcase_add_test(tests, streams_long_results);
    suite_add_tcase(made, tests);
    return made;
}

UNIT_MAIN(suite)
