/*
 * The conditions of a query in SQL (where.h). In each worker process, from any thread.
 */
#include "where.h"

#include <doip/json.h>
#include <stdlib.h>
#include <string.h>

#include "index_entry.h"

static void where_node(struct statement *statement, const struct query *query);

/* ------------------------------------------------------------------ words */

static void
where_match(struct statement *statement, const struct query *query)
{
    char *text = match_text(statement, query);

    fputs(SQL_WHERE_WORDS, statement->file);
    if (text != NULL)
        statement_text(statement, text);
    fputs(")", statement->file);
    free(text);
}

/* A number: JSON's, so that 1891 is 1891.0 and "0x10" is none. */
static bool
is_number(const char *text, double *number)
{
    json_t *value = doip_json_parse(text, strlen(text), (char[64]){""}, 64);
    bool good = json_is_number(value);

    *number = json_number_value(value);
    json_decref(value);
    return good;
}

/* ------------------------------------------------------------------ values at a pointer */

static void
where_path(struct statement *statement, const struct query *query)
{
    fputs(SQL_WHERE_FIELD, statement->file);
    statement_number(statement, entry_path(statement->connection, query->field.pointer));
}

bool
where_is_number(const struct query *query)
{
    double number;

    return query->kind == QUERY_WORDS && query->field.column == QUERY_POINTER &&
           is_number(query->text, &number);
}

/* A number at a pointer is found as a value, however it is written, and in texts; but for one with
 * a sign, which is no word. */
static void
where_words(struct statement *statement, const struct query *query)
{
    double number;

    if (!where_is_number(query) || !is_number(query->text, &number)) {
        where_match(statement, query);
        return;
    }
    fputs("(", statement->file);
    if (*query->text != '-') {
        where_match(statement, query);
        fputs(" OR ", statement->file);
    }
    where_path(statement, query);
    fputs(SQL_WHERE_ONE_OF, statement->file);
    statement_real(statement, number);
    fputs(", ", statement->file);
    statement_text(statement, query->text);
    fputs(")))", statement->file);
}

/* One bound of a range of texts; texts are kept only up to a length. */
static void
bound_text(struct statement *statement, const struct query_bound *bound, const char *column,
           bool low)
{
    if (bound->text == NULL)
        return;
    fprintf(statement->file, " AND %s %s%s ", column, low ? ">" : "<", bound->excluded ? "" : "=");
    statement_text(statement, bound->text);
}

static void
bound_number(struct statement *statement, const struct query_bound *bound, double number, bool low)
{
    if (bound->text == NULL)
        return;
    fprintf(statement->file, " AND value %s%s ", low ? ">" : "<", bound->excluded ? "" : "=");
    statement_real(statement, number);
}

/* Numbers between bounds that are numbers, and texts. SQLite sorts all numbers before all texts. */
static void
where_range(struct statement *statement, const struct query *query)
{
    double low = 0, high = 0;
    bool numbers = (query->low.text == NULL || is_number(query->low.text, &low)) &&
                   (query->high.text == NULL || is_number(query->high.text, &high));

    where_path(statement, query);
    if (numbers) {
        if (query->high.text == NULL)
            fputs(" AND value < ''", statement->file);
        bound_number(statement, &query->low, low, true);
        bound_number(statement, &query->high, high, false);
        fputs(SQL_WHERE_UNION, statement->file);
        statement_number(statement, entry_path(statement->connection, query->field.pointer));
    }
    if (query->low.text == NULL)
        fputs(" AND value >= ''", statement->file);
    bound_text(statement, &query->low, "value", true);
    bound_text(statement, &query->high, "value", false);
    fputs(")", statement->file);
}

/* ------------------------------------------------------------------ columns */

static const char *const column_texts[QUERY_COLUMNS] = {
    [QUERY_ID] = "o.id",
    [QUERY_TYPE] = "o.type",
    [QUERY_CREATED_BY] = "o.created_by",
    [QUERY_MODIFIED_BY] = "o.modified_by",
    [QUERY_CREATED_ON] = "o.created_on",
    [QUERY_MODIFIED_ON] = "o.modified_on",
    [QUERY_VERSION] = "o.version",
};

const char *
where_column(enum query_column column)
{
    return column_texts[column];
}

