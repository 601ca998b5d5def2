/*
 * JSON read strictly (protocol section 3): what can't be kept faithfully is refused. What is
 * plain, json_plain.c takes; Jansson does the rest, and this file chooses its flags and turns its
 * errors into reasons. Used by the message layer, handlers and the client; any thread.
 */
#include <doip/json.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "json_memory.h"
#include "json_plain.h"
#include "text.h"

/* Says that there is a NUL at `nul`. */
static void
refuse_nul(const char *text, const char *nul, char *reason, size_t size)
{
    const char *line = text;
    const char *newline;
    int lines = 1;

    while ((newline = memchr(line, '\n', (size_t)(nul - line))) != NULL) {
        line = newline + 1;
        lines++;
    }
    snprintf(reason, size, "line %d, column %d: NUL byte", lines, (int)(nul - line) + 1);
}

/* ------------------------------------------------------------------ Jansson */

struct loading {
    const char *text;
    size_t length;
    json_t *value;
    json_error_t error;
};

/* Without JSON_ALLOW_NUL, \u0000 is refused; integers, reals, UTF-8 and depth it always checks. */
static void
load(void *closure)
{
    struct loading *loading = closure;

    loading->value = json_loadb(loading->text, loading->length,
                                JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &loading->error);
}

/* ------------------------------------------------------------------ parsing */

json_t *
doip_json_parse(const char *text, size_t length, char *reason, size_t size)
{
    json_t *value = json_plain_read(text, length);
    struct loading loading = {.text = text, .length = length};
    json_error_t *error = &loading.error;
    const char *nul;

    if (value != NULL)
        return value;
    /* Jansson 2.14 overlooks a NUL after a number: it can't push one back. */
    nul = memchr(text, '\0', length);
    if (nul != NULL) {
        refuse_nul(text, nul, reason, size);
        errno = EINVAL;
        return NULL;
    }
    if (!json_memory_watch(load, &loading)) {
        snprintf(reason, size, "memory is short");
        errno = ENOMEM;
        return NULL;
    }
    if (loading.value == NULL && size > 0) {
        /* Jansson quotes what it stumbled over, and may cut it anywhere. */
        text_make_printable(error->text);
        if (error->line > 0)
            snprintf(reason, size, "line %d, column %d: %s", error->line, error->column,
                     error->text);
        else
            snprintf(reason, size, "%s", error->text);
        text_make_valid(reason);
    }
    if (loading.value == NULL)
        errno = EINVAL;
    return loading.value;
}

/* Past the end of a string that begins at `at`, a quote. */
static const char *
after_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\')
            at++;
    return at < end ? at + 1 : end;
}

unsigned
doip_json_depth(const char *text, size_t length)
{
    const char *at = text, *end = text + length;
    unsigned depth = 0, deepest = 0;

    while (at < end) {
        if (*at == '"') {
            at = after_string(at, end);
            continue;
        }
        if (*at == '[' || *at == '{')
            depth++;
        else if ((*at == ']' || *at == '}') && depth > 0)
            depth--;
        if (depth > deepest)
            deepest = depth;
        at++;
    }
    return deepest;
}
