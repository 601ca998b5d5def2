/*
 * The tree of a query, answered (where.h). In each worker process, from any thread.
 */
#include "where.h"

#include <stdlib.h>
#include <string.h>

#include "index_entry.h"

/* So few objects are looked at one by one. */
#define LOOKED_AT 10000

/* ------------------------------------------------------------------ leaves */

void
where_run(struct where *where, struct statement *statement, struct set *set)
{
    sqlite3_stmt *prepared = statement_close(statement);

    while (prepared != NULL && connection_step(where->connection, prepared) == 1)
        set_add(set, sqlite3_column_int64(prepared, 0));
    sqlite3_finalize(prepared);
    if (statement->refusal[0] != '\0')
        memcpy(where->refusal, statement->refusal, sizeof(where->refusal));
    statement_free(statement);
}

static void
leaf_match(struct where *where, const struct query *query, struct set *set)
{
    struct statement statement;
    char *text;

    if (!statement_open(&statement, where->connection))
        return;
    text = match_text(&statement, query);
    fputs(SQL_WORDS, statement.file);
    if (text != NULL)
        statement_text(&statement, text);
    where_run(where, &statement, set);
    free(text);
}

/* `among`: of these numbers only; NULL: all. */
static void
leaf_among(struct where *where, const struct query *query, const char *among, struct set *set)
{
    const struct walk walk = {&query->field, query->kind == QUERY_EXISTS ? NULL : query,
                              WALK_ANYHOW, among};
    struct statement statement;

    for (int part = 0; part < WALK_PARTS; part++) {
        if (!statement_open(&statement, where->connection))
            return;
        if (walk_write(&statement, &walk, part))
            where_run(where, &statement, set);
        else
            statement_free(&statement);
    }
}

static void
leaf_walk(struct where *where, const struct query *query, struct set *set)
{
    leaf_among(where, query, NULL, set);
}

bool
where_is_number(const struct query *query)
{
    double number;

    return query->kind == QUERY_WORDS && query->field.column == QUERY_POINTER &&
           walk_number(query->text, &number);
}

/* A number at a pointer is found as a value, however it is written, and in texts; but for one with
 * a sign, which is no word. */
static void
leaf_words(struct where *where, const struct query *query, struct set *set)
{
    struct statement statement;
    double number;

    if (!where_is_number(query) || *query->text != '-')
        leaf_match(where, query, set);
    if (!where_is_number(query) || !statement_open(&statement, where->connection))
        return;
    walk_number(query->text, &number);
    fputs(SQL_WALK_OBJECTS SQL_WALK_FIELD SQL_WALK_PATH, statement.file);
    statement_number(&statement, entry_path(where->connection, query->field.pointer));
    fputs(" AND value IN (", statement.file);
    statement_real(&statement, number);
    fputs(", ", statement.file);
    statement_text(&statement, query->text);
    fputs(")", statement.file);
    where_run(where, &statement, set);
}

/* ------------------------------------------------------------------ trees */

static struct set *
where_leaf(struct where *where, const struct query *query)
{
    static void (*const leaves[])(struct where *, const struct query *, struct set *) = {
        [QUERY_AND] = leaf_match,  [QUERY_OR] = leaf_match,    [QUERY_WORDS] = leaf_words,
        [QUERY_MATCH] = leaf_walk, [QUERY_NUMBER] = leaf_walk, [QUERY_EXISTS] = leaf_walk,
        [QUERY_RANGE] = leaf_walk};
    struct set *set = set_new(where->most);

    if (set == NULL)
        connection_fail(where->connection, "memory is short");
    else if (query->kind == QUERY_ALL)
        set_turn(set);
    else
        leaves[query->kind](where, query, set);
    if (where->connection->failed || where->refusal[0] != '\0')
        set_free(&set);
    return set;
}

/* Joins one more child to *set, which is NULL at first: false when that failed. */
static bool
where_join(struct where *where, const struct query *query,
           void (*join)(struct set **, struct set **), struct set **set)
{
    struct set *other = where_set(where, query);

    if (other == NULL)
        set_free(set);
    else if (*set == NULL)
        *set = other;
    else
        join(set, &other);
    return *set != NULL;
}

/* Whether to look at each object of the set rather than to walk over all that the leaf gives. */
static bool
where_is_few(const struct set *set, const struct query *query)
{
    return set != NULL && !set_is_turned(set) &&
           (query->kind == QUERY_MATCH || query->kind == QUERY_NUMBER ||
            query->kind == QUERY_RANGE || query->kind == QUERY_EXISTS) &&
           set_bits(set) <= LOOKED_AT;
}

/* *set becomes what of it matches the leaf, too. */
static bool
where_look(struct where *where, const struct query *query, struct set **set)
{
    struct set *looked = set_new(where->most);
    char *among = set_text(*set);

    set_free(set);
    if (looked == NULL || among == NULL)
        connection_fail(where->connection, "memory is short");
    else
        leaf_among(where, query, among, looked);
    free(among);
    if (where->connection->failed)
        set_free(&looked);
    *set = looked;
    return looked != NULL;
}

/* The words of an AND are asked together, where there are several. */
static struct set *
where_and(struct where *where, const struct query *query)
{
    struct query words = {.kind = QUERY_AND}, *children[query->count];
    struct set *set = NULL;
    bool good = true;

    words.children = children;
    for (size_t i = 0; i < query->count; i++) {
        if (match_only(query->children[i]))
            words.children[words.count++] = query->children[i];
    }
    if (words.count > 0)
        good = where_join(where, words.count == 1 ? children[0] : &words, set_and, &set);
    for (size_t i = 0; i < query->count && good; i++) {
        if (match_only(query->children[i]))
            continue;
        good = where_is_few(set, query->children[i])
                   ? where_look(where, query->children[i], &set)
                   : where_join(where, query->children[i], set_and, &set);
    }
    return set;
}

static struct set *
where_or(struct where *where, const struct query *query)
{
    struct set *set = NULL;
    bool good = true;

    for (size_t i = 0; i < query->count && good; i++)
        good = where_join(where, query->children[i], set_or, &set);
    return set;
}

struct set *
where_set(struct where *where, const struct query *query)
{
    struct set *set;

    if (match_only(query))
        return where_leaf(where, query);
    if (query->kind == QUERY_AND)
        return where_and(where, query);
    if (query->kind == QUERY_OR)
        return where_or(where, query);
    if (query->kind != QUERY_NOT)
        return where_leaf(where, query);
    set = where_set(where, query->children[0]);
    if (set != NULL)
        set_turn(set);
    return set;
}
