/*
 * doip_json_parse() and doip_json_write(): what is refused, what is kept, and the exact bytes that
 * leave.
 */
#include <errno.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <string.h>

#include <doip/json.h>
#include <doip/stream.h>

#include "text.h"
#include "unit.h"

/* ------------------------------------------------------------------ parsing */

#define TEXT(text) text, sizeof(text) - 1

static const struct {
    const char *text;
    size_t length;
    const char *reason; /* part of it */
} refused[] = {
    {TEXT(""), "line 1"},
    {TEXT("  \n "), "line 2"},
    {TEXT("{\"a\":1,\"a\":2}"), "duplicate object key"},
    {TEXT("{\"x\":{\"a\":1,\n \"a\":1}}"), "line 2, column"},
    {TEXT("\"a\\u0000b\""), "\\u0000 is not allowed"},
    {TEXT("{\"a\\u0000b\":1}"), "NUL byte in object key"},
    {TEXT("\"a\0b\""), "line 1, column 3: NUL"},
    {TEXT("1\0"), "line 1, column 2: NUL"},
    {TEXT("[1\0,\n2]"), "line 1, column 3: NUL"},
    {TEXT("\n\n [1,2]\0"), "line 3, column 7: NUL"},
    {TEXT("\0"), "line 1, column 1: NUL"},
    {TEXT("\"\xff\""), "unable to decode byte 0xff"},
    {TEXT("\"\xc0\x80\""), "unable to decode byte 0xc0"},
    {TEXT("\"\xed\xa0\x80\""), "unable to decode byte 0xed"},
    {TEXT("\"\xf4\x90\x80\x80\""), "unable to decode byte 0xf4"},
    {TEXT("\"\xc3"), "unable to decode byte 0xc3"},
    {TEXT("\"\\ud800\""), "invalid Unicode"},
    {TEXT("9223372036854775808"), "too big integer"},
    {TEXT("-9223372036854775809"), "too big negative integer"},
    {TEXT("[1,2,123456789012345678901234567890]"), "too big integer"},
    {TEXT("1e400"), "real number overflow"},
    {TEXT("-1e400"), "real number overflow"},
    {TEXT("{} x"), "end of file expected"},
    {TEXT("1 2"), "end of file expected"},
    {TEXT("\xef\xbb\xbf{}"), "line 1"},
    {TEXT("{"), "line 1"},
    {TEXT("[1,]"), "line 1"},
    {TEXT("{a:1}"), "line 1"},
    {TEXT("'a'"), "line 1"},
    {TEXT("01"), "line 1"},
    {TEXT("+1"), "line 1"},
    {TEXT(".5"), "line 1"},
    {TEXT("1."), "line 1"},
    {TEXT("NaN"), "line 1"},
    {TEXT("\"a\nb\""), "line 1"},
    {TEXT("\"a\tb\""), "line 1"},
    {TEXT("\"\\x\""), "line 1"},
    {TEXT("tru"), "line 1"},
    {TEXT("{\"\x7f\x01"), "line 1"},
};

START_TEST(refuses)
{
    char reason[256] = "";
    json_t *value = doip_json_parse(refused[_i].text, refused[_i].length, reason, sizeof reason);

    ck_assert_msg(value == NULL, "accepted: %s", refused[_i].text);
    ck_assert_msg(strstr(reason, refused[_i].reason) != NULL, "%s: %s", refused[_i].text, reason);
    for (const char *at = reason; *at != '\0'; at++)
        ck_assert_msg((unsigned char)*at >= 0x20 && *at != 0x7f, "%s", reason);
}
END_TEST

