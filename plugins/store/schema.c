/*
 * What is in the store's catalog: made, checked, and brought up to date when a worker opens it. In
 * each worker process, before it has other threads that use the catalog; processes take turns.
 */
#include <stdio.h>
#include <string.h>

#include "database_impl.h"

/* A new catalog takes all these steps, an old one those that it has not taken yet. */
static const char *const schema_steps[] = {
#define SCHEMA_STEP(text) text,
    SQL_SCHEMA_STEPS(SCHEMA_STEP)
#undef SCHEMA_STEP
};

int
database_number(struct connection *connection, enum sql which)
{
    sqlite3_stmt *statement = connection_query(connection, which, "");
    int value = -1;

    if (connection_step(connection, statement) == 1) {
        value = sqlite3_column_int(statement, 0);
        sqlite3_reset(statement);
    }
    return value;
}

/* The pragma answers with the mode that is now in force. */
bool
database_journal(struct connection *connection)
{
    sqlite3_stmt *statement = connection_prepare(connection, SQL_JOURNAL);
    const char *mode = connection_step(connection, statement) == 1
                           ? (const char *)sqlite3_column_text(statement, 0)
                           : NULL;

    if (mode == NULL || strcmp(mode, "wal") != 0)
        connection_fail(connection,
                        "this file system can't hold a write-ahead log; use a local one");
    sqlite3_finalize(statement);
    return !connection->failed;
}

static void
schema_refuse(struct connection *connection, int version)
{
    char text[160];

    if (version > SQL_SCHEMA_VERSION)
        snprintf(text, sizeof(text),
                 "schema version %d is newer than %d, the last this handler knows", version,
                 SQL_SCHEMA_VERSION);
    else
        snprintf(text, sizeof(text), "it is the database of another program");
    connection_fail(connection, text);
}

static void
schema_mark(struct connection *connection)
{
    char text[128];

    snprintf(text, sizeof(text), "PRAGMA application_id = %d; PRAGMA user_version = %d;",
             SQL_APPLICATION, SQL_SCHEMA_VERSION);
    connection_execute(connection, text);
}

static void
schema_upgrade(struct connection *connection, int version)
{
    for (int step = version; step < SQL_SCHEMA_VERSION; step++)
        connection_execute(connection, schema_steps[step]);
    schema_mark(connection);
}

/* A writer that was killed may have left a whole transaction in the log, behind the end that the other
 * processes know: they don't see it, but when all of them have ended, the next start would. A
 * transaction of ours takes its place, so what was not there stays so. It is no harm that this can't be
 * done on a full disk: then the next one that writes does it. */
static void
schema_seal(struct connection *connection)
{
    if (!connection_run(connection, SQL_WRITE, ""))
        return;
    schema_mark(connection); /* writes the first page, the same or not */
    connection_end(connection, SQL_COMMIT);
}

/* In one transaction: all steps, or none. */
static bool
schema_bring_up(struct connection *connection)
{
    int version, application;

    if (!connection_run(connection, SQL_WRITE, ""))
        return false;
    version = database_number(connection, SQL_USER_VERSION);
    application = database_number(connection, SQL_APPLICATION_ID);
    if (version < 0 || version > SQL_SCHEMA_VERSION ||
        application != (version == 0 ? 0 : SQL_APPLICATION))
        schema_refuse(connection, version);
    else if (version < SQL_SCHEMA_VERSION)
        schema_upgrade(connection, version);
    return connection_end(connection, SQL_COMMIT);
}

bool
database_schema(struct database *database, struct failure *failure)
{
    bool good = false;

    if (!database_lock(database, failure))
        return false;
    database->writer =
        connection_new(DATABASE_NAME, database->readers.path, SQL_CONNECTION_WRITER, failure);
    if (database->writer != NULL) {
        good = database_journal(database->writer) && schema_bring_up(database->writer);
        connection_status(database->writer, failure);
        if (good)
            schema_seal(database->writer);
    }
    database_unlock(database);
    return good;
}
