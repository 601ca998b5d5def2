/*
 * JSON written plainly: compact, on one line, keys in their order, reals in the shortest form that
 * reads back equal. Used by the segment writer for all that leaves, so it is on the path of every
 * answer; any thread.
 *
 * It is our own and not json_dump_callback() because Jansson 2.14 prints reals with %.17g: 0.1
 * would leave as 0.10000000000000001 (protocol section 3 wants what the client sent).
 */
#include <doip/json.h>
#include <doip/stream.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "json_real.h"
#include "text.h"

/* Handlers may nest deeper than the parser allows, or in a circle: then the dump fails here instead
 * of using up the stack. */
#define DEPTH_MAX 4096

#define PIECE 512

struct dump {
    doip_json_sink sink;
    void *closure;
    size_t used;
    char piece[PIECE];
};

static int dump_value(struct dump *dump, const json_t *value, int depth);

static int
dump_flush(struct dump *dump)
{
    size_t used = dump->used;

    dump->used = 0;
    return used > 0 ? dump->sink(dump->piece, used, dump->closure) : 0;
}

static int
dump_text(struct dump *dump, const char *text, size_t length)
{
    while (length > PIECE - dump->used) {
        size_t part = PIECE - dump->used;
        int error;

        memcpy(dump->piece + dump->used, text, part);
        dump->used = PIECE;
        text += part;
        length -= part;
        error = dump_flush(dump);
        if (error != 0)
            return error;
    }
    memcpy(dump->piece + dump->used, text, length);
    dump->used += length;
    return 0;
}

static int
dump_byte(struct dump *dump, char byte)
{
    if (dump->used < PIECE) {
        dump->piece[dump->used++] = byte;
        return 0;
    }
    return dump_text(dump, &byte, 1);
}

/* Writes an escape for a byte that JSON does not allow in a string as it is. */
static int
dump_escape(struct dump *dump, unsigned char byte)
{
    static const char hex[] = "0123456789ABCDEF";
    static const char short_of[0x20] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    char text[6] = {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};

    if (byte >= 0x20)
        text[1] = (char)byte; /* '"' and '\' */
    else if (short_of[byte] != 0)
        text[1] = short_of[byte];
    else
        return dump_text(dump, text, 6);
    return dump_text(dump, text, 2);
}

static int
dump_string(struct dump *dump, const char *text, size_t length)
{
    int error = dump_byte(dump, '"');

    while (error == 0 && length > 0) {
        bool valid = true;
        size_t run = text_run(text, length, &valid);

        error = valid ? dump_text(dump, text, run) : DOIP_E_CONTENT;
        text += run;
        length -= run;
        if (error == 0 && length > 0) {
            error = dump_escape(dump, (unsigned char)*text++);
            length--;
        }
    }
    return error != 0 ? error : dump_byte(dump, '"');
}

static int
dump_integer(struct dump *dump, json_int_t value)
{
    char text[24];
    char *digit = text + sizeof text;
    unsigned long long rest = value < 0 ? 0 - (unsigned long long)value : (unsigned long long)value;

    do {
        *--digit = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        *--digit = '-';
    return dump_text(dump, digit, (size_t)(text + sizeof text - digit));
}

static int
dump_real(struct dump *dump, double value)
{
    char text[JSON_REAL_SIZE];
    size_t length = json_real_text(value, text);

    return length > 0 ? dump_text(dump, text, length) : DOIP_E_CONTENT;
}

static int
dump_array(struct dump *dump, const json_t *array, int depth)
{
    size_t size = json_array_size(array);
    int error = dump_byte(dump, '[');

    for (size_t i = 0; error == 0 && i < size; i++) {
        if (i > 0)
            error = dump_byte(dump, ',');
        if (error == 0)
            error = dump_value(dump, json_array_get(array, i), depth + 1);
    }
    return error != 0 ? error : dump_byte(dump, ']');
}

static int
dump_object(struct dump *dump, const json_t *object, int depth)
{
    /* Jansson's iterators take no const, but change nothing. */
    json_t *map = (json_t *)object;
    void *first = json_object_iter(map);
    int error = dump_byte(dump, '{');

    for (void *at = first; error == 0 && at != NULL; at = json_object_iter_next(map, at)) {
        if (at != first)
            error = dump_byte(dump, ',');
        if (error == 0)
            error = dump_string(dump, json_object_iter_key(at), json_object_iter_key_len(at));
        if (error == 0)
            error = dump_byte(dump, ':');
        if (error == 0)
            error = dump_value(dump, json_object_iter_value(at), depth + 1);
    }
    return error != 0 ? error : dump_byte(dump, '}');
}

static int
dump_value(struct dump *dump, const json_t *value, int depth)
{
    if (value == NULL || depth > DEPTH_MAX)
        return DOIP_E_CONTENT;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return dump_object(dump, value, depth);
    case JSON_ARRAY:
        return dump_array(dump, value, depth);
    case JSON_STRING:
        return dump_string(dump, json_string_value(value), json_string_length(value));
    case JSON_INTEGER:
        return dump_integer(dump, json_integer_value(value));
    case JSON_REAL:
        return dump_real(dump, json_real_value(value));
    case JSON_TRUE:
        return dump_text(dump, "true", 4);
    case JSON_FALSE:
        return dump_text(dump, "false", 5);
    case JSON_NULL:
        return dump_text(dump, "null", 4);
    }
    return DOIP_E_CONTENT;
}

int
doip_json_write(const json_t *value, doip_json_sink sink, void *closure)
{
    struct dump dump;
    int error;

    dump.sink = sink;
    dump.closure = closure;
    dump.used = 0;
    error = dump_value(&dump, value, 1);
    return error != 0 ? error : dump_flush(&dump);
}

int
doip_json_write_string(const char *text, size_t length, doip_json_sink sink, void *closure)
{
    struct dump dump;
    int error;

    dump.sink = sink;
    dump.closure = closure;
    dump.used = 0;
    error = dump_string(&dump, text, length);
    return error != 0 ? error : dump_flush(&dump);
}

struct growing {
    char *text;
    size_t length;
    size_t capacity;
};

static int
grow(const char *text, size_t length, void *closure)
{
    struct growing *growing = closure;

    if (length >= growing->capacity - growing->length) {
        size_t capacity = growing->capacity * 2 + length + 1;
        char *larger = realloc(growing->text, capacity);

        if (larger == NULL)
            return DOIP_E_SYSTEM;
        growing->text = larger;
        growing->capacity = capacity;
    }
    memcpy(growing->text + growing->length, text, length);
    growing->length += length;
    return 0;
}

char *
doip_json_text(const json_t *value, size_t *length)
{
    struct growing growing = {NULL, 0, 0};

    if (doip_json_write(value, grow, &growing) != 0) {
        free(growing.text);
        return NULL;
    }
    growing.text[growing.length] = '\0';
    if (length != NULL)
        *length = growing.length;
    return growing.text;
}
