/*
 * Connections to the store's catalog (database.h). In each worker process, from any of its threads.
 *
 * Each connection is opened when it is first needed, so always after the fork. One that met an
 * error is closed rather than used again: when the cause is gone (a full disk, a lack of
 * descriptors) the next one works.
 */
#include "database_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Readers need a connection only while they look something up: more of them than processors bring
 * nothing. */
#define READERS_MAX 8

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

/* ------------------------------------------------------------------ opening */

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
    pthread_mutex_init(&database->queueing, NULL);
    pthread_cond_init(&database->given_back, NULL);
    database->turn = -1;
    database->last = &database->jobs;
    database->path = database_path(root, "catalog.db", failure);
    if (database->path == NULL || !database_turn(database, root, failure) ||
        !database_make(database->path, failure) || !database_schema(database, failure))
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
    pthread_mutex_destroy(&closing->queueing);
    pthread_mutex_destroy(&closing->lock);
    free(closing->path);
    free(closing);
    *database = NULL;
}
