/*
 * The text of an object for the full-text index (words.h). Pure, any thread.
 */
#include "words.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
words_add(FILE *file, const char *text)
{
    if (*text != '\0')
        fprintf(file, "%s" WORDS_BETWEEN, text);
}

/* The parser of what clients send bounds the depth. */
static void
words_value(FILE *file, const json_t *value)
{
    const char *key;
    json_t *member;
    size_t i;

    switch (json_typeof(value)) {
    case JSON_OBJECT:
        json_object_foreach((json_t *)value, key, member) words_value(file, member);
        break;
    case JSON_ARRAY:
        json_array_foreach(value, i, member) words_value(file, member);
        break;
    case JSON_STRING:
        words_add(file, json_string_value(value));
        break;
    case JSON_INTEGER:
        fprintf(file, "%" JSON_INTEGER_FORMAT WORDS_BETWEEN, json_integer_value(value));
        break;
    case JSON_REAL:
        fprintf(file, "%.15g" WORDS_BETWEEN, json_real_value(value));
        break;
    default:
        break;
    }
}

char *
words_text(const char *id, const char *type, const json_t *attributes)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    if (file == NULL)
        return NULL;
    words_add(file, id);
    words_add(file, type);
    if (attributes != NULL)
        words_value(file, attributes);
    if (fclose(file) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
