/*
 * JSON read without Jansson's lexer, which spends some eighty instructions on each byte: a fifth of all that a small request cost. Called by
 * json_parse.c for each text before Jansson is; pure, any thread.
 *
 * This takes a part of what Jansson takes (strings without escapes, integers of up to 18 digits, few levels), and makes the same values of it by
 * Jansson's own constructors, or none where only strings are wanted. For whatever is unusual, or wrong, or too much for memory, it gives up: so what is refused, and with which words, is settled
 * in one place, by Jansson.
 */
#include <stdbool.h>
#include <string.h>

#include "json_plain.h"
#include "text.h"

enum {
    LEVELS = 32,
    DIGITS = 18, /* fewer than the largest 64-bit integer has */
};

/* What is left to be read. */
struct rest {
    const char *at;
    const char *end;
};

static json_t *read_value(struct rest *rest, int levels);

static bool
is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static void
skip_blanks(struct rest *rest)
{
    while (rest->at < rest->end && is_blank(*rest->at))
        rest->at++;
}

/* Past `due` and the blanks before it; false where something else comes. */
static bool
skip(struct rest *rest, char due)
{
    skip_blanks(rest);
    if (rest->at == rest->end || *rest->at != due)
        return false;
    rest->at++;
    return true;
}

/* Past a string whose first quote is behind: its text, or NULL. Of what is not ASCII nothing is known but that. */
static const char *
take_string(struct rest *rest, size_t *length, bool *ascii)
{
    const char *text = rest->at, *at = text;

    *ascii = true;
    for (;;) {
        at += text_plain(at, (size_t)(rest->end - at));
        if (at == rest->end || ((unsigned char)*at < 0x80 && *at != '"'))
            return NULL;
        if (*at == '"')
            break;
        *ascii = false;
        at++;
    }
    *length = (size_t)(at - text);
    rest->at = at + 1;
    return text;
}

/* json_stringn() checks that it is UTF-8, as json_object_setn_new() does with a key. */
static json_t *
read_string(struct rest *rest)
{
    size_t length;
    bool ascii;
    const char *text = take_string(rest, &length, &ascii);

    if (text == NULL)
        return NULL;
    return ascii ? json_stringn_nocheck(text, length) : json_stringn(text, length);
}

/* A key that is there already is for Jansson to complain of. */
static bool
read_member(struct rest *rest, json_t *object, int levels)
{
    size_t length, before = json_object_size(object);
    bool ascii;
    const char *key = skip(rest, '"') ? take_string(rest, &length, &ascii) : NULL;
    json_t *value = key != NULL && skip(rest, ':') ? read_value(rest, levels) : NULL;

    if (value == NULL || (ascii ? json_object_setn_new_nocheck(object, key, length, value)
                                : json_object_setn_new(object, key, length, value)) != 0)
        return false;
    return json_object_size(object) > before;
}

static bool
read_element(struct rest *rest, json_t *array, int levels)
{
    json_t *value = read_value(rest, levels);

    return value != NULL && json_array_append_new(array, value) == 0;
}

/* The rest of an array or object, to its closing bracket. It takes `whole`. */
static json_t *
read_members(struct rest *rest, json_t *whole, char close,
             bool (*read)(struct rest *, json_t *, int), int levels)
{
    bool good = whole != NULL;

    if (good && skip(rest, close))
        return whole;
    do
        good = good && read(rest, whole, levels);
    while (good && skip(rest, ','));
    if (good && skip(rest, close))
        return whole;
    json_decref(whole);
    return NULL;
}

/* What may not follow an integer (another digit after a 0, a point) is found by whoever goes on. */
static json_t *
read_integer(struct rest *rest)
{
    bool negative = *rest->at == '-';
    const char *first = rest->at + negative, *at = first;
    json_int_t value = 0;

    while (at < rest->end && *at >= '0' && *at <= '9' && at - first < DIGITS &&
           (at == first || *first != '0'))
        value = value * 10 + (*at++ - '0');
    rest->at = at;
    return at > first ? json_integer(negative ? -value : value) : NULL;
}

static json_t *
read_word(struct rest *rest, const char *word, size_t length, json_t *value)
{
    if ((size_t)(rest->end - rest->at) < length || memcmp(rest->at, word, length) != 0)
        return NULL;
    rest->at += length;
    return value;
}

static json_t *
read_value(struct rest *rest, int levels)
{
    skip_blanks(rest);
    if (rest->at == rest->end || levels == 0)
        return NULL;
    switch (*rest->at) {
    case '"':
        rest->at++;
        return read_string(rest);
    case '{':
        rest->at++;
        return read_members(rest, json_object(), '}', read_member, levels - 1);
    case '[':
        rest->at++;
        return read_members(rest, json_array(), ']', read_element, levels - 1);
    case 't':
        return read_word(rest, "true", 4, json_true());
    case 'f':
        return read_word(rest, "false", 5, json_false());
    case 'n':
        return read_word(rest, "null", 4, json_null());
    default:
        return read_integer(rest);
    }
}

json_t *
json_plain_read(const char *text, size_t length)
{
    struct rest rest = {.at = text, .end = text + length};
    json_t *value = read_value(&rest, LEVELS);

    skip_blanks(&rest);
    if (rest.at == rest.end)
        return value;
    json_decref(value);
    return NULL;
}

static bool
take_member(struct rest *rest, struct json_plain_member *member)
{
    bool ascii, key_ascii;

    member->key = skip(rest, '"') ? take_string(rest, &member->key_length, &key_ascii) : NULL;
    member->value = member->key != NULL && skip(rest, ':') && skip(rest, '"')
                        ? take_string(rest, &member->length, &ascii)
                        : NULL;
    return member->value != NULL && ascii && key_ascii;
}

int
json_plain_members(const char *text, size_t length, struct json_plain_member *members, int most)
{
    struct rest rest = {.at = text, .end = text + length};
    int count = 0;

    if (!skip(&rest, '{'))
        return -1;
    if (!skip(&rest, '}')) {
        do
            if (count == most || !take_member(&rest, &members[count++]))
                return -1;
        while (skip(&rest, ','));
        if (!skip(&rest, '}'))
            return -1;
    }
    skip_blanks(&rest);
    return rest.at == rest.end ? count : -1;
}
