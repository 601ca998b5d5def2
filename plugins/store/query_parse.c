/*
 * The parser of the store's query language (query.h): descends through the grammar. Pure functions,
 * any thread.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query_impl.h"

/* So many that the catalog's statement, and this parser's stack, stay within their limits. */
#define TERMS_MAX 64
#define DEPTH_MAX 32
/* Bytes of an unknown field's name that the reason shows. */
#define NAME_SHOWN 60

struct parser {
    struct lexer lexer;
    const struct query_field *field; /* that a parenthesis was put after */
    int terms;
    int depth;
};

static struct query *parse_or(struct parser *parser);

/* ------------------------------------------------------------------ nodes */

static struct query *
node_short(struct parser *parser, struct query *node)
{
    lexer_short(&parser->lexer);
    query_free(&node);
    return NULL;
}

static struct query *
node_new(struct parser *parser, enum query_kind kind, const struct query_field *field)
{
    struct query *node = calloc(1, sizeof(*node));

    if (node == NULL)
        return node_short(parser, node);
    node->kind = kind;
    node->field.column = field == NULL ? QUERY_ANYWHERE : field->column;
    if (field != NULL && field->pointer != NULL &&
        (node->field.pointer = strdup(field->pointer)) == NULL)
        return node_short(parser, node);
    return node;
}

/* Takes both; NULL when either is, or memory is short. */
static struct query *
node_add(struct parser *parser, struct query *node, struct query *child)
{
    struct query **children = NULL;

    if (node != NULL && child != NULL)
        /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers it is */
        children = realloc(node->children, (node->count + 1) * sizeof(*children));
    if (children == NULL) {
        if (node != NULL && child != NULL)
            node_short(parser, NULL);
        query_free(&node);
        query_free(&child);
        return NULL;
    }
    node->children = children;
    children[node->count++] = child;
    return node;
}

/* The first of several is put into a node of that kind. */
static struct query *
node_join(struct parser *parser, enum query_kind kind, struct query *node, struct query *child)
{
    if (node != NULL && child != NULL && node->kind != kind)
        node = node_add(parser, node_new(parser, kind, NULL), node);
    return node_add(parser, node, child);
}

/* ------------------------------------------------------------------ values */

/* A column of numbers is the value at hand. */
static struct query *
number_node(struct parser *parser, const struct query_field *field)
{
    struct query *node = node_new(parser, QUERY_NUMBER, field);
    const char *text = parser->lexer.text;
    bool time = field->column != QUERY_VERSION;

    if (node != NULL &&
        (time ? query_time(text, &node->from, &node->to) : query_integer(text, &node->from))) {
        node->to = time ? node->to : node->from;
        return node;
    }
    query_free(&node);
    lexer_fail(&parser->lexer, parser->lexer.at,
               time ? "expected a date such as 2026-11-22, or milliseconds since 1970"
                    : "expected a number");
    return NULL;
}

static bool
one_more_term(struct parser *parser)
{
    return ++parser->terms <= TERMS_MAX ||
           lexer_fail(&parser->lexer, parser->lexer.at, "at most %d terms are possible", TERMS_MAX);
}

/* The value at hand, of the field. */
static struct query *
value_node(struct parser *parser, const struct query_field *field)
{
    struct lexer *lexer = &parser->lexer;
    enum query_kind kind =
        field == NULL || field->column == QUERY_POINTER ? QUERY_WORDS : QUERY_MATCH;
    struct query *node;

    if (!one_more_term(parser))
        return NULL;
    if (lexer->text[0] == QUERY_ANY && lexer->text[1] == '\0' && field != NULL)
        return node_new(parser, QUERY_EXISTS, field);
    if (kind == QUERY_WORDS && (lexer->text[0] == QUERY_ANY || lexer->text[0] == QUERY_ONE)) {
        lexer_fail(lexer, lexer->at, "expected a character before the wildcard");
        return NULL;
    }
    if (field != NULL && query_is_number(field->column))
        return number_node(parser, field);
    node = node_new(parser, kind, field);
    if (node != NULL && (node->text = strdup(lexer->text)) == NULL)
        return node_short(parser, node);
    return node;
}

static bool
range_bound(struct parser *parser, struct query_bound *bound, int64_t *first, int64_t *last,
            enum query_column column)
{
    struct lexer *lexer = &parser->lexer;

