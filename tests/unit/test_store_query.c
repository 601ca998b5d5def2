/*
 * The store's query language: what each query becomes, and what is said about one that is
 * malformed.
 */
#include "query.h"
#include "unit.h"

#include <string.h>

struct good {
    const char *query;
    const char *terms; /* "T:text|I:id|Y:type" */
};

static const struct good goods[] = {
    {"", ""},
    {"  \t\n", ""},
    {"*:*", ""},
    {"  *:*  ", ""},
    {"*:* word", "T:word"},
    {"word", "T:word"},
    {"two words", "T:two|T:words"},
    {"two AND words", "T:two|T:words"},
    {"ANDy ORb NOTe", "T:ANDy|T:ORb|T:NOTe"},
    {"and or not", "T:and|T:or|T:not"},
    {"\"two words\" three", "T:two words|T:three"},
    {"\"a \\\"b\\\" c\"", "T:a \"b\" c"},
    {"\"\"", "T:"},
    {"\"OR\" \"+x\"", "T:OR|T:+x"},
    {"type:Document", "Y:Document"},
    {"type:0.TYPE/DO id:35.TEST/1", "Y:0.TYPE/DO|I:35.TEST/1"},
    {"type:\"two words\"", "Y:two words"},
    {"id:35.TEST\\/a\\ b", "I:35.TEST/a b"},
    {"id:300:35.TEST/a", "I:300:35.TEST/a"},
    {"type:A type:B word", "Y:A|Y:B|T:word"},
    {"a\\:b a\\*b", "T:a:b|T:a*b"},
    {"foo-bar a+b C++", "T:foo-bar|T:a+b|T:C++"},
    {"10.1000/182", "T:10.1000/182"},
    {"gr\xc3\xbc\xc3\x9f", "T:gr\xc3\xbc\xc3\x9f"},
    {"it's 'quoted' ;--", "T:it's|T:'quoted'|T:;--"},
};

static void
describe(const struct query *query, char *text, size_t size)
{
    static const char letters[] = {[QUERY_TEXT] = 'T', [QUERY_ID] = 'I', [QUERY_TYPE] = 'Y'};
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < query->count; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%c:%s", i > 0 ? "|" : "",
                                 letters[query->terms[i].kind], query->terms[i].text);
}

START_TEST(parses)
{
    const struct good *good = &goods[_i];
    char reason[400] = "", text[400];
    struct query *query = query_parse(good->query, reason, sizeof(reason));

    ck_assert_msg(query != NULL, "%s: %s", good->query, reason);
    describe(query, text, sizeof(text));
    ck_assert_str_eq(text, good->terms);
    query_free(&query);
    ck_assert_ptr_null(query);
}
END_TEST

struct bad {
    const char *query;
    const char *reason; /* how it begins */
};

static const struct bad bads[] = {
    {"\"open", "The query is malformed at character 1: this quote is never closed."},
    {"abc \"open\\", "The query is malformed at character 5: this quote is never closed."},
    {"\"a\"b", "The query is malformed at character 4: expected a blank after the closing quote."},
    {"type:", "The query is malformed at character 6: expected a value after 'type:'."},
    {"id: x", "The query is malformed at character 4: expected a value after 'id:'."},
    {"x author:y", "The query is malformed at character 3: unknown field 'author';"},
    {"http://x", "The query is malformed at character 1: unknown field 'http';"},
    {"/author:x", "The query is malformed at character 1: unknown field '/author';"},
    {"\xc3\xbc\xc3\xbc (x)", "The query is malformed at character 4: '(' has no meaning here"},
    {"wor*", "The query is malformed at character 4: '*' has no meaning here"},
    {"id:35.TEST/*", "The query is malformed at character 12: '*' has no meaning here"},
    {"a:b:c", "The query is malformed at character 1: unknown field 'a';"},
    {"*", "The query is malformed at character 1: '*'"},
    {"a OR b", "The query is malformed at character 3: 'OR' is not supported"},
    {"NOT b", "The query is malformed at character 1: 'NOT' is not supported"},
    {"a && b", "The query is malformed at character 3: '&&' is not supported"},
    {"+a", "The query is malformed at character 1: a leading '+' is not supported"},
    {"a -b", "The query is malformed at character 3: a leading '-' is not supported"},
    {"AND a", "The query is malformed at character 1: 'AND' must stand between two terms."},
    {"  AND a", "The query is malformed at character 3: 'AND' must stand between two terms."},
    {"a AND", "The query is malformed at character 3: 'AND' must stand between two terms."},
    {"a AND AND b", "The query is malformed at character 3: 'AND' must stand between two terms."},
    {"x\\", "The query is malformed at character 2: expected a character after the backslash."},
    {"[a TO b]", "The query is malformed at character 1: '['"},
    {":x", "The query is malformed at character 1: unknown field '';"},
};

START_TEST(refuses)
{
    const struct bad *bad = &bads[_i];
    char reason[400] = "";
    struct query *query = query_parse(bad->query, reason, sizeof(reason));

    ck_assert_msg(query == NULL, "%s", bad->query);
    ck_assert_msg(strncmp(reason, bad->reason, strlen(bad->reason)) == 0, "%s: %s", bad->query,
                  reason);
}
END_TEST

START_TEST(bounds_terms)
{
    char text[1000] = "", reason[400];
    struct query *query;

    for (int i = 0; i < 64; i++)
        strcat(text, "w ");
    query = query_parse(text, reason, sizeof(reason));
    ck_assert_ptr_nonnull(query);
    ck_assert_uint_eq(query->count, 64);
    query_free(&query);
    strcat(text, "w");
    ck_assert_ptr_null(query_parse(text, reason, sizeof(reason)));
    ck_assert_str_eq(reason,
                     "The query is malformed at character 129: at most 64 terms are possible.");
}
END_TEST

static Suite *
suite(void)
{
    Suite *made = suite_create("store query");
    TCase *tests = tcase_create("query");

    tcase_add_loop_test(tests, parses, 0, sizeof(goods) / sizeof(*goods));
    tcase_add_loop_test(tests, refuses, 0, sizeof(bads) / sizeof(*bads));
    tcase_add_test(tests, bounds_terms);
    suite_add_tcase(made, tests);
    return made;
}

UNIT_MAIN(suite)
