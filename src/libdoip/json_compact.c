/*
 * JSON text that needs no parsing: whether a text is such as json_write.c writes. Texts that were
 * kept are told from damaged ones so, at a twentieth of the cost of making a tree of them and
 * writing that again. Used by doip_respond_text() and by handlers; pure functions, any thread.
 */
#include <doip/json.h>
#include <stdint.h>
#include <string.h>

#include "text.h"

/* Numbers of more digits may be too big to be kept: the parser knows. */
enum { DIGITS_MOST = 18, EXPONENT_MOST = 2 };

static bool
is_upper_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
}

/* Each of these gives what follows the piece that begins at `at`, or NULL where that is none. */

static const char *
after_escape(const char *at, const char *end)
{
    if (end - at < 2 || *at != '\\')
        return NULL;
    if (at[1] != 'u')
        return strchr("\"\\bfnrt", at[1]) != NULL && at[1] != '\0' ? at + 2 : NULL;
    /* Only control characters need it, and a NUL can't be kept. */
    if (end - at < 6 || memcmp(at + 2, "00", 2) != 0 || (at[4] != '0' && at[4] != '1') ||
        !is_upper_hex(at[5]) || memcmp(at + 4, "00", 2) == 0)
        return NULL;
    return at + 6;
}

/* The same for a string from a byte on that is not plain. */
static const char *
after_odd(const char *at, const char *end)
{
    bool valid = true;

    while (at != NULL && valid) {
        at += text_run(at, (size_t)(end - at), &valid);
        if (at < end && *at == '"')
            return at + 1;
        at = after_escape(at, end);
    }
    return NULL;
}

static const char *
after_string(const char *at, const char *end)
{
    if (at == end || *at != '"')
        return NULL;
    at++;
    at += text_plain(at, (size_t)(end - at));
    return at < end && *at == '"' ? at + 1 : after_odd(at, end);
}

/* Past at least one digit, and at most so many. */
static const char *
after_digits(const char *at, const char *end, int most)
{
    const char *start = at;

    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at > start && at - start <= most ? at : NULL;
}

static const char *
after_number(const char *at, const char *end)
{
    if (*at == '-')
        at++;
    if (end - at > 1 && at[0] == '0' && at[1] >= '0' && at[1] <= '9')
        return NULL;
    at = after_digits(at, end, DIGITS_MOST);
    if (at != NULL && at < end && *at == '.')
        at = after_digits(at + 1, end, INT32_MAX);
    if (at != NULL && at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        at = after_digits(at, end, EXPONENT_MOST);
    }
    return at;
}

static const char *
after_word(const char *at, const char *end, const char *word)
{
    size_t length = strlen(word);

    return (size_t)(end - at) >= length && memcmp(at, word, length) == 0 ? at + length : NULL;
}

static const char *after_value(const char *at, const char *end, int depth);

/* An array or an object; `at` is its bracket. */
static const char *
after_list(const char *at, const char *end, int depth)
{
    char close = *at++ == '{' ? '}' : ']';

    if (at < end && *at == close)
        return at + 1;
    for (;;) {
        if (close == '}' && ((at = after_string(at, end)) == NULL || at == end || *at++ != ':'))
            return NULL;
        at = after_value(at, end, depth);
        if (at == NULL || at == end)
            return NULL;
        if (*at == close)
            return at + 1;
        if (*at++ != ',')
            return NULL;
    }
}

static const char *
after_value(const char *at, const char *end, int depth)
{
    if (at == end || depth > DOIP_JSON_DEPTH_MOST)
        return NULL;
    switch (*at) {
    case '{':
    case '[':
        return after_list(at, end, depth + 1);
    case '"':
        return after_string(at, end);
    case 't':
        return after_word(at, end, "true");
    case 'f':
        return after_word(at, end, "false");
    case 'n':
        return after_word(at, end, "null");
    default:
        return after_number(at, end);
    }
}

bool
doip_json_is_compact(const char *text, size_t length)
{
    return after_value(text, text + length, 1) == text + length;
}
