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
    {"\"query\":\"jude OR tess\"", "{\"size\":2,\"results\":[\"35.TEST/1\",\"35.TEST/2\"]}"},
    {"\"query\":\"hardy -jude\"", "{\"size\":2,\"results\":[\"35.TEST/1\",\"35.TEST/3\"]}"},
    {"\"query\":\"hardy NOT (jude OR tess)\"", "{\"size\":1,\"results\":[\"35.TEST/3\"]}"},
    {"\"query\":\"NOT hardy\"", "{\"size\":1,\"results\":[\"35.TEST/0\"]}"},
    {"\"query\":\"-type:Book -id:35.TEST/0\"", "{\"size\":1,\"results\":[\"35.TEST/3\"]}"},
    {"\"query\":\"(type:Author OR jude) hardy\"",
     "{\"size\":2,\"results\":[\"35.TEST/2\",\"35.TEST/3\"]}"},
    {"\"query\":\"type:(Author OR Book) -tess\"",
     "{\"size\":2,\"results\":[\"35.TEST/2\",\"35.TEST/3\"]}"},
    {"\"query\":\"/title:tess\"", "{\"size\":1,\"results\":[\"35.TEST/1\"]}"},
    {"\"query\":\"/title:hardy\"", NONE},
    {"\"query\":\"/author/_/lastName:Hardy\"",
     "{\"size\":2,\"results\":[\"35.TEST/1\",\"35.TEST/2\"]}"},
    {"\"query\":\"/attributes/content/name:\\\"thomas hardy\\\"\"",
     "{\"size\":1,\"results\":[\"35.TEST/3\"]}"},
    {"\"query\":\"/title:\\\"the tess\\\"\"", NONE},
    {"\"query\":\"/title:(the obscure)\"", "{\"size\":1,\"results\":[\"35.TEST/2\"]}"},
    {"\"query\":\"/title:* -/year:*\"", "{\"size\":1,\"results\":[\"35.TEST/2\"]}"},
    {"\"query\":\"/no/where:x\"", NONE},
    {"\"query\":\"-/no/where:x\"", ALL},
    {"\"query\":\"/no/where:[a TO b]\"", NONE},
    {"\"query\":\"/year:1891\"", "{\"size\":1,\"results\":[\"35.TEST/1\"]}"},
    {"\"query\":\"/year:1891.0\"", "{\"size\":1,\"results\":[\"35.TEST/1\"]}"},
    {"\"query\":\"/year:-1891\"", NONE},
    {"\"query\":\"/year:18*\"", "{\"size\":1,\"results\":[\"35.TEST/1\"]}"},
    {"\"query\":\"/year:[1891 TO 2003]\"", "{\"size\":1,\"results\":[\"35.TEST/1\"]}"},
    {"\"query\":\"/year:{1891 TO *]\"", NONE},
    {"\"query\":\"/year:[* TO 1891}\"", NONE},
    {"\"query\":\"/year:[200 TO 1891]\"", "{\"size\":1,\"results\":[\"35.TEST/1\"]}"},
    {"\"query\":\"/title:[Jude TO K}\"", "{\"size\":1,\"results\":[\"35.TEST/2\"]}"},
    {"\"query\":\"hard*\"", "{\"size\":3,\"results\":[\"35.TEST/1\",\"35.TEST/2\",\"35.TEST/3\"]}"},
    {"\"query\":\"\\\"thomas har\\\"\"", NONE},
    {"\"query\":\"H?RDY obsc*\"", "{\"size\":1,\"results\":[\"35.TEST/2\"]}"},
    {"\"query\":\"h*y -o*re\"", "{\"size\":2,\"results\":[\"35.TEST/1\",\"35.TEST/3\"]}"},
    {"\"query\":\"x?y\"", NONE},
    {"\"query\":\"/title:j?de\"", "{\"size\":1,\"results\":[\"35.TEST/2\"]}"},
    {"\"query\":\"a.b?c\"", NULL},
    {"\"query\":\"type:B*k\"", "{\"size\":2,\"results\":[\"35.TEST/1\",\"35.TEST/2\"]}"},
    {"\"query\":\"id:*/?\"", ALL},
    {"\"query\":\"id:35.TEST/[13]\"", NULL},
    {"\"query\":\"id:[35.TEST/1 TO 35.TEST/3}\"",
     "{\"size\":2,\"results\":[\"35.TEST/1\",\"35.TEST/2\"]}"},
    {"\"query\":\"version:1 createdOn:[2026 TO *] modifiedOn:[* TO 2999]\"", ALL},
    {"\"query\":\"createdOn:[* TO 2020-01-01]\"", NONE},
    {"\"query\":\"version:[2 TO *]\"", NONE},
    {"\"query\":\"-createdBy:alice\"", ALL},
    {"\"query\":\"createdBy:*\"", NONE},
    {"\"query\":\"hardy (type:Author OR /year:[1 TO *]) -/title:jude\"",
     "{\"size\":2,\"results\":[\"35.TEST/1\",\"35.TEST/3\"]}"},
    {"\"query\":\"hardy type:B* version:1 -createdBy:* /title:[A TO *]\"",
     "{\"size\":2,\"results\":[\"35.TEST/1\",\"35.TEST/2\"]}"},
    {"\"query\":\"-hardy OR -type:Book\"",
     "{\"size\":2,\"results\":[\"35.TEST/3\",\"35.TEST/0\"]}"},
    {"\"query\":\"-(-hardy OR type:Author)\"",
     "{\"size\":2,\"results\":[\"35.TEST/1\",\"35.TEST/2\"]}"},
    {"\"query\":\"-*:*\"", NONE},
    {"\"query\":\"/year:[1 TO 3000]\",\"sortFields\":\"/year DESC\"",
     "{\"size\":1,\"results\":[\"35.TEST/1\"]}"},
    {"\"query\":\"/title:[A TO Z]\",\"sortFields\":\"/title\"",
     "{\"size\":2,\"results\":[\"35.TEST/2\",\"35.TEST/1\"]}"},
    {"\"query\":\"/title:[A TO Z]\",\"sortFields\":\"/title DESC\",\"pageSize\":1,\"pageNum\":1",
     "{\"size\":2,\"results\":[\"35.TEST/2\"]}"},
    {"\"query\":\"/author/_/lastName:[A TO Z]\",\"sortFields\":\"/author/_/lastName\"",
     "{\"size\":2,\"results\":[\"35.TEST/1\",\"35.TEST/2\"]}"},
    {"\"query\":\"*:*\",\"sortFields\":\"/title DESC\"",
     "{\"size\":4,\"results\":[\"35.TEST/1\",\"35.TEST/2\",\"35.TEST/3\",\"35.TEST/0\"]}"},
    {"\"query\":\"*:*\",\"sortFields\":\"/title\"",
     "{\"size\":4,\"results\":[\"35.TEST/2\",\"35.TEST/1\",\"35.TEST/3\",\"35.TEST/0\"]}"},
    {"\"query\":\"hardy\",\"sortFields\":\"/year,/title\",\"pageSize\":2",
     "{\"size\":3,\"results\":[\"35.TEST/1\",\"35.TEST/2\"]}"},
    {"\"query\":\"*:*\",\"sortFields\":\"createdOn DESC, version, id\",\"pageSize\":0",
     "{\"size\":4,\"results\":[]}"},
    {"\"query\":\"*:*\",\"sortFields\":\"id,id,id,id,id,id,id,id,id\"", NULL},
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
        ERROR("101", "The query is malformed at character 3: this parenthesis is never closed."));
}
END_TEST

