/*
 * The quick way to read plain JSON (json_plain.c) beside Jansson: whatever the text is, doip_json_parse() gives the value, or the reason, that
 * Jansson alone would have given.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <doip/json.h>

#include "json_plain.h"
#include "text.h"
#include "unit.h"

#define TEXT(text) text, sizeof(text) - 1
#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

/* Whether the quick way takes it; it need not, but that is what it is for. */
static const struct {
    const char *text;
    size_t length;
    bool plain;
} texts[] = {
    {TEXT(
         "{\"requestId\":\"1\",\"targetId\":\"35.TEST/DOIP\",\"operationId\":\"0.DOIP/Op.Hello\"}"),
     true},
    {TEXT(" {\r\n\t\"a\" : [ 1 , -2 , true , false , null , { } , [ ] ] }\n"), true},
    {TEXT("{\"\":\"\",\"z\":0,\"y\":-0,\"x\":999999999999999999}"), true},
    {TEXT("\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80 and more\""), true},
    {TEXT("{\"\xc3\xa4\":1,\"\x7f\":2}"), true},
    {TEXT("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"), true},
    {TEXT("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"), false},
    {TEXT("{\"a\":{\"b\":1,\"b\":2}}"), false},
    {TEXT("{\"\xc3\xa4\":1,\"\xc3\xa4\":1}"), false},
    {TEXT("[1000000000000000000,9223372036854775807]"), false},
    {TEXT("9223372036854775808"), false},
    {TEXT("[1.5,1e3,\"\\u00e9\\n\"]"), false},
    {TEXT("\"\xff\""), false},
    {TEXT("{\"\xc0\x80\":1}"), false},
    {TEXT("\"\xed\xa0\x80\""), false},
    {TEXT("\"a\0b\""), false},
    {TEXT("1\0"), false},
    {TEXT("01"), false},
    {TEXT("-"), false},
    {TEXT("truex"), false},
    {TEXT("tru"), false},
    {TEXT("[1,]"), false},
    {TEXT("[1 2]"), false},
    {TEXT("{\"a\"}"), false},
    {TEXT("{\"a\":1,}"), false},
    {TEXT("{1:2}"), false},
    {TEXT("{\"a\":1]"), false},
    {TEXT("\"a"), false},
    {TEXT("{} {}"), false},
    {TEXT("\xef\xbb\xbf{}"), false},
    {TEXT("\v1"), false},
    {TEXT(" "), false},
    {TEXT(""), false},
};

/* Compares with what Jansson gives: the same value with keys in the same order, or none at all. Its reasons are doip_json_parse()'s only source. */
static void
assert_as_jansson(const char *text, size_t length)
{
    bool has_nul = memchr(text, '\0', length) != NULL;
    json_t *due =
        has_nul ? NULL : json_loadb(text, length, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    json_t *plain = json_plain_read(text, length);
    char *due_text = json_dumps(due, JSON_ENCODE_ANY),
         *plain_text = json_dumps(plain, JSON_ENCODE_ANY);

    if (plain != NULL) {
        ck_assert_msg(due != NULL, "only the quick way takes %.*s", (int)length, text);
        ck_assert_int_eq(json_equal(plain, due), 1);
        ck_assert_str_eq(plain_text, due_text);
    }
    free(due_text);
    free(plain_text);
    json_decref(due);
    json_decref(plain);
}

START_TEST(takes_what_is_plain)
{
    json_t *plain = json_plain_read(texts[_i].text, texts[_i].length);

    ck_assert_msg((plain != NULL) == texts[_i].plain, "%s", texts[_i].text);
    json_decref(plain);
    assert_as_jansson(texts[_i].text, texts[_i].length);
}
END_TEST

/* Every text cut everywhere. The copy has no byte to spare, so that a sanitizer sees a read beyond it. */
START_TEST(reads_no_further)
{
    for (size_t length = 0; length <= texts[_i].length; length++) {
        char *copy = malloc(length + (length == 0));

        memcpy(copy, texts[_i].text, length);
        assert_as_jansson(copy, length);
        free(copy);
    }
}
END_TEST

/* Texts with some bytes replaced by others that mean something, or by any. */
START_TEST(agrees_on_broken_texts)
{
    static const char telling[] = "{}[]\",:\\ \n-0123.eEtfnu\x80\xc3\xff\x01";
    unsigned seed = (unsigned)_i + 1;
    size_t length = texts[_i].length;
    char copy[256];

    for (int round = 0; length > 0 && round < 4000; round++) {
        memcpy(copy, texts[_i].text, length);
        for (int changes = 1 + rand_r(&seed) % 3; changes > 0; changes--) {
            int byte = rand_r(&seed) % 8 == 0 ? rand_r(&seed) % 256
                                              : telling[rand_r(&seed) % (sizeof telling - 1)];

            copy[(size_t)rand_r(&seed) % length] = (char)byte;
        }
        assert_as_jansson(copy, length);
    }
}
END_TEST

/* What json_plain_members() takes is an object to Jansson, too, with the same members. */
START_TEST(agrees_on_members)
{
    struct json_plain_member members[4];
    int count = json_plain_members(texts[_i].text, texts[_i].length, members, 4);
    json_t *due = json_loadb(texts[_i].text, texts[_i].length, 0, NULL);

    ck_assert_int_eq(count >= 0, _i == 0);
    for (int i = 0; i < count; i++) {
        json_t *value = json_object_getn(due, members[i].key, members[i].key_length);

        ck_assert_uint_eq(json_string_length(value), members[i].length);
        ck_assert_int_eq(memcmp(json_string_value(value), members[i].value, members[i].length), 0);
    }
    ck_assert_int_eq(count >= 0 && count != (int)json_object_size(due), 0);
    ck_assert_int_eq(json_plain_members(texts[_i].text, texts[_i].length, members, 2), -1);
    json_decref(due);
}
END_TEST

/* What all strings go through, in both directions: each byte ends the run or not, wherever it stands and however long the text is. */
START_TEST(knows_plain_bytes)
{
    bool plain = _i >= 0x20 && _i < 0x80 && _i != '"' && _i != '\\';

    for (size_t length = 1; length <= 40; length++)
        for (size_t at = 0; at < length; at++) {
            char *text = malloc(length);

            memset(text, 'x', length);
            text[at] = (char)_i;
            ck_assert_uint_eq(text_plain(text, length), plain ? length : at);
            free(text);
        }
}
END_TEST

static Suite *
suite(void)
{
    Suite *all = suite_create("json_plain");
    TCase *plain = tcase_create("plain");

    tcase_add_loop_test(plain, takes_what_is_plain, 0, COUNT(texts));
    tcase_add_loop_test(plain, reads_no_further, 0, COUNT(texts));
    tcase_add_loop_test(plain, agrees_on_broken_texts, 0, COUNT(texts));
    tcase_add_loop_test(plain, agrees_on_members, 0, COUNT(texts));
    tcase_add_loop_test(plain, knows_plain_bytes, 0, 256);
    suite_add_tcase(all, plain);
    return all;
}

UNIT_MAIN(suite)
