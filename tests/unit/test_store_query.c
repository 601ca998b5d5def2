/*
 * The store's query language: what each query becomes, and what is said about one that is
 * malformed.
 */
#include "unit.h"
#include "unit_query.h"

#include <stdlib.h>
#include <string.h>

struct good {
    const char *query;
    const char *tree;
};

/* Words "text", columns type="text", pointers /content/x:"text", (& and), (| or), (! not). */
static const struct good goods[] = {
    {"", "all"},
    {"  \t\n", "all"},
    {"*:*", "all"},
    {"  *:*  ", "all"},
    {"*:* word", "(& all \"word\")"},
    {"word", "\"word\""},
    {"two words", "(& \"two\" \"words\")"},
    {"two AND words && more", "(& \"two\" \"words\" \"more\")"},
    {"ANDy ORb NOTe", "(& \"ANDy\" \"ORb\" \"NOTe\")"},
    {"and or not", "(& \"and\" \"or\" \"not\")"},
    {"\"two words\" three", "(& \"two words\" \"three\")"},
    {"\"a \\\"b\\\" c\"", "\"a \"b\" c\""},
    {"\"\"", "\"\""},
    {"\"OR\" \"+x\"", "(& \"OR\" \"+x\")"},
    {"type:Document", "type=\"Document\""},
    {"type:0.TYPE/DO id:35.TEST/1", "(& type=\"0.TYPE/DO\" id=\"35.TEST/1\")"},
    {"type:\"two words\"", "type=\"two words\""},
    {"id:35.TEST\\/a\\ b", "id=\"35.TEST/a b\""},
    {"id:300:35.TEST/a", "id=\"300:35.TEST/a\""},
    {"createdBy:20.1/alice modifiedBy:*", "(& createdBy=\"20.1/alice\" ?modifiedBy)"},
    {"a\\:b a\\*b", "(& \"a:b\" \"a*b\")"},
    {"foo-bar a+b C++", "(& \"foo-bar\" \"a+b\" \"C++\")"},
    {"10.1000/182 /usr/~me", "(& \"10.1000/182\" \"/usr/~me\")"},
    {"gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\""},
    {"it's 'quoted' ;--", "(& \"it's\" \"'quoted'\" \";--\")"},
    {"a\001b\002", "\"a b \""},
    /* operators */
    {"a OR b", "(| \"a\" \"b\")"},
    {"a OR b || c", "(| \"a\" \"b\" \"c\")"},
    {"a b OR c d", "(| (& \"a\" \"b\") (& \"c\" \"d\"))"},
    {"a AND (b OR c)", "(& \"a\" (| \"b\" \"c\"))"},
    {"(a b) (c d)", "(& (& \"a\" \"b\") (& \"c\" \"d\"))"},
    {"(a OR b)OR(c)", "(| \"a\" \"b\" \"c\")"},
    {"((a))", "\"a\""},
    {"NOT a", "(! \"a\")"},
    {"a -b !c +d", "(& \"a\" (! \"b\") (! \"c\") \"d\")"},
    {"a AND NOT b", "(& \"a\" (! \"b\"))"},
    {"NOT -a", "\"a\""},
    {"-(a OR b)", "(! (| \"a\" \"b\"))"},
    {"+type:A -id:b", "(& type=\"A\" (! id=\"b\"))"},
    {"type:(A OR B)", "(| type=\"A\" type=\"B\")"},
    {"/x:(a b) c", "(& (& /content/x:\"a\" /content/x:\"b\") \"c\")"},
    /* pointers */
    {"/author/lastName:Hardy", "/content/author/lastName:\"Hardy\""},
    {"/genre/_:Tragedy", "/content/genre/_:\"Tragedy\""},
    {"/publishers/_/by:\"Penguin Books\"", "/content/publishers/_/by:\"Penguin Books\""},
    {"/attributes/other/x:y", "/other/x:\"y\""},
    {"/attributes/content/x:y", "/content/x:\"y\""},
    {"/a~1b/m~0n:x", "/content/a~1b/m~0n:\"x\""},
    {"/a\\:b:x", "/content/a:b:\"x\""},
    {"/name:*", "?/content/name"},
    {"/n:-5", "/content/n:\"-5\""},
    /* wildcards */
    {"wor* h?rdy", "(& \"wor%\" \"h_rdy\")"},
    {"id:35.TEST/* type:?ook", "(& id=\"35.TEST/%\" type=\"_ook\")"},
    {"/a:b*c", "/content/a:\"b%c\""},
    {"\"a*\"", "\"a*\""},
    /* ranges */
    {"/year:[1891 TO 2003]", "/content/year[1891 .. 2003]"},
    {"/year:{a TO \"b c\"}", "/content/year{a .. b c}"},
    {"/year:[* TO 5}", "/content/year[* .. 5}"},
    {"type:{A TO *]", "type{A .. *]"},
    {"/x:[a TO b]/y:c", "(& /content/x[a .. b] /content/y:\"c\")"},
    {"version:3", "version[3 .. 3]"},
    {"version:[2 TO 5}", "version[2 .. 4]"},
    {"version:{2 TO *]", "version[3 .. 9223372036854775807]"},
    {"createdOn:0", "createdOn[0 .. 0]"},
    {"createdOn:1970-01-02", "createdOn[86400000 .. 172799999]"},
    {"createdOn:1970-02", "createdOn[2678400000 .. 5097599999]"},
    {"createdOn:1971", "createdOn[31536000000 .. 63071999999]"},
    {"createdOn:1970-01-01T00:01", "createdOn[60000 .. 119999]"},
    {"modifiedOn:\"1970-01-01T00:00:01Z\"", "modifiedOn[1000 .. 1999]"},
    {"createdOn:[1970-01-01 TO 1970-01-01]", "createdOn[0 .. 86399999]"},
    {"createdOn:{1970-01-01 TO 1970-01-03}", "createdOn[86400000 .. 172799999]"},
    {"createdOn:1972-02-29", "createdOn[68169600000 .. 68255999999]"},
    {"createdOn:1970-01-01T00:01Z", "createdOn[60000 .. 119999]"},
    /* beyond the last number there is none */
    {"version:{9223372036854775807 TO *]", "version[1 .. 0]"},
    {"version:[* TO -9223372036854775808}", "version[1 .. 0]"},
    {"version:{9223372036854775806 TO *]", "version[9223372036854775807 .. 9223372036854775807]"},
};

