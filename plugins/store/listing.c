/*
 * Searches in the catalog (catalog.h): a query and a page as SQL, run within one short transaction.
 * In each worker process, from any thread.
 */
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "index_entry.h"
#include "where.h"

struct listing {
    struct connection *connection;
    const struct query *query;
    const struct repository_page *page;
    struct failure *failure;
    bool refused;
};

/* ------------------------------------------------------------------ what is asked */

/* Objects without the field come last, in either direction. */
static void
listing_sort(struct statement *statement, const struct repository_sort *sort)
{
    if (sort->field.column == QUERY_POINTER) {
        fputs(sort->descending ? SQL_SORT_GREATEST : SQL_SORT_LEAST, statement->file);
        statement_number(statement, entry_path(statement->connection, sort->field.pointer));
        fputs(")", statement->file);
    } else {
        fputs(where_column(sort->field.column), statement->file);
    }
    fputs(sort->descending ? " DESC NULLS LAST, " : " NULLS LAST, ", statement->file);
}

/* Words alone are answered by the index alone, which gives its rows in the order of creation. */
static void
listing_words(const struct listing *listing, struct statement *statement, bool counts)
{
    char *text = match_text(statement, listing->query);

    fputs(counts ? SQL_LIST_COUNT : SQL_LIST_ROWIDS, statement->file);
    fputs(SQL_LIST_WORDS, statement->file);
    if (text != NULL)
        statement_text(statement, text);
    fputs(counts ? "" : " ORDER BY rowid", statement->file);
    free(text);
}

static void
listing_objects(const struct listing *listing, struct statement *statement, bool counts)
{
    fputs(counts ? SQL_LIST_COUNT : SQL_LIST_NUMBERS, statement->file);
    fputs(SQL_LIST_OBJECTS, statement->file);
    where_condition(statement, listing->query);
    if (counts)
        return;
    fputs(" ORDER BY ", statement->file);
    for (size_t i = 0; i < listing->page->sort_count; i++)
        listing_sort(statement, &listing->page->sorts[i]);
    fputs("o.number", statement->file);
}

/* ------------------------------------------------------------------ running it */

/* Calls `row` for each row of the statement that counts, or of the one that lists the page. */
static void
listing_run(struct listing *listing, bool counts,
            void (*row)(struct listing *listing, sqlite3_stmt *prepared, void *closure),
            void *closure)
{
    struct statement statement;
    sqlite3_stmt *prepared;

    if (listing->refused || !statement_open(&statement, listing->connection))
        return;
    if (match_only(listing->query) && (counts || listing->page->sort_count == 0))
        listing_words(listing, &statement, counts);
    else
        listing_objects(listing, &statement, counts);
    if (!counts) {
        fputs(" LIMIT ", statement.file);
        statement_number(&statement, listing->page->most);
        fputs(" OFFSET ", statement.file);
        statement_number(&statement, (int64_t)listing->page->skip);
    }
    prepared = statement_close(&statement);
    while (prepared != NULL && connection_step(listing->connection, prepared) == 1)
        row(listing, prepared, closure);
    sqlite3_finalize(prepared);
    if (statement.refusal[0] != '\0') {
        failure_set(listing->failure, "%s", statement.refusal);
        listing->refused = true;
    }
    statement_free(&statement);
}

static void
row_count(struct listing *listing, sqlite3_stmt *prepared, void *closure)
{
    (void)listing;
    *(uint64_t *)closure = (uint64_t)sqlite3_column_int64(prepared, 0);
}

struct finding {
    catalog_found found;
    void *closure;
    uint64_t count;
};

static void
row_found(struct listing *listing, sqlite3_stmt *prepared, void *closure)
{
    struct finding *finding = closure;

    finding->count++;
    if (finding->found(sqlite3_column_int64(prepared, 0), finding->closure) != 0)
        connection_fail(listing->connection, "the results of a search can't be kept");
}

int
catalog_search(struct connection *connection, const struct query *query,
               const struct repository_page *page, catalog_found found, void *closure,
               uint64_t *size, struct failure *failure)
{
    struct listing listing = {connection, query, page, failure, false};
    struct finding finding = {found, closure, 0};

    *size = 0;
    if (page->most != 0)
        listing_run(&listing, false, row_found, &finding);
    /* All that there is was listed: then it is counted, too. */
    if (page->most < 0 && page->skip == 0)
        *size = finding.count;
    else
        listing_run(&listing, true, row_count, size);
    return listing.refused ? REPOSITORY_REFUSED : connection_status(connection, failure);
}
