/*
 * Connections to the store's catalog (database.h). In each worker process, from any of its threads.
 *
 * Each connection is opened when it is first needed, so always after the fork. One that met an
 * error is closed rather than used again: when the cause is gone (a full disk, a lack of
 * descriptors) the next one works.
 */
#include "database.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* Readers need a connection only while they look something up: more of them than processors bring
 * nothing. */
#define READERS_MAX 8

struct database {
    char *path;
    pthread_mutex_t lock; /* over idle and readers */
    pthread_cond_t given_back;
    struct connection *idle;
    int readers;
    pthread_mutex_t writing; /* over writer and turn: this process' threads queue here, one of them
                                in flock() */
    struct connection *writer;
    int turn;
};

struct connection *
database_reader(struct database *database, struct failure *failure)
{
    struct connection *connection;

    pthread_mutex_lock(&database->lock);
    while (database->idle == NULL && database->readers == READERS_MAX)
        pthread_cond_wait(&database->given_back, &database->lock);
    connection = database->idle;
    if (connection != NULL)
        database->idle = connection->next;
    else
        database->readers++;
    pthread_mutex_unlock(&database->lock);

    if (connection == NULL)
        connection = connection_new(database->path, SQL_CONNECTION_READER, failure);
    if (connection != NULL)
        connection->database = database;
    if (connection != NULL && !connection_run(connection, SQL_READ, "")) {
        connection_status(connection, failure);
        connection_free(&connection);
    }
    if (connection == NULL) {
        pthread_mutex_lock(&database->lock);
        database->readers--;
        pthread_cond_signal(&database->given_back);
        pthread_mutex_unlock(&database->lock);
    }
    return connection;
}

void
database_release(struct connection **connection)
{
    struct database *database = (*connection)->database;

    if (!connection_end(*connection, SQL_COMMIT))
        connection_free(connection);
    pthread_mutex_lock(&database->lock);
    if (*connection != NULL) {
        (*connection)->next = database->idle;
        database->idle = *connection;
    } else {
        database->readers--;
    }
    pthread_cond_signal(&database->given_back);
    pthread_mutex_unlock(&database->lock);
    *connection = NULL;
}

/* ------------------------------------------------------------------ the writer */

static bool
database_lock(struct database *database, struct failure *failure)
{
    int result;

    pthread_mutex_lock(&database->writing);
    while ((result = flock(database->turn, LOCK_EX)) != 0 && errno == EINTR)
        continue;
    if (result != 0) {
        failure_set(failure, "the catalog's lock file: %s", strerror(errno));
        pthread_mutex_unlock(&database->writing);
    }
    return result == 0;
}

static void
database_unlock(struct database *database)
{
    if (database->writer != NULL && database->writer->failed)
        connection_free(&database->writer);
    flock(database->turn, LOCK_UN);
    pthread_mutex_unlock(&database->writing);
}

struct connection *
database_writer(struct database *database, struct failure *failure)
{
    if (!database_lock(database, failure))
        return NULL;
    if (database->writer == NULL)
        database->writer = connection_new(database->path, SQL_CONNECTION, failure);
    if (database->writer != NULL) {
        database->writer->database = database;
        if (connection_run(database->writer, SQL_WRITE, ""))
            return database->writer;
        connection_status(database->writer, failure);
    }
    database_unlock(database);
    return NULL;
}

int
database_commit(struct connection **connection, struct failure *failure)
{
    struct database *database = (*connection)->database;
    int status;

    connection_end(*connection, SQL_COMMIT);
    status = connection_status(*connection, failure);
    database_unlock(database); /* which closes a connection that failed, and so rolls back */
    *connection = NULL;
    return status;
}

void
database_rollback(struct connection **connection)
{
    struct database *database = (*connection)->database;

    connection_end(*connection, SQL_ROLLBACK);
    database_unlock(database);
    *connection = NULL;
}

/* ------------------------------------------------------------------ opening */

/* The pragma answers with the mode that is now in force. */
static bool
catalog_journal(struct connection *connection)
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

static bool
catalog_schema(struct connection *connection)
{
    char text[128];
    sqlite3_stmt *statement;
    int version = -1;

    if (!connection_run(connection, SQL_WRITE, ""))
        return false;
    statement = connection_query(connection, SQL_USER_VERSION, "");
    if (connection_step(connection, statement) == 1)
        version = sqlite3_column_int(statement, 0);
    sqlite3_reset(statement);
    if (version == 0) {
        snprintf(text, sizeof(text), "PRAGMA application_id = %d; PRAGMA user_version = %d;",
                 SQL_APPLICATION, SQL_VERSION);
        connection_execute(connection, SQL_SCHEMA);
        connection_execute(connection, text);
    } else if (version != SQL_VERSION) {
        snprintf(text, sizeof(text),
                 "schema version %d is newer than %d, the last this handler knows", version,
                 SQL_VERSION);
        connection_fail(connection, text);
    }
    return connection_end(connection, SQL_COMMIT);
}

static bool
database_setup(struct database *database, struct failure *failure)
{
    bool good = false;

    if (!database_lock(database, failure))
        return false;
    database->writer = connection_new(database->path, SQL_CONNECTION, failure);
    if (database->writer != NULL) {
        good = catalog_journal(database->writer) && catalog_schema(database->writer);
        connection_status(database->writer, failure);
    }
    database_unlock(database);
    return good;
}

static char *
database_path(const char *root, const char *name, struct failure *failure)
{
    char *path;

    if (asprintf(&path, "%s/%s", root, name) >= 0)
        return path;
    failure_set(failure, "memory is short");
    return NULL;
}

/* Makes the catalog's file where there is none: for its mode, which SQLite gives to the log's files
 * too. One that is there is left alone: closing a file drops all locks that the process has on it.
 */
static bool
database_make(const char *path, struct failure *failure)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0 && errno != EEXIST) {
        failure_set(failure, "%s: %s", path, strerror(errno));
        return false;
    }
    if (fd >= 0)
        close(fd);
    return true;
}

static bool
database_turn(struct database *database, const char *root, struct failure *failure)
{
    char *path = database_path(root, "writer.lock", failure);

    if (path == NULL)
        return false;
    database->turn = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (database->turn < 0)
        failure_set(failure, "%s: %s", path, strerror(errno));
    free(path);
    return database->turn >= 0;
}

struct database *
database_open(const char *root, struct failure *failure)
{
    struct database *database = calloc(1, sizeof(*database));

    if (database == NULL) {
        failure_set(failure, "memory is short");
        return NULL;
    }
    pthread_mutex_init(&database->lock, NULL);
    pthread_mutex_init(&database->writing, NULL);
    pthread_cond_init(&database->given_back, NULL);
    database->turn = -1;
    database->path = database_path(root, "catalog.db", failure);
    if (database->path == NULL || !database_turn(database, root, failure) ||
        !database_make(database->path, failure) || !database_setup(database, failure))
        database_close(&database);
    return database;
}

void
database_close(struct database **database)
{
    struct database *closing = *database;

    if (closing == NULL)
        return;
    while (closing->idle != NULL) {
        struct connection *connection = closing->idle;

        closing->idle = connection->next;
        connection_free(&connection);
    }
    connection_free(&closing->writer);
    if (closing->turn >= 0)
        close(closing->turn);
    pthread_cond_destroy(&closing->given_back);
    pthread_mutex_destroy(&closing->writing);
    pthread_mutex_destroy(&closing->lock);
    free(closing->path);
    free(closing);
    *database = NULL;
}