    lexer_bound(lexer);
    if (lexer->kind == TOKEN_BROKEN)
        return false;
    if (lexer->kind == TOKEN_WORD && lexer->text[0] == QUERY_ANY && lexer->text[1] == '\0')
        return true;
    if (strchr(lexer->text, QUERY_ANY) != NULL || strchr(lexer->text, QUERY_ONE) != NULL)
        return lexer_fail(lexer, lexer->at, "a bound of a range can't have wildcards");
    if (query_is_number(column)) {
        struct query *number = number_node(parser, &(struct query_field){.column = column});

        if (number == NULL)
            return false;
        *first = number->from;
        *last = number->to;
        query_free(&number);
    }
    if ((bound->text = strdup(lexer->text)) == NULL)
        return lexer_short(lexer);
    return true;
}

/* The bounds of numbers are made such that both match. Beyond the last number there is none. */
static void
range_of_numbers(struct query *node, const int64_t low[2], const int64_t high[2])
{
    bool none = false;

    node->kind = QUERY_NUMBER;
    node->from = low[0];
    node->to = high[1];
    if (node->low.excluded && node->low.text != NULL)
        none = __builtin_add_overflow(low[1], 1, &node->from);
    if (node->high.excluded && node->high.text != NULL)
        none = __builtin_sub_overflow(high[0], 1, &node->to) || none;
    if (none) {
        node->from = 1;
        node->to = 0;
    }
}

static bool
range_fill(struct parser *parser, struct query *node)
{
    enum query_column column = node->field.column;
    int64_t low[2] = {INT64_MIN, INT64_MIN}, high[2] = {INT64_MAX, INT64_MAX};
    char closing;

    node->low.excluded = *parser->lexer.at == '{';
    if (!range_bound(parser, &node->low, &low[0], &low[1], column) || !lexer_to(&parser->lexer) ||
        !range_bound(parser, &node->high, &high[0], &high[1], column) ||
        (closing = lexer_closing(&parser->lexer)) == '\0')
        return false;
    node->high.excluded = closing == '}';
    if (query_is_number(column))
        range_of_numbers(node, low, high);
    return true;
}

static struct query *
parse_range(struct parser *parser, const struct query_field *field)
{
    struct query *node;

    if (field == NULL) {
        lexer_fail(&parser->lexer, parser->lexer.at,
                   "a range needs a field, as in /year:[1891 TO 2003]");
        return NULL;
    }
    node = one_more_term(parser) ? node_new(parser, QUERY_RANGE, field) : NULL;
    if (node != NULL && range_fill(parser, node))
        return node;
    query_free(&node);
    return NULL;
}

/* ------------------------------------------------------------------ the grammar */

/* What stands between parentheses, all of that field. */
static struct query *
parse_group(struct parser *parser, const struct query_field *field)
{
    const struct query_field *outer = parser->field;
    const char *opening = parser->lexer.at;
    struct query *node = NULL;

    if (parser->depth == DEPTH_MAX) {
        lexer_fail(&parser->lexer, opening, "parentheses are at most %d deep", DEPTH_MAX);
        return NULL;
    }
    parser->depth++;
    parser->field = field;
    lexer_next(&parser->lexer, false);
    node = parse_or(parser);
    parser->field = outer;
    parser->depth--;
    if (node != NULL && parser->lexer.kind != TOKEN_CLOSE) {
        lexer_fail(&parser->lexer, opening, "this parenthesis is never closed");
        query_free(&node);
    }
    return node;
}

/* The value at hand: it stands after `field:`, or alone. */
static struct query *
parse_value(struct parser *parser, const struct query_field *field)
{
    switch (parser->lexer.kind) {
    case TOKEN_WORD:
    case TOKEN_QUOTED:
        return value_node(parser, field);
    case TOKEN_RANGE:
        return parse_range(parser, field);
    case TOKEN_OPEN:
        return parse_group(parser, field);
    default:
        return NULL;
    }
}

