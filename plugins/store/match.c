/*
 * The words of a query in the language of SQLite's FTS5 (where.h). Every token is quoted, so that
 * nothing in it is an operator. In each worker process, from any thread.
 */
#include <stdlib.h>
#include <string.h>

#include "index_entry.h"
#include "memory_file.h"
#include "where.h"
#include "words.h"

/* So many words a wildcard may stand for. */
#define EXPANDED_MAX 1000

static void match_node(struct statement *statement, const struct query *query, FILE *file);

/* ------------------------------------------------------------------ one term */

/* A term on its way from text to tokens. */
struct term {
    struct statement *statement;
    FILE *file;
    char mark[WORDS_MARK_SIZE]; /* "": anywhere */
    int count;
};

static bool
term_token(const char *token, size_t size, void *closure)
{
    struct term *term = closure;

    fprintf(term->file, "%s%s%.*s", term->count++ > 0 ? " " : "", term->mark, (int)size, token);
    return true;
}

/* Tokens next to each other, the last one only begun where `begun`. */
static void
term_phrase(struct term *term, const char *text, bool begun)
{
    struct tokenizer *tokenizer = connection_tokenizer(term->statement->connection);

    fputs("\"", term->file);
    if (tokenizer != NULL)
        tokenizer_run(tokenizer, text, term_token, term);
    fputs(term->count == 0 ? WORDS_NOTHING "\"" : begun ? "\" *" : "\"", term->file);
}

/* The pattern for GLOB: the literal parts as the index has them; false: a part is no single word. */
struct pattern {
    char *text;
    size_t length;
    int tokens;
};

static bool
pattern_token(const char *token, size_t size, void *closure)
{
    struct pattern *pattern = closure;

    memcpy(pattern->text + pattern->length, token, size);
    pattern->length += size;
    return pattern->tokens++ == 0;
}

static bool
pattern_literal(struct pattern *pattern, struct tokenizer *tokenizer, const char *text,
                size_t length)
{
    char *part = strndup(text, length);
    bool good = part != NULL;

    pattern->tokens = 0;
    if (good && length > 0)
        good = tokenizer_run(tokenizer, part, pattern_token, pattern) && pattern->tokens == 1;
    free(part);
    return good;
}

/* Fills pattern->text; *prefix is how much of it stands before the first wildcard. */
static bool
pattern_make(struct pattern *pattern, struct tokenizer *tokenizer, const struct term *term,
             const char *text, size_t *prefix)
{
    static const char wildcards[] = {QUERY_ANY, QUERY_ONE, '\0'};

    *prefix = 0;
    /* No token is longer than four times its text. */
    pattern->text = malloc(sizeof(term->mark) + 4 * strlen(text) + 1);
    if (pattern->text == NULL)
        return false;
    pattern->length = (size_t)sprintf(pattern->text, "%s", term->mark);
    while (*text != '\0') {
        size_t literal = strcspn(text, wildcards);

        if (!pattern_literal(pattern, tokenizer, text, literal))
            return false;
        text += literal;
        if (*prefix == 0)
            *prefix = pattern->length;
        if (*text != '\0')
            pattern->text[pattern->length++] = *text++ == QUERY_ANY ? '*' : '?';
    }
    pattern->text[pattern->length] = '\0';
    return true;
}

/* All words of the index that the pattern fits, as alternatives. */
static void
pattern_expand(const struct term *term, const struct pattern *pattern, size_t prefix)
{
    struct connection *connection = term->statement->connection;
    char *low = strndup(pattern->text, prefix), *high = NULL;
    sqlite3_stmt *terms = NULL;
    int count = 0;

    if (low == NULL || asprintf(&high, "%s\xf4\x8f\xbf\xbf", low) < 0)
        connection_fail(connection, "memory is short");
    else
        terms = connection_query(connection, SQL_TERMS, "sssi", low, high, pattern->text,
                                 (int64_t)EXPANDED_MAX + 1);
    while (terms != NULL && connection_step(connection, terms) == 1)
        fprintf(term->file, "%s\"%s\"", count++ > 0 ? " OR " : "(",
                (const char *)sqlite3_column_text(terms, 0));
    fputs(count > 0 ? ")" : "\"" WORDS_NOTHING "\"", term->file);
    if (count > EXPANDED_MAX)
        snprintf(term->statement->refusal, sizeof(term->statement->refusal),
                 "The query has a wildcard that more than %d different words fit.", EXPANDED_MAX);
    free(low);
    free(high);
}

