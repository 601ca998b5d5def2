/*
 * The parser of the store's query language (query.h). Pure functions, any thread.
 */
#include "query.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So many that the catalog's statement stays within its limits. */
#define TERMS_MAX 64

struct parser {
    const char *start;
    const char *next;
    char *text; /* the text of the term at hand */
    size_t length;
    struct query *query;
    char *reason;
    size_t size;
};

/* The place of `at`, counted in characters from 1. */
static size_t
parser_place(const struct parser *parser, const char *at)
{
    size_t place = 1;

    for (const char *c = parser->start; c < at; c++)
        place += ((unsigned char)*c & 0xc0) != 0x80;
    return place;
}

static bool __attribute__((format(printf, 3, 4)))
parser_fail(struct parser *parser, const char *at, const char *format, ...)
{
    char what[256];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    snprintf(parser->reason, parser->size, "The query is malformed at character %zu: %s.",
             parser_place(parser, at), what);
    return false;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void
parser_blanks(struct parser *parser)
{
    while (is_blank(*parser->next))
        parser->next++;
}

/* Takes the characters of "…" after the opening quote. */
static bool
parser_quoted(struct parser *parser, const char *opening)
{
    for (; *parser->next != '"'; parser->next++) {
        if (*parser->next == '\\' && parser->next[1] != '\0')
            parser->next++;
        if (*parser->next == '\0')
            return parser_fail(parser, opening, "this quote is never closed");
        parser->text[parser->length++] = *parser->next;
    }
    parser->next++;
    if (*parser->next != '\0' && !is_blank(*parser->next))
        return parser_fail(parser, parser->next, "expected a blank after the closing quote");
    return true;
}

/* True where a word may go on; the characters that Lucene reserves inside words are refused. */
static bool
parser_word(struct parser *parser, const char *stops)
{
    for (;
         *parser->next != '\0' && !is_blank(*parser->next) && strchr(stops, *parser->next) == NULL;
         parser->next++) {
        if (strchr("()[]{}\"*?^~", *parser->next) != NULL)
            return parser_fail(parser, parser->next,
                               "'%c' has no meaning here (put the text in quotes)", *parser->next);
        if (*parser->next == '\\' && parser->next[1] == '\0')
            return parser_fail(parser, parser->next, "expected a character after the backslash");
        if (*parser->next == '\\')
            parser->next++;
        parser->text[parser->length++] = *parser->next;
    }
    return true;
}

/* The text of a term: quoted, or a word. */
static bool
parser_text(struct parser *parser, const char *stops)
{
    const char *start = parser->next;

    parser->length = 0;
    if (*parser->next == '"') {
        parser->next++;
        if (!parser_quoted(parser, start))
            return false;
    } else if (!parser_word(parser, stops)) {
        return false;
    }
    parser->text[parser->length] = '\0';
    return true;
}

static bool
parser_add(struct parser *parser, const char *start, enum query_kind kind)
{
    struct query *query = parser->query;
    struct query_term *terms;
    char *text = NULL;

    if (query->count == TERMS_MAX)
        return parser_fail(parser, start, "at most %d terms are possible", TERMS_MAX);
    terms = realloc(query->terms, (query->count + 1) * sizeof(*terms));
    if (terms != NULL)
        query->terms = terms;
    if (terms == NULL || (text = strdup(parser->text)) == NULL)
        return parser_fail(parser, start, "memory is short");
    terms[query->count++] = (struct query_term){.kind = kind, .text = text};
    return true;
}

/* What stands after "field:". */
static bool
parser_value(struct parser *parser, const char *start, size_t name)
{
    enum query_kind kind;

    if (name == 2 && memcmp(start, "id", 2) == 0)
        kind = QUERY_ID;
    else if (name == 4 && memcmp(start, "type", 4) == 0)
        kind = QUERY_TYPE;
    else
        return parser_fail(
            parser, start, "unknown field '%.*s'; expected 'id' or 'type' before the colon%s",
            name > 60 ? 60 : (int)name, start, " (put a text that holds a colon in quotes)");
    if (*parser->next == '\0' || is_blank(*parser->next))
        return parser_fail(parser, parser->next, "expected a value after '%.*s:'", (int)name,
                           start);
    return parser_text(parser, "") && parser_add(parser, start, kind);
}

/* Operators of Lucene that this version lacks, where a term would begin. */
static bool
parser_operator(struct parser *parser)
{
    static const char *const words[] = {"OR", "NOT", "&&", "||", NULL};
    const char *next = parser->next;

    for (const char *const *word = words; *word != NULL; word++) {
        size_t length = strlen(*word);

        if (strncmp(next, *word, length) == 0 && (next[length] == '\0' || is_blank(next[length])))
            return !parser_fail(parser, next,
                                "'%s' is not supported (put it in quotes to search for the word)",
                                *word);
    }
    if (strchr("+-!", *next) != NULL)
        return !parser_fail(parser, next,
                            "a leading '%c' is not supported (put the text in quotes)", *next);
    return false;
}

static bool
parser_term(struct parser *parser)
{
    const char *start = parser->next;

    if (strncmp(start, "*:*", 3) == 0 && (start[3] == '\0' || is_blank(start[3]))) {
        parser->next += 3;
        return true;
    }
    if (parser_operator(parser) || !parser_text(parser, ":"))
        return false;
    if (*parser->next != ':')
        return parser_add(parser, start, QUERY_TEXT);
    parser->next++;
    return parser_value(parser, start, (size_t)(parser->next - 1 - start));
}

/* True when the word AND was taken. */
static bool
parser_and(struct parser *parser)
{
    if (strncmp(parser->next, "AND", 3) != 0 ||
        (parser->next[3] != '\0' && !is_blank(parser->next[3])))
        return false;
    parser->next += 3;
    parser_blanks(parser);
    return true;
}

static bool
parser_run(struct parser *parser)
{
    bool first = true;

    for (parser_blanks(parser); *parser->next != '\0'; parser_blanks(parser)) {
        const char *at = parser->next;

        if (parser_and(parser) && (first || *parser->next == '\0' || parser_and(parser)))
            return parser_fail(parser, at, "'AND' must stand between two terms");
        if (!parser_term(parser))
            return false;
        first = false;
    }
    return true;
}

struct query *
query_parse(const char *text, char *reason, size_t size)
{
    struct parser parser = {.start = text, .next = text, .reason = reason, .size = size};

    parser.text = malloc(strlen(text) + 1);
    parser.query = calloc(1, sizeof(*parser.query));
    if (parser.text == NULL || parser.query == NULL) {
        snprintf(reason, size, "memory is short");
        query_free(&parser.query);
    } else if (!parser_run(&parser)) {
        query_free(&parser.query);
    }
    free(parser.text);
    return parser.query;
}

void
query_free(struct query **query)
{
    if (*query == NULL)
        return;
    for (size_t i = 0; i < (*query)->count; i++)
        free((*query)->terms[i].text);
    free((*query)->terms);
    free(*query);
    *query = NULL;
}
