/*
 * Transactions of the writer of the store's catalog (database.h): the turn among all processes, what a
 * commit is, and the log. Who shares one is queue.c's matter. In each worker process, from the one
 * thread that leads.
 */
#include "database_impl.h"

#include <errno.h>
#include <string.h>
#include <sys/file.h>

/* The log is copied into the catalog from so many pages (32 MiB) on. Readers that come and go without
 * a pause keep it from starting anew: from so many (128 MiB) on, it waits for them a moment. */
#define LOG_PAGES 8192
#define LOG_PRESSING 32768
#define LOG_WAIT_MS 500

/* ------------------------------------------------------------------ the log */

/* Called after each commit. What it can't do now it does later: the commit stands. */
static int
log_grown(void *closure, sqlite3 *handle, const char *name, int pages)
{
    (void)closure;
    if (pages >= LOG_PRESSING) {
        sqlite3_busy_timeout(handle, LOG_WAIT_MS);
        sqlite3_wal_checkpoint_v2(handle, name, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
        sqlite3_busy_timeout(handle, CONNECTION_BUSY_MS);
    } else if (pages >= LOG_PAGES) {
        sqlite3_wal_checkpoint_v2(handle, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    }
    return SQLITE_OK;
}

void
database_log(struct connection *connection)
{
    sqlite3_wal_hook(connection->handle, log_grown, NULL);
}

/* ------------------------------------------------------------------ a transaction */

static bool
lock_wait(int fd)
{
    int result;

    while ((result = flock(fd, LOCK_EX)) != 0 && errno == EINTR)
        continue;
    return result == 0;
}

/* The kernel wakes all that wait for a lock, and whoever gave it up may have it again before them. So
 * they wait at a door, and the one who is through is next: who has written queues behind it. */
bool
database_lock(struct database *database, struct failure *failure)
{
    bool locked = lock_wait(database->door) && lock_wait(database->turn);

    if (!locked)
        failure_set(failure, "the catalog's lock file: %s", strerror(errno));
    flock(database->door, LOCK_UN);
    return locked;
}

void
database_unlock(struct database *database)
{
    if (database->writer != NULL && database->writer->failed)
        connection_free(&database->writer);
    flock(database->turn, LOCK_UN);
}

struct connection *
database_writer(struct database *database, struct failure *failure)
{
    if (!database_lock(database, failure))
        return NULL;
    if (database->writer == NULL)
        database->writer =
            connection_new(DATABASE_NAME, database->readers.path, SQL_CONNECTION_WRITER, failure);
    if (database->writer != NULL) {
        database->writer->database = database;
        database_log(database->writer);
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