/* What goes in, and what the writer makes of it again. */
static const struct {
    const char *in;
    const char *out;
} kept[] = {
    {"null", "null"},
    {" [ true , false ] ", "[true,false]"},
    {"\"\"", "\"\""},
    {"{}", "{}"},
    {"{\"\":[]}", "{\"\":[]}"},
    {"{\"z\":1,\"a\":{\"y\":2,\"b\":3}}", "{\"z\":1,\"a\":{\"y\":2,\"b\":3}}"},
    {"0", "0"},
    {"-0", "0"},
    {"-0.0", "-0.0"},
    {"1.0", "1.0"},
    {"1", "1"},
    {"9223372036854775807", "9223372036854775807"},
    {"-9223372036854775808", "-9223372036854775808"},
    {"1E5", "100000.0"},
    {"0.1", "0.1"},
    {"1e21", "1e21"},
    {"1e16", "1e16"},
    {"1e15", "1000000000000000.0"},
    {"123456789.125", "123456789.125"},
    {"0.0001", "0.0001"},
    {"0.00001", "1e-5"},
    {"5e-324", "5e-324"},
    {"1e-400", "0.0"},
    {"5.6843418860808015e-14", "5.684341886080802e-14"},
    {"1.7976931348623157e308", "1.7976931348623157e308"},
    {"2.2250738585072014e-308", "2.2250738585072014e-308"},
    {"9007199254740993.0", "9007199254740992.0"},
    {"0.30000000000000004", "0.30000000000000004"},
    {"\"\\u00e9\\ud83d\\ude00\\u20ac\"", "\"\xc3\xa9\xf0\x9f\x98\x80\xe2\x82\xac\""},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\""},
    {"\"\\u0001\\u001f\\u007f\"", "\"\\u0001\\u001F\x7f\""},
    {"{\"a\\n\":1}", "{\"a\\n\":1}"},
    {"[\r\n\t1\n]", "[1]"},
};

static void
assert_text(const json_t *value, const char *due)
{
    size_t length = 0;
    char *text = doip_json_text(value, &length);

    ck_assert_ptr_nonnull(text);
    ck_assert_str_eq(text, due);
    ck_assert_uint_eq(length, strlen(due));
    free(text);
}

START_TEST(keeps)
{
    char reason[256] = "";
    json_t *value = doip_json_parse(kept[_i].in, strlen(kept[_i].in), reason, sizeof reason);

    ck_assert_msg(value != NULL, "%s: %s", kept[_i].in, reason);
    assert_text(value, kept[_i].out);
    json_decref(value);
}
END_TEST

static char *
nested(size_t depth)
{
    char *text = malloc(2 * depth + 1);

    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    text[2 * depth] = '\0';
    return text;
}

START_TEST(bounds_depth)
{
    char reason[256] = "";
    char *text = nested(2048);
    json_t *value = doip_json_parse(text, strlen(text), reason, sizeof reason);

    ck_assert_msg(value != NULL, "%s", reason);
    assert_text(value, text);
    json_decref(value);
    free(text);
    text = nested(2049);
    ck_assert_ptr_null(doip_json_parse(text, strlen(text), reason, sizeof reason));
    ck_assert_ptr_nonnull(strstr(reason, "depth"));
    free(text);
}
END_TEST

START_TEST(fits_the_reason)
{
    for (size_t size = 0; size < 60; size++) {
        char reason[64];

        memset(reason, 'x', sizeof reason);
        ck_assert_ptr_null(doip_json_parse(TEXT("[\"\xc3\xa9\xc3\xa9\", \xc3\xa9"), reason, size));
        ck_assert_int_eq(reason[size], 'x');
        if (size > 0)
            ck_assert_uint_lt(strlen(reason), size);
    }
}
END_TEST

/* ------------------------------------------------------------------ writing */

struct pieces {
    size_t count;
    size_t total;
    size_t largest;
    size_t stop_at;
};

static int
count_piece(const char *text, size_t length, void *closure)
{
    struct pieces *pieces = closure;

    (void)text;
    pieces->count++;
    pieces->total += length;
    if (length > pieces->largest)
        pieces->largest = length;
    return pieces->count == pieces->stop_at ? 77 : 0;
}

START_TEST(writes_in_pieces)
{
    struct pieces pieces = {0};
    json_t *array = json_array();

    for (int i = 0; i < 10000; i++)
        json_array_append_new(array, json_string("0123456789abcdef\n"));
    ck_assert_int_eq(doip_json_write(array, count_piece, &pieces), 0);
    ck_assert_uint_eq(pieces.total, 10000 * 21 + 1);
    ck_assert_uint_le(pieces.largest, 512);
    pieces = (struct pieces){.stop_at = 3};
    ck_assert_int_eq(doip_json_write(array, count_piece, &pieces), 77);
    ck_assert_uint_eq(pieces.count, 3);
    json_decref(array);
}
END_TEST

/* Strings of every length around the piece's size, with an escape and a character of several bytes
 * at each place. */
START_TEST(splits_anywhere)
{
    for (size_t before = 480; before < 540; before++) {
        char in[600];
        char *text;
        json_t *value;
        json_t *again;

        memset(in, 'a', before);
        strcpy(in + before, "\n\xf0\x9f\x98\x80\x01z");
        value = json_string(in);
        text = doip_json_text(value, NULL);
        again = doip_json_parse(text, strlen(text), NULL, 0);
        ck_assert(json_equal(value, again));
        json_decref(value);
        json_decref(again);
        free(text);
    }
}
END_TEST

