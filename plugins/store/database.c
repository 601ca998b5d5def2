/*
 * Connections to the store's catalog (database.h). In each worker process, from any of its threads.
 */
#include "database_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct connection *
database_reader(struct database *database, struct failure *failure)
{
    return pool_take(&database->readers, failure);
}

struct connection *
database_looker(struct database *database, struct failure *failure)
{
    return pool_take_plain(&database->readers, failure);
}

void
database_release(struct connection **connection)
{
    pool_give(connection);
}

/* ------------------------------------------------------------------ opening */

static struct connection *
database_connect(struct pool *pool, struct failure *failure)
{
    return connection_new(DATABASE_NAME, pool->path, SQL_CONNECTION_READER, failure);
}

char *
database_path(const char *root, const char *name, struct failure *failure)
{
    char *path;

    if (asprintf(&path, "%s/%s", root, name) >= 0)
        return path;
    failure_set(failure, "memory is short");
    return NULL;
}

/* For its mode, which SQLite gives to the log's files too. One that is there is left alone: closing
 * a file drops all locks that the process has on it. */
bool
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

int
database_lock_file(const char *root, const char *name, struct failure *failure)
{
    char *path = database_path(root, name, failure);
    int fd;

    if (path == NULL)
        return -1;
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        failure_set(failure, "%s: %s", path, strerror(errno));
    free(path);
    return fd;
}

struct database *
database_open(const char *root, struct failure *failure)
{
    struct database *database = calloc(1, sizeof(*database));

    if (database == NULL) {
        failure_set(failure, "memory is short");
        return NULL;
    }
    database_queue_init(database);
    pool_init(&database->readers, database_path(root, "catalog.db", failure), database_connect,
              NULL);
    database->door = database_lock_file(root, "queue.lock", failure);
    database->turn = database->door < 0 ? -1 : database_lock_file(root, "writer.lock", failure);
    if (database->readers.path == NULL || database->turn < 0 ||
        !database_make(database->readers.path, failure) || !database_schema(database, failure))
        database_close(&database);
    return database;
}

void
database_close(struct database **database)
{
    struct database *closing = *database;

    if (closing == NULL)
        return;
    database_queue_fini(closing);
    connection_free(&closing->writer);
    if (closing->door >= 0)
        close(closing->door);
    if (closing->turn >= 0)
        close(closing->turn);
    pool_fini(&closing->readers);
    free(closing);
    *database = NULL;
}
