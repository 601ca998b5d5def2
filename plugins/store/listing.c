/*
 * Searches in the index (catalog.h): the set of what matches, and a page of it in the order that is
 * wanted. Within one short transaction, in each worker process, from any thread.
 */
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "index_entry.h"
#include "visible.h"
#include "where.h"

/* So few are sorted by looking at each; of more, the first are found by a walk along the field that
 * they are sorted by. */
#define FEW 4000

struct listing {
    struct connection *connection;
    const struct query *query;
    const struct repository_page *page;
    struct visible visible;
    struct set *set;
    uint64_t size; /* of the set */
    uint64_t skip; /* what is left to be passed over */
    uint64_t left; /* what is left of the page */
    catalog_found found;
    void *closure;
};

/* One more, in order; false: the page is full. */
static bool
listing_emit(struct listing *listing, int64_t number)
{
    if (listing->skip > 0) {
        listing->skip--;
        return true;
    }
    if (listing->left == 0)
        return false;
    listing->left--;
    if (listing->found(number, listing->closure) != 0)
        connection_fail(listing->connection, "the results of a search can't be kept");
    return listing->left > 0 && !listing->connection->failed;
}

/* ------------------------------------------------------------------ as they were created */

/* Of a set that is all but its bits. */
static void
listing_but(struct listing *listing)
{
    sqlite3_stmt *statement = connection_query(listing->connection, SQL_ENTRIES, "");
    bool more = true;

    while (more && connection_step(listing->connection, statement) == 1) {
        int64_t number = sqlite3_column_int64(statement, 0);

        if (set_has(listing->set, number))
            more = listing_emit(listing, number);
    }
    sqlite3_reset(statement);
}

static void
listing_plain(struct listing *listing)
{
    int64_t number = -1;

    if (set_is_turned(listing->set)) {
        listing_but(listing);
        return;
    }
    while ((number = set_next(listing->set, number + 1)) >= 0 && listing_emit(listing, number))
        continue;
}

/* ------------------------------------------------------------------ along a field */

/* Objects of one value, which come in the order of their numbers or the other way round. */
struct group {
    int64_t *numbers;
    size_t count;
    size_t room;
    sqlite3_value *value;
};

static bool
value_same(const sqlite3_value *value, sqlite3_value *other)
{
    sqlite3_value *first = (sqlite3_value *)value;
    bool text = sqlite3_value_type(other) == SQLITE_TEXT;

    if (first == NULL || text != (sqlite3_value_type(first) == SQLITE_TEXT))
        return false;
    if (!text)
        return sqlite3_value_double(first) == sqlite3_value_double(other) &&
               sqlite3_value_int64(first) == sqlite3_value_int64(other);
    return sqlite3_value_bytes(first) == sqlite3_value_bytes(other) &&
           memcmp(sqlite3_value_text(first), sqlite3_value_text(other),
                  (size_t)sqlite3_value_bytes(other)) == 0;
}

static void
group_add(struct listing *listing, struct group *group, int64_t number)
{
    if (group->count == group->room) {
        size_t room = group->room == 0 ? 256 : 2 * group->room;
        int64_t *grown = realloc(group->numbers, room * sizeof(*grown));

        if (grown == NULL) {
            connection_fail(listing->connection, "memory is short");
            return;
        }
        group->numbers = grown;
        group->room = room;
    }
    group->numbers[group->count++] = number;
}

/* Emits the group, which was walked downwards, upwards. */
static bool
group_end(struct listing *listing, struct group *group)
{
    bool more = true;

    while (group->count > 0 && more)
        more = listing_emit(listing, group->numbers[--group->count]);
    group->count = 0;
    return more;
}

/* One row of a walk; false: the page is full. */
static bool
along_row(struct listing *listing, const struct walk *walk, sqlite3_stmt *row, struct group *group)
{
    int64_t number = sqlite3_column_int64(row, 0);
    bool more = true;

    if (walk->order == WALK_UP)
        return listing_emit(listing, number);
    if (!value_same(group->value, sqlite3_column_value(row, 1))) {
        more = group_end(listing, group);
        sqlite3_value_free(group->value);
        group->value = sqlite3_value_dup(sqlite3_column_value(row, 1));
    }
    if (more)
        group_add(listing, group, number);
    return more;
}