static void describe(const struct query *query, FILE *file);

static void
describe_text(const char *text, FILE *file)
{
    fputs("\"", file);
    for (; *text != '\0'; text++)
        fputc(*text == QUERY_ANY ? '%' : *text == QUERY_ONE ? '_' : *text, file);
    fputs("\"", file);
}

static void
describe_children(const struct query *query, char sign, FILE *file)
{
    fprintf(file, "(%c", sign);
    for (size_t i = 0; i < query->count; i++) {
        fputs(" ", file);
        describe(query->children[i], file);
    }
    fputs(")", file);
}

static void
describe(const struct query *query, FILE *file)
{
    const char *field = unit_field_name(&query->field);

    switch (query->kind) {
    case QUERY_ALL:
        fputs("all", file);
        break;
    case QUERY_AND:
        describe_children(query, '&', file);
        break;
    case QUERY_OR:
        describe_children(query, '|', file);
        break;
    case QUERY_NOT:
        describe_children(query, '!', file);
        break;
    case QUERY_WORDS:
        fprintf(file, "%s%s", field, *field == '\0' ? "" : ":");
        describe_text(query->text, file);
        break;
    case QUERY_MATCH:
        fprintf(file, "%s=", field);
        describe_text(query->text, file);
        break;
    case QUERY_RANGE:
        fprintf(file, "%s%c%s .. %s%c", field, query->low.excluded ? '{' : '[',
                query->low.text == NULL ? "*" : query->low.text,
                query->high.text == NULL ? "*" : query->high.text,
                query->high.excluded ? '}' : ']');
        break;
    case QUERY_NUMBER:
        fprintf(file, "%s[%lld .. %lld]", field, (long long)query->from, (long long)query->to);
        break;
    case QUERY_EXISTS:
        fprintf(file, "?%s", field);
    }
}

START_TEST(parses)
{
    const struct good *good = &goods[_i];
    char reason[400] = "", text[400] = "";
    struct query *query = query_parse(good->query, reason, sizeof(reason));
    FILE *file = fmemopen(text, sizeof(text), "w");

    ck_assert_msg(query != NULL, "%s: %s", good->query, reason);
    describe(query, file);
    fclose(file);
    ck_assert_str_eq(text, good->tree);
    query_free(&query);
    ck_assert_ptr_null(query);
}
END_TEST

struct bad {
    const char *query;
    const char *reason; /* how it goes on after "The query is malformed at " */
};

#define TERM "expected a word, a text in quotes, a field or '('."