/* The text as a pattern for GLOB, the caller's. */
static char *
glob_pattern(const char *text)
{
    char *pattern = malloc(3 * strlen(text) + 1), *next = pattern;

    for (; pattern != NULL && *text != '\0'; text++) {
        if (*text == QUERY_ANY || *text == QUERY_ONE)
            *next++ = *text == QUERY_ANY ? '*' : '?';
        else if (strchr("*?[", *text) != NULL)
            next += sprintf(next, "[%c]", *text);
        else
            *next++ = *text;
    }
    if (pattern != NULL)
        *next = '\0';
    return pattern;
}

static void
where_equal(struct statement *statement, const struct query *query)
{
    bool wild = strchr(query->text, QUERY_ANY) != NULL || strchr(query->text, QUERY_ONE) != NULL;
    char *text = wild ? glob_pattern(query->text) : strdup(query->text);

    fprintf(statement->file, "ifnull(%s %s ", column_texts[query->field.column],
            wild ? "GLOB" : "=");
    if (text == NULL)
        connection_fail(statement->connection, "memory is short");
    else
        statement_text(statement, text);
    fputs(", 0)", statement->file);
    free(text);
}

static void
where_column_range(struct statement *statement, const struct query *query)
{
    const char *column = column_texts[query->field.column];

    fprintf(statement->file, "(%s IS NOT NULL", column);
    bound_text(statement, &query->low, column, true);
    bound_text(statement, &query->high, column, false);
    fputs(")", statement->file);
}

static void
where_number(struct statement *statement, const struct query *query)
{
    fprintf(statement->file, "(%s BETWEEN ", column_texts[query->field.column]);
    statement_number(statement, query->from);
    fputs(" AND ", statement->file);
    statement_number(statement, query->to);
    fputs(")", statement->file);
}

static void
where_exists(struct statement *statement, const struct query *query)
{
    if (query->field.column == QUERY_POINTER) {
        where_path(statement, query);
        fputs(")", statement->file);
    } else {
        fprintf(statement->file, "%s IS NOT NULL", column_texts[query->field.column]);
    }
}

/* ------------------------------------------------------------------ trees */

/* The words of an AND are asked together, where there are several. */
static void
where_and(struct statement *statement, const struct query *query)
{
    struct query words = {.kind = QUERY_AND}, rest = {.kind = QUERY_AND};
    struct query *children[2][query->count];

    words.children = children[0];
    rest.children = children[1];
    for (size_t i = 0; i < query->count; i++) {
        if (match_only(query->children[i]))
            words.children[words.count++] = query->children[i];
        else
            rest.children[rest.count++] = query->children[i];
    }
    fputs("(1", statement->file);
    if (words.count > 0) {
        fputs(" AND ", statement->file);
        if (words.count == 1)
            where_node(statement, words.children[0]);
        else
            where_match(statement, &words);
    }
    for (size_t i = 0; i < rest.count; i++) {
        fputs(" AND ", statement->file);
        where_node(statement, rest.children[i]);
    }
    fputs(")", statement->file);
}

static void
where_or(struct statement *statement, const struct query *query)
{
    for (size_t i = 0; i < query->count; i++) {
        fputs(i > 0 ? " OR " : "(", statement->file);
        where_node(statement, query->children[i]);
    }
    fputs(")", statement->file);
}

static void
where_node(struct statement *statement, const struct query *query)
{
    static void (*const writers[])(struct statement *, const struct query *) = {
        [QUERY_AND] = where_and,     [QUERY_OR] = where_or,         [QUERY_WORDS] = where_words,
        [QUERY_MATCH] = where_equal, [QUERY_NUMBER] = where_number, [QUERY_EXISTS] = where_exists,
    };

    if (query->kind == QUERY_ALL) {
        fputs("1", statement->file);
    } else if (query->kind == QUERY_NOT) {
        fputs("NOT ", statement->file);
        where_node(statement, query->children[0]);
    } else if (query->kind == QUERY_RANGE) {
        (query->field.column == QUERY_POINTER ? where_range : where_column_range)(statement, query);
    } else {
        writers[query->kind](statement, query);
    }
}

void
where_condition(struct statement *statement, const struct query *query)
{
    where_node(statement, query);
}