/* Walks one part. An object with several values comes with the first of them. */
static bool
along_part(struct listing *listing, const struct walk *walk, int part, struct set *seen)
{
    struct group group = {.numbers = NULL};
    struct statement statement;
    sqlite3_stmt *row = NULL;
    bool more = true;

    if (!statement_open(&statement, listing->connection))
        return false;
    if (walk_write(&statement, walk, part))
        row = statement_close(&statement);
    while (row != NULL && more && connection_step(listing->connection, row) == 1) {
        int64_t number = sqlite3_column_int64(row, 0);

        if (!set_has(listing->set, number) || set_has(seen, number))
            continue;
        set_add(seen, number);
        more = along_row(listing, walk, row, &group);
    }
    more = more && group_end(listing, &group);
    sqlite3_finalize(row);
    statement_free(&statement);
    sqlite3_value_free(group.value);
    free(group.numbers);
    return more && !listing->connection->failed;
}

/* The range of that field that all that matches lies in, NULL where there is none: where there are no arrays on the way, an
 * object has one value. */
static const struct query *
along_range(const struct query *query, const struct query_field *field)
{
    const struct query *range = NULL;

    if (query->kind == QUERY_AND) {
        for (size_t i = 0; i < query->count && range == NULL; i++)
            range = along_range(query->children[i], field);
        return range;
    }
    if ((query->kind != QUERY_RANGE && query->kind != QUERY_NUMBER) ||
        query->field.column != field->column)
        return NULL;
    if (field->column == QUERY_POINTER &&
        (strcmp(query->field.pointer, field->pointer) != 0 || strstr(field->pointer, "/_") != NULL))
        return NULL;
    return query;
}

/* In the order of one field; what lacks it comes last. */
static void
listing_along(struct listing *listing, const struct repository_sort *sort, int64_t most)
{
    const struct walk walk = {&sort->field, along_range(listing->query, &sort->field),
                              sort->descending ? WALK_DOWN : WALK_UP, NULL};
    struct set *seen = set_new(most);
    bool more = seen != NULL;

    if (seen == NULL)
        connection_fail(listing->connection, "memory is short");
    for (int i = 0; i < WALK_PARTS && more; i++)
        more = along_part(listing, &walk, sort->descending ? WALK_PARTS - 1 - i : i, seen);
    if (more && walk.range == NULL) {
        set_turn(seen);
        set_and(&listing->set, &seen);
        listing_plain(listing);
    }
    set_free(&seen);
}

/* ------------------------------------------------------------------ by several fields */

/* Objects without the field come last, in either direction. */
static void
sorted_field(struct statement *statement, const struct repository_sort *sort)
{
    if (sort->field.column == QUERY_POINTER) {
        fputs(sort->descending ? SQL_SORT_GREATEST : SQL_SORT_LEAST, statement->file);
        statement_number(statement, entry_path(statement->connection, sort->field.pointer));
        fputs(")", statement->file);
    } else {
        fprintf(statement->file, "o.%s", walk_column(sort->field.column));
    }
    fputs(sort->descending ? " DESC NULLS LAST, " : " NULLS LAST, ", statement->file);
}

/* Looks at each object of the set, or (it is all but its bits) at all that there are. */
static void
sorted_write(struct listing *listing, struct statement *statement, const char *numbers)
{
    fputs(numbers == NULL ? SQL_SORT_ALL : SQL_SORT_SOME, statement->file);
    if (numbers != NULL)
        statement_text(statement, numbers);
    fputs(numbers == NULL ? " ORDER BY " : ")) ORDER BY ", statement->file);
    for (size_t i = 0; i < listing->page->sort_count; i++)
        sorted_field(statement, &listing->page->sorts[i]);
    fputs("o.number", statement->file);
}