/* What is kept as text leaves as it is only where it is what a client may read. */
static const struct {
    const char *kept;
    const char *type;
    const char *answer;
} kept[] = {
    {"{\"n\":[1,true]}", "full",
     SUCCESS "}\n#\n{\"size\":1,\"results\":[{\"id\":\"x/1\",\"type\":\"T\",\"attributes\":"
             "{\"n\":[1,true]}}]}\n#\n#\n"},
    {"{\"n\": [1e5] }", "full",
     SUCCESS "}\n#\n{\"size\":1,\"results\":[{\"id\":\"x/1\",\"type\":\"T\",\"attributes\":"
             "{\"n\":[100000.0]}}]}\n#\n#\n"},
    {"{\"n\":x}", "full",
     ERROR("500", "The repository can't do that now: an object is damaged in the catalog: line 1, "
                  "column 42: invalid token near 'x'.")},
    {"{\"n\":x}", "id", SUCCESS "}\n#\n{\"size\":1,\"results\":[\"x/1\"]}\n#\n#\n"},
};

START_TEST(gives_what_is_kept)
{
    char sql[200], request[300];

    ask(create, CREATE("{\"id\":\"x/1\",\"type\":\"T\"}"));
    ask(search, SEARCH("\"query\":\"*:*\""));
    snprintf(sql, sizeof(sql), "DROP TRIGGER object_changed; UPDATE object SET attributes = '%s'",
             kept[_i].kept);
    scratch_execute(sql); /* the index is not told */
    snprintf(request, sizeof(request), SEARCH("\"query\":\"*:*\",\"type\":\"%s\""), kept[_i].type);
    ck_assert_str_eq(ask(search, request), kept[_i].answer);
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
    scratch_check_index();
}
END_TEST

