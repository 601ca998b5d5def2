/*
 * What the index takes in, batch by batch (index.h). In each worker process, from any thread, under
 * the index's lock.
 *
 * A batch is one transaction of the index over one state of the catalog: first new objects, in
 * their order, then objects that were updated or deleted, as they are now. How far it got is
 * written in the same transaction, so a crash anywhere leaves an index that knows what it has.
 */
#include <doip/json.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "catalog.h"
#include "index_entry.h"
#include "index_impl.h"

/* So much is taken in at once: a search that comes meanwhile waits for no more. */
#define BATCH_OBJECTS 1000
#define BATCH_MS 250
/* The catalog forgets changes when there are so many, and so many in one transaction. */
#define FORGET_LEAST 256
#define FORGET_MOST 4096

/* ------------------------------------------------------------------ how far */

static struct feed
feed_read(struct connection *connection, enum sql which)
{
    sqlite3_stmt *statement = connection_query(connection, which, "");
    struct feed feed = {0, 0};

    if (connection_step(connection, statement) == 1) {
        feed.number = sqlite3_column_int64(statement, 0);
        feed.change = sqlite3_column_int64(statement, 1);
        sqlite3_reset(statement);
    }
    return feed;
}

struct feed
feed_taken(struct connection *connection)
{
    return feed_read(connection, SQL_INDEX_STATE);
}

bool
feed_committed(struct index *index, struct feed *feed, struct failure *failure)
{
    struct connection *catalog = database_reader(index->database, failure);
    int status;

    if (catalog == NULL)
        return false;
    *feed = feed_read(catalog, SQL_FEED);
    status = connection_status(catalog, failure);
    database_release(&catalog);
    return status == REPOSITORY_OK;
}

/* ------------------------------------------------------------------ a batch */

struct batch {
    struct index *index;
    struct connection *catalog;
    struct connection *writer;
    struct feed feed; /* how far */
    int64_t before;   /* objects that were there before it */
    int64_t entries;  /* how many more there are now */
    struct timespec end;
    int left;
};

static bool
batch_full(struct batch *batch)
{
    struct timespec now;

    if (batch->left-- <= 0)
        return true;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec > batch->end.tv_sec ||
           (now.tv_sec == batch->end.tv_sec && now.tv_nsec > batch->end.tv_nsec);
}

/* The attributes of the row at hand, NULL where it has none, or damaged ones, which are not searched: whoever
 * reads the object is told. */
static json_t *
batch_attributes(struct batch *batch, sqlite3_stmt *statement)
{
    const char *text = (const char *)sqlite3_column_text(statement, CATALOG_ATTRIBUTES);
    json_t *attributes = NULL;

    if (text != NULL)
        attributes = doip_json_parse(
            text, (size_t)sqlite3_column_bytes(statement, CATALOG_ATTRIBUTES), (char[64]){""}, 64);
    if (text != NULL && attributes == NULL && errno == ENOMEM)
        connection_fail(batch->catalog, "memory is short");
    return attributes;
}

/* Takes in the object of the row at hand. */
static void
batch_add(struct batch *batch, sqlite3_stmt *statement)
{
    json_t *attributes = batch_attributes(batch, statement);
    char *more =
        index_text(batch->index, batch->catalog, sqlite3_column_int64(statement, CATALOG_NUMBER));

    entry_add(batch->writer, statement, attributes, more);
    batch->entries++;
    free(more);
    json_decref(attributes);
}

/* True: there may be more. */
static bool
batch_creates(struct batch *batch)
{
    sqlite3_stmt *statement =
        connection_query(batch->catalog, SQL_OBJECTS_AFTER, "i", batch->feed.number);
    bool more = false;

    while (!more && connection_step(batch->catalog, statement) == 1) {
        batch_add(batch, statement);
        batch->feed.number = sqlite3_column_int64(statement, CATALOG_NUMBER);
        more = batch_full(batch);
    }
    sqlite3_reset(statement);
    return more;
}

/* An object that was updated or deleted. One that is not taken in yet will come as it is then; one
 * that came in this batch came as it is now. */
static void
batch_change(struct batch *batch, int64_t number)
{
    sqlite3_stmt *statement;

    if (number > batch->before)
        return;
    if (entry_remove(batch->writer, number))
        batch->entries--;
    statement = connection_query(batch->catalog, SQL_OBJECT, "i", number);
    if (connection_step(batch->catalog, statement) == 1)
        batch_add(batch, statement);
    sqlite3_reset(statement);
}