static void
listing_sorted(struct listing *listing)
{
    char *numbers = set_is_turned(listing->set) ? NULL : set_text(listing->set);
    struct statement statement;
    sqlite3_stmt *row;
    bool more = true;

    if (numbers == NULL && !set_is_turned(listing->set))
        connection_fail(listing->connection, "memory is short");
    else if (statement_open(&statement, listing->connection)) {
        sorted_write(listing, &statement, numbers);
        row = statement_close(&statement);
        while (row != NULL && more && connection_step(listing->connection, row) == 1) {
            int64_t number = sqlite3_column_int64(row, 0);

            if (set_has(listing->set, number))
                more = listing_emit(listing, number);
        }
        sqlite3_finalize(row);
        statement_free(&statement);
    }
    free(numbers);
}

/* ------------------------------------------------------------------ a search */

/* The greatest number and how many objects there are, as the connection sees them. */
static void
listing_universe(struct connection *connection, int64_t *most, uint64_t *count)
{
    sqlite3_stmt *statement = connection_query(connection, SQL_INDEX_STATE, "");

    *most = 0;
    *count = 0;
    if (connection_step(connection, statement) == 1) {
        *most = sqlite3_column_int64(statement, INDEX_NUMBER);
        *count = (uint64_t)sqlite3_column_int64(statement, INDEX_ENTRIES);
        sqlite3_reset(statement);
    }
}

/* How many objects a walk passes, where each has one value. */
static uint64_t
listing_count(struct connection *connection, const struct walk *walk)
{
    struct statement statement;
    sqlite3_stmt *row = NULL;
    uint64_t count = 0;

    for (int part = 0; part < WALK_PARTS && statement_open(&statement, connection); part++) {
        fputs(SQL_WALK_COUNT, statement.file);
        if (walk_write(&statement, walk, part)) {
            fputs(")", statement.file);
            row = statement_close(&statement);
            if (connection_step(connection, row) == 1)
                count += (uint64_t)sqlite3_column_int64(row, 0);
            sqlite3_finalize(row);
        }
        statement_free(&statement);
    }
    return count;
}

/* What matches of what the client may read, and how much it is. A range that is also sorted by needs
 * no set where all may be read: all that the walk passes is in it. */
static void
listing_match(struct listing *listing, struct where *where, uint64_t all)
{
    const struct repository_sort *sort = &listing->page->sorts[0];

    if (listing->page->sort_count == 1 && listing->visible.all &&
        along_range(listing->query, &sort->field) == listing->query) {
        const struct walk walk = {&sort->field, listing->query, WALK_ANYHOW, NULL};

        listing->size = listing_count(listing->connection, &walk);
        listing->set = where_set(where, &(struct query){.kind = QUERY_ALL});
        return;
    }
    listing->set = where_set(where, listing->query);
    if (listing->set != NULL)
        visible_keep(&listing->visible, where, &listing->set);
    if (listing->set != NULL)
        listing->size = set_bits(listing->set);
    if (listing->set != NULL && set_is_turned(listing->set))
        listing->size = all - listing->size;
}

static void
listing_page(struct listing *listing, int64_t most)
{
    const struct repository_page *page = listing->page;
    bool ranged = page->sort_count == 1 && set_is_turned(listing->set);

    listing->skip = page->skip;
    listing->left = page->most < 0 ? UINT64_MAX : (uint64_t)page->most;
    if (listing->left == 0 || listing->skip >= listing->size)
        return;
    if (page->sort_count == 0)
        listing_plain(listing);
    else if (page->sort_count == 1 && (ranged || listing->size > FEW))
        listing_along(listing, &page->sorts[0], most);
    else
        listing_sorted(listing);
}

int
catalog_search(struct connection *connection, const struct catalog_asking *asking,
               catalog_found found, void *closure, uint64_t *size, struct failure *failure)
{
    struct listing listing = {.connection = connection,
                              .query = asking->query,
                              .page = asking->page,
                              .found = found,
                              .closure = closure};
    struct where where = {.connection = connection};
    uint64_t all;

    listing_universe(connection, &where.most, &all);
    if (visible_init(&listing.visible, connection, asking->rules, asking->client))
        listing_match(&listing, &where, all);
    if (listing.set != NULL)
        listing_page(&listing, where.most);
    *size = listing.size;
    set_free(&listing.set);
    visible_fini(&listing.visible);
    if (where.refusal[0] == '\0')
        return connection_status(connection, failure);
    failure_set(failure, "%s", where.refusal);
    return REPOSITORY_REFUSED;
}