static const struct bad bads[] = {
    {"\"open", "character 1: this quote is never closed."},
    {"abc \"open\\", "character 5: this quote is never closed."},
    {"\"a\"b", "character 4: expected a blank after the closing quote."},
    {"type:", "character 6: expected a value after the field's colon."},
    {"id: x", "character 4: expected a value after the field's colon."},
    {"x author:y", "character 3: unknown field 'author'; expected id, type,"},
    {"http://x", "character 1: unknown field 'http';"},
    {":x", "character 1: unknown field '';"},
    {"/:x", "character 1: unknown field '/';"},
    /* what is too long to be shown whole ends with a whole character */
    {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxyz:1",
     "character 1: unknown field 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxy';"},
    {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\xc3\xbc:1",
     "character 1: unknown field 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx';"},
    {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\xc3\xbc:1",
     "character 1: unknown field "
     "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\xc3\xbc';"},
    {"\xc3\xbc\xc3\xbc (x", "character 4: this parenthesis is never closed."},
    {"a)", "character 2: this ')' closes nothing."},
    {"(a))", "character 4: this ')' closes nothing."},
    {"()", "character 2: " TERM},
    {"a(b)", "character 2: '(' has no meaning here (put the text in quotes)."},
    {"*", "character 1: expected a character before the wildcard."},
    {"*a", "character 1: expected a character before the wildcard."},
    {"/x:?a", "character 4: expected a character before the wildcard."},
    {"a OR", "character 5: " TERM},
    {"OR a", "character 1: " TERM},
    {"a OR OR b", "character 6: " TERM},
    {"NOT", "character 4: " TERM},
    {"--", "character 3: " TERM},
    {"a -", "character 4: " TERM},
    {"AND a", "character 1: " TERM},
    {"  AND a", "character 3: " TERM},
    {"a AND", "character 6: " TERM},
    {"a AND AND b", "character 7: " TERM},
    {"x\\", "character 2: expected a character after the backslash."},
    {"[a TO b]", "character 1: a range needs a field, as in /year:[1891 TO 2003]."},
    {"/y:[a b]", "character 7: expected 'TO' between the bounds of the range."},
    {"/y:[a TO b", "character 11: expected ']' or '}' at the end of the range."},
    {"/y:[a TO]", "character 7: expected 'TO' between the bounds of the range."},
    {"/y:[a TO ]", "character 10: expected a bound of the range, or '*'."},
    {"/y:[ TO b]", "character 9: expected 'TO' between"},
    {"/y:[a* TO b]", "character 5: a bound of a range can't have wildcards."},
    {"version:new", "character 9: expected a number."},
    {"version:[1 TO x]", "character 15: expected a number."},
    {"createdOn:yesterday", "character 11: expected a date such as 2026-11-22,"},
    {"createdOn:2026-13-01", "character 11: expected a date"},
    {"createdOn:2026-11-22x", "character 11: expected a date"},
    {"createdOn:2026-02-29", "character 11: expected a date"},
    {"createdOn:2026-1-1T1:1", "character 11: expected a date"},
    {"createdOn:\"2026- 1- 1\"", "character 11: expected a date"},
    {"createdOn:2026-+1-+1", "character 11: expected a date"},
    {"createdOn:2026-11-22T10", "character 11: expected a date"},
    {"createdOn:2026-11-22T24:00", "character 11: expected a date"},
    {"createdOn:2026-11-22Z", "character 11: expected a date"},
    {"/na*e:x", "character 1: the name of a field can't have wildcards."},
    {"i?:x", "character 1: the name of a field can't have wildcards."},
    {"fuzzy~", "character 6: '~' has no meaning here"},
    {"boost^2", "character 6: '^' has no meaning here"},
};

START_TEST(refuses)
{
    static const char start[] = "The query is malformed at ";
    const struct bad *bad = &bads[_i];
    char reason[400] = "";
    struct query *query = query_parse(bad->query, reason, sizeof(reason));

    ck_assert_msg(query == NULL, "%s", bad->query);
    ck_assert_msg(strncmp(reason, start, strlen(start)) == 0 &&
                      strncmp(reason + strlen(start), bad->reason, strlen(bad->reason)) == 0,
                  "%s: %s", bad->query, reason);
}
END_TEST

static const char *
repeated(const char *term, int times)
{
    static char text[2000];

    for (text[0] = '\0'; times > 0; times--)
        strcat(text, term);
    return text;
}

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
    /* whatever they are */
    ck_assert_ptr_null(query_parse(repeated("version:[1 TO 2] ", 65), reason, sizeof(reason)));
    ck_assert_ptr_nonnull(strstr(reason, "character 1097: at most 64 terms are possible."));
    ck_assert_ptr_null(query_parse(repeated("*:* ", 65), reason, sizeof(reason)));
    ck_assert_ptr_nonnull(strstr(reason, "character 257: at most 64 terms are possible."));
    memset(text, '(', 33);
    text[33] = '\0';
    ck_assert_ptr_null(query_parse(text, reason, sizeof(reason)));
    ck_assert_str_eq(reason,
                     "The query is malformed at character 33: parentheses are at most 32 deep.");
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