static struct query *
parse_field(struct parser *parser)
{
    struct lexer *lexer = &parser->lexer;
    struct query_field field;
    struct query *node = NULL;

    if (strchr(lexer->text, QUERY_ANY) != NULL || strchr(lexer->text, QUERY_ONE) != NULL) {
        lexer_fail(lexer, lexer->at, "the name of a field can't have wildcards");
        return NULL;
    }
    if (!query_field_parse(lexer->text, &field)) {
        if (errno == ENOMEM) {
            lexer_short(lexer);
            return NULL;
        }
        lexer_fail(lexer, lexer->at,
                   "unknown field '%.*s'; expected id, type, createdBy, createdOn, modifiedBy, "
                   "modifiedOn, version or a pointer such as /name (put a text that holds a colon "
                   "in quotes)",
                   lexer_cut(lexer->text, NAME_SHOWN), lexer->text);
        return NULL;
    }
    lexer_next(lexer, true);
    if (lexer->kind == TOKEN_END)
        lexer_fail(lexer, lexer->at, "expected a value after the field's colon");
    else
        node = parse_value(parser, &field);
    free(field.pointer);
    return node;
}

static struct query *
parse_term(struct parser *parser)
{
    struct query *node = NULL;

    if (parser->lexer.kind == TOKEN_ALL)
        node = one_more_term(parser) ? node_new(parser, QUERY_ALL, NULL) : NULL;
    else if (parser->lexer.kind == TOKEN_FIELD)
        node = parse_field(parser);
    else
        node = parse_value(parser, parser->field);
    if (node == NULL && parser->lexer.kind != TOKEN_BROKEN)
        lexer_fail(&parser->lexer, parser->lexer.at,
                   "expected a word, a text in quotes, a field or '('");
    if (node != NULL)
        lexer_next(&parser->lexer, false);
    return node;
}

static struct query *
parse_clause(struct parser *parser)
{
    bool negated = false;
    struct query *term;

    while (parser->lexer.kind == TOKEN_NOT || parser->lexer.kind == TOKEN_PLUS) {
        negated ^= parser->lexer.kind == TOKEN_NOT;
        lexer_next(&parser->lexer, false);
    }
    term = parse_term(parser);
    return negated && term != NULL ? node_add(parser, node_new(parser, QUERY_NOT, NULL), term)
                                   : term;
}

static struct query *
parse_and(struct parser *parser)
{
    struct query *node = parse_clause(parser);
    /* A parenthesis is a node by itself, whatever it holds. */
    bool joined = false;

    while (node != NULL && parser->lexer.kind != TOKEN_END && parser->lexer.kind != TOKEN_CLOSE &&
           parser->lexer.kind != TOKEN_OR && parser->lexer.kind != TOKEN_BROKEN) {
        if (parser->lexer.kind == TOKEN_AND)
            lexer_next(&parser->lexer, false);
        if (!joined)
            node = node_add(parser, node_new(parser, QUERY_AND, NULL), node);
        joined = true;
        node = node_add(parser, node, parse_clause(parser));
    }
    return node;
}

static struct query *
parse_or(struct parser *parser)
{
    struct query *node = parse_and(parser);

    while (node != NULL && parser->lexer.kind == TOKEN_OR) {
        lexer_next(&parser->lexer, false);
        node = node_join(parser, QUERY_OR, node, parse_and(parser));
    }
    if (parser->lexer.kind == TOKEN_BROKEN)
        query_free(&node);
    return node;
}

static struct query *
parse_all(struct parser *parser)
{
    struct query *node;

    lexer_next(&parser->lexer, false);
    if (parser->lexer.kind == TOKEN_END)
        return node_new(parser, QUERY_ALL, NULL);
    node = parse_or(parser);
    if (node != NULL && parser->lexer.kind != TOKEN_END) {
        lexer_fail(&parser->lexer, parser->lexer.at, "this ')' closes nothing");
        query_free(&node);
    }
    return node;
}

struct query *
query_parse(const char *text, char *reason, size_t size)
{
    struct parser parser = {.lexer = {.start = text, .next = text, .reason = reason, .size = size}};
    struct query *query = NULL;

    parser.lexer.text = malloc(strlen(text) + 1);
    if (parser.lexer.text == NULL)
        lexer_short(&parser.lexer);
    else
        query = parse_all(&parser);
    free(parser.lexer.text);
    if (query == NULL)
        errno = parser.lexer.memory_short ? ENOMEM : EINVAL;
    return query;
}
