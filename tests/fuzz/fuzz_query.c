/*
 * Fuzzes the store's query language (libFuzzer, `make fuzz`): the input is a query.
 *
 * The oracle: a tree has no more terms than promised and no field or bound that makes no sense; written out as a query, with
 * everything quoted, it gives the same tree again. What is refused is refused with a place in the query, and a reason that JSON
 * can hold.
 */
#include <stdbool.h>
#include <string.h>

#include <jansson.h>

#include "../unit/unit_query.h"
#include "fuzz.h"
#include "query_impl.h"

enum { TERMS_MOST = 64, DEPTH_MOST = 70 };

/* ------------------------------------------------------------------ a tree as a query */

static void write_query(const struct query *query, FILE *file);

/* A field's name and colon: "/content/x" is said as "/attributes/content/x". */
static void
write_field(const struct query_field *field, FILE *file)
{
    if (field->column == QUERY_ANYWHERE)
        return;
    if (field->column == QUERY_POINTER)
        fputs("/attributes", file);
    for (const char *at = unit_field_name(field); *at != '\0'; at++) {
        if (strchr("\\():[]{}\"^*? \t\n\r~", *at) != NULL)
            fputc('\\', file);
        fputc(*at, file);
    }
    fputc(':', file);
}

/* As a word with everything escaped that could mean something, but for wildcards, which do. */
static void
write_text(const char *text, FILE *file)
{
    if (*text == '\0') {
        fputs("\"\"", file);
        return;
    }
    for (; *text != '\0'; text++) {
        if (*text == QUERY_ANY || *text == QUERY_ONE)
            fputc(*text == QUERY_ANY ? '*' : '?', file);
        else if ((unsigned char)*text < 0x80)
            fprintf(file, "\\%c", *text);
        else
            fputc(*text, file);
    }
}

static void
write_bound(const struct query_bound *bound, FILE *file)
{
    if (bound->text == NULL)
        fputc('*', file);
    else
        write_text(bound->text, file);
}

static void
write_children(const struct query *query, const char *between, FILE *file)
{
    fputc('(', file);
    for (size_t i = 0; i < query->count; i++) {
        fputs(i > 0 ? between : "", file);
        write_query(query->children[i], file);
    }
    fputc(')', file);
}

static void
write_number(const struct query *query, FILE *file)
{
    write_field(&query->field, file);
    fprintf(file, "[\"%lld\" TO \"%lld\"]", (long long)query->from, (long long)query->to);
}

static void
write_leaf(const struct query *query, FILE *file)
{
    write_field(&query->field, file);
    if (query->kind == QUERY_EXISTS) {
        fputc('*', file);
    } else if (query->kind == QUERY_RANGE) {
        fputc(query->low.excluded ? '{' : '[', file);
        write_bound(&query->low, file);
        fputs(" TO ", file);
        write_bound(&query->high, file);
        fputc(query->high.excluded ? '}' : ']', file);
    } else {
        write_text(query->text, file);
    }
}

static void
write_query(const struct query *query, FILE *file)
{
    switch (query->kind) {
    case QUERY_ALL:
        fputs("*:*", file);
        break;
    case QUERY_AND:
        write_children(query, " AND ", file);
        break;
    case QUERY_OR:
        write_children(query, " OR ", file);
        break;
    case QUERY_NOT:
        fputs("NOT ", file);
        write_children(query, "", file);
        break;
    case QUERY_NUMBER:
        write_number(query, file);
        break;
    default:
        write_leaf(query, file);
        break;
    }
}

static char *
query_text(const struct query *query)
{
    char *text = NULL;
    size_t length;
    FILE *file = open_memstream(&text, &length);

    write_query(query, file);
    fclose(file);
    return text;
}

/* ------------------------------------------------------------------ what must hold */

static unsigned
check_tree(const struct query *query, unsigned depth)
{
    unsigned terms = query->kind >= QUERY_WORDS;

    REQUIRE(depth <= DEPTH_MOST);
    REQUIRE((query->kind == QUERY_AND || query->kind == QUERY_OR) == (query->count > 1));
    REQUIRE(query->kind != QUERY_NOT || query->count == 1);
    REQUIRE((query->kind == QUERY_WORDS || query->kind == QUERY_MATCH) == (query->text != NULL));
    REQUIRE((query->field.column == QUERY_POINTER) == (query->field.pointer != NULL));
    REQUIRE(query->kind != QUERY_NUMBER || query_is_number(query->field.column));
    for (size_t i = 0; i < query->count; i++)
        terms += check_tree(query->children[i], depth + 1);
    return terms;
}

/* A number that is four digits long would be read as a year. */
static bool
may_be_year(const struct query *query)
{
    if (query->kind == QUERY_NUMBER && query->field.column != QUERY_VERSION &&
        ((query->from > -1000 && query->from < 10000) || (query->to > -1000 && query->to < 10000)))
        return true;
    for (size_t i = 0; i < query->count; i++)
        if (may_be_year(query->children[i]))
            return true;
    return false;
}

static void
check_again(const struct query *query)
{
    char *text = query_text(query), *twice, reason[400] = "";
    struct query *again = query_parse(text, reason, sizeof reason);

    /* parentheses that were not there before may be too deep now */
    if (again == NULL && strstr(reason, "deep") == NULL) {
        fprintf(stderr, "%s: %s\n", text, reason);
        abort();
    }
    if (again != NULL) {
        twice = query_text(again);
        if (strcmp(text, twice) != 0) {
            fprintf(stderr, "once:  %s\ntwice: %s\n", text, twice);
            abort();
        }
        free(twice);
    }
    query_free(&again);
    free(text);
}

static void
check_reason(const char *text, const char *reason)
{
    json_t *string = json_string(reason);
    size_t place = 0;

    REQUIRE(string != NULL);
    REQUIRE(sscanf(reason, "The query is malformed at character %zu: ", &place) == 1);
    REQUIRE(place >= 1 && place <= strlen(text) + 1);
    json_decref(string);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = strndup((const char *)data, size), reason[400] = "";
    json_t *string = json_string(text); /* as it comes: UTF-8 */
    struct query *query = string != NULL ? query_parse(text, reason, sizeof reason) : NULL;

    if (query != NULL) {
        REQUIRE(check_tree(query, 0) <= TERMS_MOST);
        if (!may_be_year(query))
            check_again(query);
    } else if (string != NULL) {
        check_reason(text, reason);
    }
    query_free(&query);
    json_decref(string);
    free(text);
    return 0;
}