static bool
batch_changes(struct batch *batch)
{
    sqlite3_stmt *statement =
        connection_query(batch->catalog, SQL_CHANGES_AFTER, "i", batch->feed.change);
    bool more = false;

    while (!more && connection_step(batch->catalog, statement) == 1) {
        batch_change(batch, sqlite3_column_int64(statement, 1));
        batch->feed.change = sqlite3_column_int64(statement, 0);
        more = batch_full(batch);
    }
    sqlite3_reset(statement);
    return more;
}

/* One transaction; true: there may be more. What the catalog could not be asked is not taken for an answer. */
static bool
batch_run(struct batch *batch)
{
    struct feed before;
    bool more;

    if (!connection_run(batch->writer, SQL_WRITE, ""))
        return false;
    batch->feed = before = feed_taken(batch->writer);
    batch->before = batch->feed.number;
    more = batch_creates(batch) || batch_changes(batch);
    if (batch->catalog->failed ||
        (batch->feed.number == before.number && batch->feed.change == before.change)) {
        batch->feed = before;
        connection_end(batch->writer, SQL_ROLLBACK);
    } else {
        connection_run(batch->writer, SQL_INDEX_TAKEN, "iii", batch->feed.number,
                       batch->feed.change, batch->entries);
        connection_end(batch->writer, SQL_COMMIT);
    }
    return more;
}

int
index_batch(struct index *index, struct failure *failure)
{
    struct batch batch = {.index = index, .left = BATCH_OBJECTS};
    bool more;
    int status;

    batch.writer = index_writer(index, failure);
    if (batch.writer == NULL)
        return REPOSITORY_FAILED;
    batch.catalog = database_reader(index->database, failure);
    if (batch.catalog == NULL)
        return REPOSITORY_FAILED;
    clock_gettime(CLOCK_MONOTONIC, &batch.end);
    batch.end.tv_nsec += BATCH_MS * 1000000L;
    batch.end.tv_sec += batch.end.tv_nsec / 1000000000L;
    batch.end.tv_nsec %= 1000000000L;
    more = batch_run(&batch);
    status = connection_status(batch.catalog, failure);
    database_release(&batch.catalog);
    if (status == REPOSITORY_OK)
        status = connection_status(batch.writer, failure);
    if (status == REPOSITORY_OK)
        index->has = batch.feed;
    return status == REPOSITORY_OK ? more : status;
}

/* ------------------------------------------------------------------ forgetting */

/* Under the catalog's write lock. */
static int
forget_work(struct connection *connection, void *closure, struct failure *failure)
{
    connection_run(connection, SQL_CHANGES_FORGET, "ii", *(const int64_t *)closure,
                   (int64_t)FORGET_MOST);
    return connection_status(connection, failure);
}

/* How many changes up to that one the catalog still has, FORGET_LEAST at most. */
static int
forget_count(struct index *index, int64_t change)
{
    struct failure failure;
    struct connection *catalog = database_reader(index->database, &failure);
    sqlite3_stmt *statement;
    int count = 0;

    if (catalog == NULL)
        return 0;
    statement = connection_query(catalog, SQL_CHANGES_COUNT, "ii", change, (int64_t)FORGET_LEAST);
    if (connection_step(catalog, statement) == 1)
        count = sqlite3_column_int(statement, 0);
    database_release(&catalog);
    return count;
}

/* A commit of its own that is synced takes the ones before it to the disk, too. */
static bool
forget_sync(struct index *index)
{
    struct failure failure;
    struct connection *writer = index_writer(index, &failure);

    if (writer == NULL || !connection_execute(writer, "PRAGMA synchronous = FULL") ||
        !connection_run(writer, SQL_WRITE, ""))
        return false;
    index->has = feed_taken(writer);
    connection_run(writer, SQL_INDEX_TAKEN, "iii", index->has.number, index->has.change,
                   (int64_t)0);
    connection_end(writer, SQL_COMMIT);
    return connection_execute(writer, "PRAGMA synchronous = NORMAL");
}

void
index_forget(struct index *index)
{
    struct failure failure;

    while (forget_count(index, index->has.change) >= FORGET_LEAST && forget_sync(index) &&
           database_write(index->database, forget_work, &index->has.change, &failure) ==
               REPOSITORY_OK)
        continue;
}
