/*
 * The walk over the values in an object's attributes (words.h). Any thread.
 */
#include <stdlib.h>
#include <string.h>

#include "words.h"

/* A pointer that grows and shrinks on the way. */
struct walk {
    char *pointer;
    size_t length;
    size_t size;
    bool (*found)(const struct field_value *field, void *closure);
    void *closure;
};

static bool walk_value(struct walk *walk, const json_t *value);

static bool
walk_push(struct walk *walk, const char *name)
{
    size_t need = walk->length + 2 * strlen(name) + 2; /* each character may need an escape */
    char *next;

    if (need > walk->size) {
        char *grown = realloc(walk->pointer, need * 2);

        if (grown == NULL)
            return false;
        walk->pointer = grown;
        walk->size = need * 2;
    }
    next = walk->pointer + walk->length;
    *next++ = '/'; /* NOLINT(clang-analyzer-core.NullDereference) -fanalyzer: need is not 0, so there is room by now */
    for (const char *c = name; *c != '\0'; c++) {
        if (*c == '~' || *c == '/') {
            *next++ = '~';
            *next++ = *c == '~' ? '0' : '1';
        } else {
            *next++ = *c;
        }
    }
    *next = '\0';
    walk->length = (size_t)(next - walk->pointer);
    return true;
}

static bool
walk_member(struct walk *walk, const char *name, const json_t *value)
{
    size_t length = walk->length;
    bool good = walk_push(walk, name) && walk_value(walk, value);

    walk->length = length;
    if (walk->pointer != NULL)
        walk->pointer[length] = '\0';
    return good;
}

/* The parser of what clients send bounds the depth. */
static bool
walk_value(struct walk *walk, const json_t *value)
{
    struct field_value field = {walk->pointer, value};
    const char *key;
    json_t *member;
    size_t i;
    bool good = true;

    if (json_is_object(value)) {
        json_object_foreach((json_t *)value, key, member) good =
            good && walk_member(walk, key, member);
    } else if (json_is_array(value)) {
        json_array_foreach(value, i, member) good = good && walk_member(walk, "_", member);
    } else if (!json_is_null(value)) {
        good = walk->found(&field, walk->closure);
    }
    return good;
}

bool
fields_walk(const json_t *attributes, bool (*found)(const struct field_value *field, void *closure),
            void *closure)
{
    struct walk walk = {.found = found, .closure = closure};
    const char *key;
    json_t *member;
    bool good = true;

    json_object_foreach((json_t *)attributes, key, member) good =
        good && walk_member(&walk, key, member);
    free(walk.pointer);
    return good;
}
