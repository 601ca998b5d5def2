/*
 * Searches in the catalog (catalog.h): a query and a page as SQL, run within one short transaction.
 * In each worker process, from any thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"

struct listing {
    struct connection *connection;
    const struct query *query;
    const struct repository_page *page;
    char *words; /* what FTS5 is asked, NULL: nothing */
};

/* The texts of the query as FTS5 wants them: each a quoted string, so that nothing in it is an
 * operator. */
static char *
listing_words(const struct query *query)
{
    char *words = NULL;
    size_t size;
    FILE *file = open_memstream(&words, &size);

    if (file == NULL)
        return NULL;
    for (size_t i = 0; i < query->count; i++) {
        if (query->terms[i].kind != QUERY_TEXT)
            continue;
        fputs("\"", file);
        for (const char *c = query->terms[i].text; *c != '\0'; c++)
            fputs(*c == '"' ? "\"\"" : (char[]){*c, '\0'}, file);
        fputs("\" ", file);
    }
    if (fclose(file) == 0)
        return words;
    free(words);
    return NULL;
}

/* How many terms there are of texts (true), or of fields (false). */
static size_t
listing_count(const struct listing *listing, bool texts)
{
    size_t count = 0;

    for (size_t i = 0; i < listing->query->count; i++)
        count += (listing->query->terms[i].kind == QUERY_TEXT) == texts;
    return count;
}

/* True where the index alone answers. */
static bool
listing_by_words(const struct listing *listing, bool sorted)
{
    return listing->words != NULL && listing_count(listing, false) == 0 && !sorted;
}

static void
listing_order(const struct listing *listing, bool words, FILE *file)
{
    static const char *const fields[REPOSITORY_FIELDS] = {
        [REPOSITORY_ID] = SQL_SEARCH_BY_ID,
        [REPOSITORY_TYPE] = SQL_SEARCH_BY_TYPE,
    };

    fputs(SQL_SEARCH_ORDER, file);
    for (size_t i = 0; i < listing->page->sort_count; i++) {
        const struct repository_sort *sort = &listing->page->sorts[i];

        fprintf(file, "%s%s, ", fields[sort->field], sort->descending ? SQL_SEARCH_DESCENDING : "");
    }
    /* By rowid where the index leads, which gives its rows in that order by itself. */
    fputs(words || (listing->words != NULL && listing->page->sort_count == 0)
              ? SQL_SEARCH_BY_ROWID
              : SQL_SEARCH_BY_NUMBER,
          file);
}

static void
listing_where(const struct listing *listing, bool words, FILE *file)
{
    if (words)
        fputs(SQL_SEARCH_WORDS, file);
    else
        fputs(listing->words != NULL ? SQL_SEARCH_BOTH : SQL_SEARCH_OBJECTS, file);
    for (size_t i = 0; i < listing->query->count; i++) {
        if (listing->query->terms[i].kind != QUERY_TEXT)
            fputs(listing->query->terms[i].kind == QUERY_ID ? SQL_SEARCH_ID : SQL_SEARCH_TYPE,
                  file);
    }
}

/* The statement that counts, or the one that lists the page. */
static char *
listing_text(const struct listing *listing, bool counts)
{
    bool words = listing_by_words(listing, !counts && listing->page->sort_count > 0);
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    if (file == NULL)
        return NULL;
    if (counts)
        fputs(SQL_SEARCH_COUNT, file);
    else
        fputs(words ? SQL_SEARCH_WORD_NUMBERS : SQL_SEARCH_NUMBERS, file);
    listing_where(listing, words, file);
    if (!counts) {
        listing_order(listing, words, file);
        fputs(SQL_SEARCH_PAGE, file);
    }
    if (fclose(file) == 0)
        return text;
    free(text);
    return NULL;
}

static sqlite3_stmt *
listing_statement(const struct listing *listing, bool counts)
{
    char *text = listing_text(listing, counts);
    sqlite3_stmt *statement = NULL;
    int i = 1;

    if (text == NULL)
        connection_fail(listing->connection, "memory is short");
    statement = connection_prepare(listing->connection, text);
    free(text);
    if (listing->words != NULL)
        sqlite3_bind_text(statement, i++, listing->words, -1, SQLITE_STATIC);
    for (size_t term = 0; term < listing->query->count; term++) {
        if (listing->query->terms[term].kind != QUERY_TEXT)
            sqlite3_bind_text(statement, i++, listing->query->terms[term].text, -1, SQLITE_STATIC);
    }
    if (!counts) {
        sqlite3_bind_int64(statement, i++, listing->page->most);
        sqlite3_bind_int64(statement, i++, (int64_t)listing->page->skip);
    }
    return statement;
}

static uint64_t
listing_size(const struct listing *listing)
{
    sqlite3_stmt *statement = listing_statement(listing, true);
    uint64_t size = 0;

    if (connection_step(listing->connection, statement) == 1)
        size = (uint64_t)sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return size;
}

/* Hands over the numbers of the page, and says how many they were. */
static uint64_t
listing_numbers(const struct listing *listing, catalog_found found, void *closure)
{
    sqlite3_stmt *statement = listing_statement(listing, false);
    uint64_t count = 0;

    while (connection_step(listing->connection, statement) == 1) {
        if (found(sqlite3_column_int64(statement, 0), closure) != 0)
            connection_fail(listing->connection, "the results of a search can't be kept");
        count++;
    }
    sqlite3_finalize(statement);
    return count;
}

bool
catalog_search(struct connection *connection, const struct query *query,
               const struct repository_page *page, catalog_found found, void *closure,
               uint64_t *size)
{
    struct listing listing = {.connection = connection, .query = query, .page = page};
    uint64_t listed = 0;

    if (listing_count(&listing, true) > 0 && (listing.words = listing_words(query)) == NULL)
        connection_fail(connection, "memory is short");
    if (page->most != 0)
        listed = listing_numbers(&listing, found, closure);
    /* All that there is was listed: then it is counted, too. */
    *size = page->most < 0 && page->skip == 0 ? listed : listing_size(&listing);
    free(listing.words);
    return !connection->failed;
}