static json_t *
deep(int depth)
{
    json_t *value = json_array();

    while (--depth > 0) {
        json_t *outer = json_array();
        json_array_append_new(outer, value);
        value = outer;
    }
    return value;
}

START_TEST(refuses_to_write)
{
    struct pieces pieces = {0};
    json_t *inner = json_array();
    json_t *outer = json_array();
    json_t *bad = json_string_nocheck("a\xff");
    json_t *bad_key = json_object();
    json_t *value;

    ck_assert_int_eq(doip_json_write(NULL, count_piece, &pieces), DOIP_E_CONTENT);
    ck_assert_int_eq(doip_json_write(bad, count_piece, &pieces), DOIP_E_CONTENT);
    ck_assert_ptr_null(doip_json_text(bad, NULL));
    json_object_set_new_nocheck(bad_key, "\xed\xa0\x80", json_null());
    ck_assert_ptr_null(doip_json_text(bad_key, NULL));
    json_array_append(inner, outer);
    json_array_append(outer, inner);
    ck_assert_int_eq(doip_json_write(outer, count_piece, &pieces), DOIP_E_CONTENT);
    json_array_clear(inner);
    value = deep(4096);
    ck_assert_int_eq(doip_json_write(value, count_piece, &pieces), 0);
    json_decref(value);
    value = deep(4097);
    ck_assert_int_eq(doip_json_write(value, count_piece, &pieces), DOIP_E_CONTENT);
    json_decref(value);
    json_decref(inner);
    json_decref(outer);
    json_decref(bad);
    json_decref(bad_key);
}
END_TEST

START_TEST(writes_nul_as_an_escape)
{
    json_t *value = json_stringn("a\0b", 3);

    assert_text(value, "\"a\\u0000b\"");
    json_decref(value);
}
END_TEST

static int
collect(const char *text, size_t length, void *closure)
{
    strncat(closure, text, length);
    return 0;
}

/* Without a value, as with one. */
START_TEST(writes_strings)
{
    static const char *const strings[] = {"", "plain", "a\"b\\c\n\x01", "\xc3\xbc\xf0\x9f\x98\x80",
                                          "0123456789abcdef0123456789abcdef\""};
    char written[200];

    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
        json_t *value = json_string(strings[i]);

        *written = '\0';
        ck_assert_int_eq(doip_json_write_string(strings[i], strlen(strings[i]), collect, written),
                         0);
        assert_text(value, written);
        json_decref(value);
    }
    ck_assert_int_eq(doip_json_write_string("a\xff", 2, collect, written), DOIP_E_CONTENT);
}
END_TEST

/* ------------------------------------------------------------------ reals */

static double
read_real(const char *text)
{
    json_t *value = doip_json_parse(text, strlen(text), NULL, 0);
    double real;

    ck_assert_msg(json_is_real(value), "%s is no real", text);
    real = json_real_value(value);
    json_decref(value);
    return real;
}

static void
assert_real_kept(double real)
{
    json_t *value = json_real(real);
    char *text = doip_json_text(value, NULL);

    ck_assert_msg(read_real(text) == real, "%s is not %.17g", text, real);
    ck_assert_uint_lt(strlen(text), 25);
    json_decref(value);
    free(text);
}

/* A cheap generator: the same numbers on every run. */
static uint64_t
next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

START_TEST(keeps_every_real)
{
    uint64_t state = 88172645463325252u;

    for (int exponent = DBL_MIN_EXP - DBL_MANT_DIG; exponent < DBL_MAX_EXP; exponent++) {
        assert_real_kept(ldexp(1.0, exponent));
        assert_real_kept(-nextafter(ldexp(1.0, exponent), 0));
        assert_real_kept(nextafter(ldexp(1.0, exponent), INFINITY));
    }
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = next_random(&state);
        double real;

        memcpy(&real, &bits, sizeof real);
        if (isfinite(real))
            assert_real_kept(real);
    }
}
END_TEST

START_TEST(ignores_the_locale)
{
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE.utf8", "ps_AF.utf8"};
    json_t *value;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (setlocale(LC_ALL, names[i]) != NULL)
            break;
    value = json_pack("[f, f, f]", 0.5, 1234567.25, 1.5e-9);
    assert_text(value, "[0.5,1234567.25,1.5e-9]");
    json_decref(value);
    ck_assert(read_real("0.25") == 0.25);
    setlocale(LC_ALL, "C");
}
END_TEST