/* Whatever is asked, the answer is a list or a reason: never a failure of the catalog. */
START_TEST(answers_any_query)
{
    static const char *const pieces[] = {"a",
                                         "hardy",
                                         "tes*",
                                         "h?rdy",
                                         "\\\"the obscure\\\"",
                                         "type:",
                                         "id:",
                                         "/title:",
                                         "/year:",
                                         "1891",
                                         "[",
                                         "{",
                                         "TO",
                                         "]",
                                         "}",
                                         "(",
                                         ")",
                                         "OR",
                                         "AND",
                                         "NOT",
                                         "-",
                                         "+",
                                         "*:*",
                                         "*",
                                         "?",
                                         "\\\"",
                                         "\\\\",
                                         ":",
                                         "'",
                                         "NEAR",
                                         "^",
                                         "~",
                                         ";--",
                                         "%",
                                         "\xc3\xbc",
                                         "version:",
                                         "createdOn:",
                                         "2026-11-22",
                                         "/no/where:",
                                         "x*y",
                                         ("\xee\x80\x81"
                                          "1"),
                                         "--",
                                         "!"};
    unsigned seed = 1;
    int good = 0;

    fill();
    for (int i = 0; i < 4000; i++) {
        char query[400] = "", request[1000];
        const char *output;

        for (int j = rand_r(&seed) % 7 + 1; j > 0; j--) {
            strcat(query, pieces[rand_r(&seed) % COUNT_OF(pieces)]);
            strcat(query, rand_r(&seed) % 3 == 0 ? "" : " ");
        }
        snprintf(request, sizeof(request),
                 SEARCH("\"query\":\"%s\",\"type\":\"id\",\"sortFields\":\"%s\""), query,
                 (const char *[]){"", "id", "/year DESC,/title"}[i % 3]);
        output = ask(search, request);
        good += strstr(output, "Status.001") != NULL;
        ck_assert_msg(strstr(output, "Status.001") != NULL || strstr(output, "Status.101") != NULL,
                      "%s: %s", query, output);
    }
    ck_assert_int_gt(good, 400);
}
END_TEST

static int
compare_texts(const void *a, const void *b)
{
    return strcmp(a, b);
}

enum { MANY = 4200 };

/* Every page of a search, its ids one after the other, each followed by a blank. */
static void
pages(const char *query, const char *sort, int page_size, char *text, size_t size)
{
    char request[600];

    *text = '\0';
    for (int page = 0; page * page_size < MANY; page++) {
        const char *json;
        json_t *answer, *id;
        size_t i;

        snprintf(request, sizeof(request),
                 SEARCH("\"query\":\"%s\",\"sortFields\":\"%s\",\"type\":\"id\",\"pageSize\":%d,"
                        "\"pageNum\":%d"),
                 query, sort, page_size, page);
        json = strstr(ask(search, request), "{\"size\":");
        ck_assert_ptr_nonnull(json);
        answer = json_loadb(json, strlen(json), JSON_DISABLE_EOF_CHECK, NULL);
        ck_assert_int_eq(json_integer_value(json_object_get(answer, "size")), MANY);
        json_array_foreach(json_object_get(answer, "results"), i, id)
        {
            ck_assert_uint_lt(strlen(text) + 20, size);
            strcat(strcat(text, json_string_value(id)), " ");
        }
        json_decref(answer);
    }
}

/* More than are sorted by looking at each: the same order by a walk along the field, up and down,
 * with many of equal values, some without a value, numbers and texts, and arrays. */
START_TEST(sorts_many)
{
    static char expected[MANY][64], walked[MANY * 16], text[MANY * 16];
    char request[300];

    for (int i = 0; i < MANY; i++) {
        const char *value = i % 7 == 6 ? "null" : i % 7 == 5 ? "\"text\"" : NULL;
        char number[32];

        snprintf(number, sizeof(number), "%d%s", i % 5, i % 2 == 0 ? "" : ".5");
        snprintf(request, sizeof(request),
                 CREATE("{\"id\":\"x/%04d\",\"type\":\"T\",\"attributes\":{\"content\":{\"v\":%s,"
                        "\"a\":[%d,%d]}}}"),
                 i, value == NULL ? number : value, i % 3, 9 - i % 4);
        ask(create, request);
        snprintf(expected[i], sizeof(expected[i]), "%c%s x/%04d",
                 value == NULL ? '1'
                 : i % 7 == 5  ? '2'
                               : '3',
                 value == NULL ? number : "", i);
    }
    qsort(expected, MANY, sizeof(expected[0]), compare_texts);
    *text = '\0';
    for (int i = 0; i < MANY; i++)
        strcat(strcat(text, strstr(expected[i], "x/")), " ");
    pages("x", "/v", 1000, walked, sizeof(walked));
    ck_assert_str_eq(walked, text);
    pages("*:*", "/v", 1700, walked, sizeof(walked));
    ck_assert_str_eq(walked, text);
    /* Two fields are sorted by looking at each. */
    for (int i = 0; i < 3; i++) {
        static const char *const fields[][2] = {
            {"/v DESC", "/v DESC,id"}, {"/a/_", "/a/_,id"}, {"/a/_ DESC", "/a/_ DESC,id"}};

        pages("x", fields[i][0], 900, walked, sizeof(walked));
        pages("-y", fields[i][1], 5000, text, sizeof(text));
        ck_assert_str_eq(walked, text);
    }
    pages("id:[x TO y]", "id DESC", 999, walked, sizeof(walked));
    pages("x", "id DESC,type", 4200, text, sizeof(text));
    ck_assert_str_eq(walked, text);
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
    tcase_add_loop_test(tests, gives_what_is_kept, 0, COUNT_OF(kept));
    tcase_add_test(tests, finds_what_is_there_now);
    tcase_add_test(tests, answers_any_query);
    tcase_add_test(tests, sorts_many);
    tcase_add_test(tests, streams_long_results);
    suite_add_tcase(made, tests);
    return made;
}

UNIT_MAIN(suite)
