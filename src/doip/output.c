/*
 * What commands print. Readable text is a tree: `name: value`, lists with dashes; a list of plain
 * values stands one per line, so that ids and operations can be piped on. Called by the commands,
 * on stdout; and the program's voice, on stderr.
 */
#include "output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <doip/json.h>

#include "doip.h"
#include "terminal.h"

int
complain(int status, const char *format, ...)
{
    va_list arguments;
    char *text = NULL;
    int length;

    va_start(arguments, format);
    length = vasprintf(&text, format, arguments);
    va_end(arguments);
    fputs("doip: ", stderr);
    if (length >= 0)
        terminal_write(stderr, text, (size_t)length, "\n", false);
    fputc('\n', stderr);
    free(text);
    return status;
}

/* ------------------------------------------------------------------ readable text */

static bool
output_is_leaf(const json_t *value)
{
    return json_is_object(value) ? json_object_size(value) == 0 : json_array_size(value) == 0;
}

static void
output_leaf(const json_t *value)
{
    size_t length;
    char *text;

    if (json_is_string(value)) {
        terminal_write(stdout, json_string_value(value), json_string_length(value), "", false);
        return;
    }
    text = doip_json_text(value, &length);
    if (text != NULL)
        terminal_write_json(stdout, text, length);
    free(text);
}

static void output_tree(const json_t *value, int indent, bool inside);

/* A member of an object or a list, after its name or dash. */
static void
output_member(const json_t *value, int indent, bool dash)
{
    if (output_is_leaf(value)) {
        putchar(' ');
        output_leaf(value);
        putchar('\n');
    } else if (dash) {
        putchar(' ');
        output_tree(value, indent, true);
    } else {
        putchar('\n');
        output_tree(value, indent, false);
    }
}

static void
output_object(const json_t *object, int indent, bool inside)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)object, key, value)
    {
        if (!inside)
            printf("%*s", indent, "");
        inside = false;
        terminal_write(stdout, key, strlen(key), "", false);
        putchar(':');
        output_member(value, indent + 2, false);
    }
}

static void
output_array(const json_t *array, int indent, bool inside)
{
    const json_t *value;
    size_t index;

    json_array_foreach(array, index, value)
    {
        if (!inside)
            printf("%*s", indent, "");
        inside = false;
        putchar('-');
        output_member(value, indent + 2, true);
    }
}

/* `inside`: the line has begun already, with the dash of a list. */
static void
output_tree(const json_t *value, int indent, bool inside)
{
    if (output_is_leaf(value)) {
        output_leaf(value);
        putchar('\n');
    } else if (json_is_object(value)) {
        output_object(value, indent, inside);
    } else {
        output_array(value, indent, inside);
    }
}

/* The outermost list needs no dashes: one line for each plain value, an empty line between objects.
 */
static void
output_list(const json_t *array)
{
    const json_t *value;
    size_t index;

    json_array_foreach(array, index, value)
    {
        if (index > 0 && !output_is_leaf(value))
            putchar('\n');
        output_tree(value, 0, false);
    }
}

void
output_value(const json_t *value, bool json)
{
    size_t length;
    char *text;

    if (!json && json_is_array(value)) {
        output_list(value);
    } else if (!json) {
        output_tree(value, 0, false);
    } else if ((text = doip_json_text(value, &length)) != NULL) {
        terminal_write_json(stdout, text, length);
        putchar('\n');
        free(text);
    }
}

int
output_end(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    return complain(EXIT_USAGE, "cannot write to standard output: %s", strerror(errno));
}