/* ------------------------------------------------------------------ texts of unknown origin */

static const struct {
    const char *in;
    const char *out;
} texts[] = {
    {"", ""},
    {"plain", "plain"},
    {"\xc3\xa9", "\xc3\xa9"},
    {"a\xffz", "a?z"},
    {"a\xc3z", "a?z"},
    {"\xe2\x82z", "??z"},
    {"cut \xc3", "cut "},
    {"cut \xe2\x82", "cut "},
    {"cut \xf0\x9f\x98", "cut "},
    {"\x80\x80", "??"},
    {"\xed\xa0\x80", "???"},
    {"\xc0\xaf", "??"},
    {"\xf5\x80\x80\x80", "????"},
    {"line\nfeed", "line\nfeed"},
};

START_TEST(makes_valid)
{
    char text[32];

    strcpy(text, texts[_i].in);
    text_make_valid(text);
    ck_assert_str_eq(text, texts[_i].out);
}
END_TEST

START_TEST(makes_printable)
{
    char text[] = "a\n\t\x7f\x01\xc3\xa9\xff";

    text_make_printable(text);
    ck_assert_str_eq(text, "a????\xc3\xa9?");
}
END_TEST

#define COUNT(table) (int)(sizeof(table) / sizeof *(table))

static const struct {
    const char *text;
    unsigned depth;
} depths[] = {
    {"", 0},
    {"5", 0},
    {"{}", 1},
    {"[[],[[]],{}]", 3},
    {"{\"a\":[{\"b\":1}]}", 3},
    {"\"[[[[\"", 0},
    {"[\"\\\"[[[\", [\"]\"]]", 2},
    {"[\"\\\\\",[1]]", 2},
    {"]]]][", 1},
    {"[\"[\\", 1},
};

START_TEST(test_depth)
{
    ck_assert_uint_eq(doip_json_depth(depths[_i].text, strlen(depths[_i].text)), depths[_i].depth);
}
END_TEST

/* ------------------------------------------------------------------ memory */

static int asked, refused_at, blocks;

static void *
refuse_one(size_t size)
{
    if (asked++ == refused_at)
        return NULL;
    blocks++;
    return malloc(size);
}

static void
take_back(void *block)
{
    blocks -= block != NULL;
    free(block);
}

/* Jansson itself would give another value then, or run past the end of its buffer. (What json_plain.c
 * can't have, Jansson may.) */
START_TEST(is_never_wrong_without_memory)
{
    static const char text[] =
        "{\"fifteen chars..\":[\"a string of more than thirty-two bytes\",12345678901234567,"
        "0.12345678901234567,{\"k\":\"0123456789012345678901234567890\",\"another\":[1.5,\"one\"]}]"
        "}";
    char reason[64];
    json_t *whole, *value;
    int refusals = 0;

    json_set_alloc_funcs(refuse_one, take_back);
    refused_at = -1;
    whole = doip_json_parse(text, strlen(text), reason, sizeof reason);
    ck_assert_ptr_nonnull(whole);
    for (refused_at = 0, asked = 0; asked >= refused_at; refused_at++) { /* until none is refused */
        int before = blocks;

        asked = 0;
        errno = 0;
        value = doip_json_parse(text, strlen(text), reason, sizeof reason);
        ck_assert_msg(value == NULL || json_equal(value, whole), "allocation %d", refused_at);
        if (value == NULL) {
            ck_assert_int_eq(errno, ENOMEM);
            ck_assert_str_eq(reason, "memory is short");
            refusals++;
        }
        json_decref(value);
        ck_assert_msg(blocks == before, "allocation %d: %d blocks were lost", refused_at,
                      blocks - before);
    }
    ck_assert_int_ge(refusals, 20);
    json_decref(whole);
}
END_TEST