static void
term_pattern(struct term *term, const char *text)
{
    struct tokenizer *tokenizer = connection_tokenizer(term->statement->connection);
    struct pattern pattern = {.text = NULL};
    size_t prefix;

    if (tokenizer == NULL || !pattern_make(&pattern, tokenizer, term, text, &prefix))
        snprintf(term->statement->refusal, sizeof(term->statement->refusal),
                 "The query has a wildcard among signs; it must stand in a word of letters and "
                 "digits.");
    else
        pattern_expand(term, &pattern, prefix);
    free(pattern.text);
}

static void
match_words(struct statement *statement, const struct query *query, FILE *file)
{
    static const char wildcards[] = {QUERY_ANY, QUERY_ONE, '\0'};
    struct term term = {.statement = statement, .file = file};
    size_t plain = strcspn(query->text, wildcards);
    int64_t path = -1;
    char *text;

    if (query->field.column == QUERY_POINTER) {
        path = entry_path(statement->connection, query->field.pointer);
        words_mark(term.mark, path);
    }
    if (path == 0) {
        fputs("\"" WORDS_NOTHING "\"", file);
    } else if (query->text[plain] == '\0') {
        term_phrase(&term, query->text, false);
    } else if (query->text[plain] == QUERY_ANY && query->text[plain + 1] == '\0') {
        text = strndup(query->text, plain);
        term_phrase(&term, text == NULL ? "" : text, true);
        free(text);
    } else {
        term_pattern(&term, query->text);
    }
}

/* ------------------------------------------------------------------ trees */

static bool
is_negated(const struct query *query)
{
    return query->kind == QUERY_NOT && match_only(query->children[0]);
}

bool
match_only(const struct query *query)
{
    bool positive = false;

    if (query->kind == QUERY_WORDS)
        return !where_is_number(query);
    if (query->kind != QUERY_AND && query->kind != QUERY_OR)
        return false;
    for (size_t i = 0; i < query->count; i++) {
        if (match_only(query->children[i]))
            positive = true;
        else if (query->kind == QUERY_OR || !is_negated(query->children[i]))
            return false;
    }
    return positive;
}

static bool
token_seen(const char *token, size_t size, void *closure)
{
    (void)token;
    (void)size;
    *(bool *)closure = true;
    return false;
}

/* A term of signs alone, which no text can be found by. */
static bool
is_empty(struct statement *statement, const struct query *query)
{
    struct tokenizer *tokenizer = connection_tokenizer(statement->connection);
    bool seen = query->kind != QUERY_WORDS;

    if (!seen && tokenizer != NULL)
        tokenizer_run(tokenizer, query->text, token_seen, &seen);
    return !seen;
}

/* The terms of an AND that count: beside others, those of signs alone do not. */
static bool
is_counted(struct statement *statement, const struct query *query, size_t which)
{
    if (!match_only(query->children[which]))
        return false;
    if (!is_empty(statement, query->children[which]))
        return true;
    for (size_t i = 0; i < query->count; i++) {
        if (match_only(query->children[i]) &&
            (!is_empty(statement, query->children[i]) || i < which))
            return false;
    }
    return true;
}

/* The children of an AND that are words, then those that are no words: FTS5's NOT has two sides. */
static void
match_and(struct statement *statement, const struct query *query, FILE *file)
{
    int negated = 0, count = 0;

    for (size_t i = 0; i < query->count; i++)
        negated += is_negated(query->children[i]);
    for (int i = 0; i < negated; i++)
        fputs("(", file);
    fputs("(", file);
    for (size_t i = 0; i < query->count; i++) {
        if (!is_counted(statement, query, i))
            continue;
        fputs(count++ > 0 ? " AND " : "", file);
        match_node(statement, query->children[i], file);
    }
    fputs(")", file);
    for (size_t i = 0; i < query->count; i++) {
        if (!is_negated(query->children[i]))
            continue;
        fputs(" NOT ", file);
        match_node(statement, query->children[i]->children[0], file);
        fputs(")", file);
    }
}

static void
match_node(struct statement *statement, const struct query *query, FILE *file)
{
    if (query->kind == QUERY_WORDS) {
        match_words(statement, query, file);
    } else if (query->kind == QUERY_AND) {
        match_and(statement, query, file);
    } else {
        for (size_t i = 0; i < query->count; i++) {
            fputs(i > 0 ? " OR " : "(", file);
            match_node(statement, query->children[i], file);
        }
        fputs(")", file);
    }
}

char *
match_text(struct statement *statement, const struct query *query)
{
    char *text = NULL;
    size_t size;
    FILE *file = memory_file(&text, &size);

    if (file != NULL)
        match_node(statement, query, file);
    if (file != NULL && fclose(file) == 0)
        return text;
    connection_fail(statement->connection, "memory is short");
    free(text);
    return NULL;
}
