/*
 * What of the index a client may read (visible.h). In each worker process, from any thread.
 */
#include "visible.h"

#include <inttypes.h>
#include <stdlib.h>

#include "memory_file.h"

/* So few objects are looked at one by one. */
#define LOOKED_AT 10000

enum { AUDIENCE_NUMBER, AUDIENCE_TEXT, AUDIENCE_ENTRIES };

/* Two JSON arrays on their way. */
struct telling {
    FILE *readable;
    FILE *hidden;
};

static void
tell_one(FILE *file, uint64_t *count, sqlite3_stmt *row)
{
    fprintf(file, "%s%" PRId64, *count > 0 ? "," : "[",
            (int64_t)sqlite3_column_int64(row, AUDIENCE_NUMBER));
    *count += (uint64_t)sqlite3_column_int64(row, AUDIENCE_ENTRIES);
}

static void
tell_all(struct visible *visible, struct telling *telling, struct connection *connection,
         const struct acl_rules *rules, const struct acl_client *client)
{
    sqlite3_stmt *row = connection_query(connection, SQL_AUDIENCES, "");

    while (connection_step(connection, row) == 1) {
        const char *audience = (const char *)sqlite3_column_text(row, AUDIENCE_TEXT);
        int readable = audience == NULL ? -1 : acl_audience_readable(rules, audience, client);

        if (readable < 0)
            connection_fail(connection, "memory is short");
        else if (readable)
            tell_one(telling->readable, &visible->readable_count, row);
        else
            tell_one(telling->hidden, &visible->hidden_count, row);
    }
    fputs(visible->readable_count > 0 ? "]" : "[]", telling->readable);
    fputs(visible->hidden_count > 0 ? "]" : "[]", telling->hidden);
}

bool
visible_init(struct visible *visible, struct connection *connection, const struct acl_rules *rules,
             const struct acl_client *client)
{
    struct telling telling;
    size_t size;
    bool good;

    *visible = (struct visible){.all = client == NULL};
    if (client == NULL)
        return true;
    telling.readable = memory_file(&visible->readable, &size);
    telling.hidden = memory_file(&visible->hidden, &size);
    good = telling.readable != NULL && telling.hidden != NULL;
    if (good)
        tell_all(visible, &telling, connection, rules, client);
    if (telling.readable != NULL)
        good = fclose(telling.readable) == 0 && good;
    if (telling.hidden != NULL)
        good = fclose(telling.hidden) == 0 && good;
    if (!good)
        connection_fail(connection, "memory is short");
    visible->all = visible->hidden_count == 0;
    return !connection->failed;
}

void
visible_fini(struct visible *visible)
{
    free(visible->readable);
    free(visible->hidden);
}

/* A new set of the objects of those audiences; `among`: of these only, NULL: of all. */
static struct set *
audiences_set(struct where *where, const char *audiences, const char *among)
{
    struct set *set = set_new(where->most);
    struct statement statement;

    if (set == NULL)
        connection_fail(where->connection, "memory is short");
    else if (statement_open(&statement, where->connection)) {
        fputs(among == NULL ? SQL_AUDIENCE_ALL : SQL_AUDIENCE_AMONG, statement.file);
        if (among != NULL) {
            statement_text(&statement, among);
            fputs(SQL_WALK_AMONG_ENTRY SQL_AUDIENCE_IS, statement.file);
        }
        statement_text(&statement, audiences);
        fputs("))", statement.file);
        where_run(where, &statement, set);
    }
    if (where->connection->failed)
        set_free(&set);
    return set;
}

/* What of a small set is readable. */
static struct set *
keep_few(const struct visible *visible, struct where *where, const struct set *set)
{
    char *among = set_text(set);
    struct set *kept = NULL;

    if (among == NULL)
        connection_fail(where->connection, "memory is short");
    else
        kept = audiences_set(where, visible->readable, among);
    free(among);
    return kept;
}

void
visible_keep(const struct visible *visible, struct where *where, struct set **set)
{
    bool few = !set_is_turned(*set) && set_bits(*set) <= LOOKED_AT;
    bool hides = visible->hidden_count < visible->readable_count;
    struct set *kept;

    if (visible->all)
        return;
    if (few)
        kept = keep_few(visible, where, *set);
    else
        kept = audiences_set(where, hides ? visible->hidden : visible->readable, NULL);
    if (kept != NULL && !few) {
        if (hides)
            set_turn(kept);
        set_and(set, &kept);
        return;
    }
    set_free(set);
    *set = kept;
}