/* More blocks than there is room for at first: strings with escapes, which Jansson reads, and numbers, whose buffer it gives back. */
START_TEST(loses_nothing_without_memory)
{
    char text[24 * 1000 + 3] = "[", reason[64];
    size_t used = 1;
    int before;

    for (int i = 0; i < 1000; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s{\"\\t%d\":%d.5}",
                                 i == 0 ? "" : ",", i, i);
    strcpy(text + used, "]");
    json_set_alloc_funcs(refuse_one, take_back);
    refused_at = -97;
    do {
        before = blocks;
        asked = 0;
        refused_at += 97;
        json_decref(doip_json_parse(text, strlen(text), reason, sizeof reason));
        ck_assert_msg(blocks == before, "allocation %d: %d blocks were lost", refused_at,
                      blocks - before);
    } while (asked > refused_at); /* one was refused */
    ck_assert_int_ge(refused_at, 4000);
}
END_TEST

/* ------------------------------------------------------------------ compact text */

/* Nothing that is refused passes for compact, but for what only a parser can see. */
START_TEST(refused_is_not_compact)
{
    bool twice =
        strstr(refused[_i].reason, "duplicate") != NULL && strchr(refused[_i].text, ' ') == NULL;

    ck_assert_int_eq(doip_json_is_compact(refused[_i].text, refused[_i].length), twice);
}
END_TEST

/* What is written, and what may be the same but is left to the parser. */
static const struct {
    const char *text;
    bool compact;
} compacts[] = {
    {"{\"z\":[1,-2.5e-10,true,false,null,\"\"],\"a\":{\"y\":{},\"b\":[[]]}}", true},
    {"\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001F\x7f\"", true},
    {"\"\xc3\xa9 and more text \xf0\x9f\x98\x80\xe2\x82\xac than eight bytes\"", true},
    {"{\"a\\n\":1}", true},
    {"100000000000000000", true},
    {"1000000000000000000", false},
    {"1e99", true},
    {"1e308", false},
    {"\"\\u00e9\"", false},
    {"\"\\u001f\"", false},
    {"\"\\u0020\"", false},
    {"\"\\u0000\"", false},
    {"\"\\u00", false},
    {"\"\\", false},
    {"\"\\x\"", false},
    {"\"", false},
    {"[1, 2]", false},
    {"{\"a\" :1}", false},
    {"{\"a\":1,}", false},
    {"{\"a\":1", false},
    {"{\"a\"}", false},
    {"{\"a\":}", false},
    {"{1:1}", false},
    {"[1}", false},
    {"[", false},
    {"-", false},
    {"-01", false},
    {"1e", false},
    {"1e+", false},
    {"1.e1", false},
    {"nul", false},
    {"truely", false},
    {"1\n", false},
    {" 1", false},
};

START_TEST(knows_what_is_compact)
{
    size_t length = strlen(compacts[_i].text);

    ck_assert_int_eq(doip_json_is_compact(compacts[_i].text, length), compacts[_i].compact);
    /* No part of an object, an array or a string is one. */
    for (size_t part = 0; strchr("{[\"", *compacts[_i].text) != NULL && part < length; part++)
        ck_assert(!doip_json_is_compact(compacts[_i].text, part));
}
END_TEST

START_TEST(compact_is_bounded_in_depth)
{
    char *deepest = nested(DOIP_JSON_DEPTH_MOST), *deeper = nested(DOIP_JSON_DEPTH_MOST + 1);

    ck_assert(doip_json_is_compact(deepest, strlen(deepest)));
    ck_assert(!doip_json_is_compact(deeper, strlen(deeper)));
    free(deepest);
    free(deeper);
}
END_TEST

static Suite *
suite(void)
{
    Suite *all = suite_create("json");
    TCase *parse = tcase_create("parse");
    TCase *write = tcase_create("write");

    tcase_add_loop_test(parse, refuses, 0, COUNT(refused));
    tcase_add_loop_test(parse, test_depth, 0, (int)(sizeof depths / sizeof *depths));
    tcase_add_loop_test(parse, keeps, 0, COUNT(kept));
    tcase_add_test(parse, bounds_depth);
    tcase_add_loop_test(parse, refused_is_not_compact, 0, COUNT(refused));
    tcase_add_loop_test(parse, knows_what_is_compact, 0, COUNT(compacts));
    tcase_add_test(parse, compact_is_bounded_in_depth);
    tcase_add_test(parse, loses_nothing_without_memory);
    tcase_add_test(parse, fits_the_reason);
    tcase_add_loop_test(parse, makes_valid, 0, COUNT(texts));
    tcase_add_test(parse, makes_printable);
    tcase_add_test(parse, is_never_wrong_without_memory);
    tcase_add_test(write, writes_in_pieces);
    tcase_add_test(write, splits_anywhere);
    tcase_add_test(write, refuses_to_write);
    tcase_add_test(write, writes_nul_as_an_escape);
    tcase_add_test(write, writes_strings);
    tcase_add_test(write, keeps_every_real);
    tcase_add_test(write, ignores_the_locale);
    tcase_set_timeout(write, 60);
    suite_add_tcase(all, parse);
    suite_add_tcase(all, write);
    return all;
}

UNIT_MAIN(suite)
