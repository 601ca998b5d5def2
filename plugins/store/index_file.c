/*
 * The index's file and its lock (index.h). In each worker process, from any thread.
 *
 * A file that does not fit is removed and made anew, and so may an operator remove it at any time:
 * each process compares what it has open with what has the name. Files are opened and removed under
 * the lock only, so that nobody opens one half of an old index and one of a new one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "database_impl.h"
#include "index_entry.h"
#include "index_impl.h"

/* ------------------------------------------------------------------ the lock */

bool
index_lock(struct index *index, bool wait, struct failure *failure)
{
    int result;

    if (!wait && pthread_mutex_trylock(&index->working) != 0)
        return false;
    if (wait)
        pthread_mutex_lock(&index->working);
    while ((result = flock(index->lock, wait ? LOCK_EX : LOCK_EX | LOCK_NB)) != 0 && errno == EINTR)
        continue;
    if (result == 0)
        return true;
    failure_set(failure, "the index's lock file: %s", strerror(errno));
    pthread_mutex_unlock(&index->working);
    return false;
}

/* ------------------------------------------------------------------ the file */

/* Nothing is open any more but what readers hold, and they close it. */
static void
file_leave(struct index *index)
{
    connection_free(&index->writer);
    pool_renew(&index->readers);
    index->device = 0;
    index->inode = 0;
}

void
index_discard(struct index *index)
{
    static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
    char *path;

    file_leave(index);
    for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
        if (asprintf(&path, "%s%s", index->readers.path, endings[i]) < 0)
            return;
        unlink(path);
        free(path);
    }
}

/* A writer that has failed may be in the middle of a transaction. Another process would wait for its end,
 * and hold the lock meanwhile, without which this one can't end it. */
static void
file_leave_failed(struct index *index)
{
    if (index->writer != NULL && index->writer->damaged)
        index_discard(index);
    else if (index->writer != NULL && index->writer->failed)
        file_leave(index);
}

void
index_unlock(struct index *index)
{
    file_leave_failed(index);
    flock(index->lock, LOCK_UN);
    pthread_mutex_unlock(&index->working);
}

/* What a new index begins with: nothing but the changes that no object shows any more. */
static void
file_fill(struct index *index)
{
    char text[128];

    connection_execute(index->writer, SQL_INDEX);
    snprintf(text, sizeof(text), "PRAGMA application_id = %d; PRAGMA user_version = %d;",
             SQL_APPLICATION, SQL_INDEX_VERSION);
    connection_execute(index->writer, text);
}

/* Whether the index was made with the option that this process has (the first time: later, one that
 * another process made with another is as good), and of this catalog, and neither of a later time than it is, nor of one of which
 * the catalog has forgotten what changed since. */
static bool
file_follows(struct index *index, struct connection *catalog)
{
    sqlite3_stmt *has = connection_query(index->writer, SQL_INDEX_STATE, "");
    sqlite3_stmt *is = connection_query(catalog, SQL_IDENTITY, "");
    bool good = false;

    if (connection_step(index->writer, has) == 1 && connection_step(catalog, is) == 1) {
        int64_t change = sqlite3_column_int64(has, INDEX_CHANGE);
        int64_t changes = sqlite3_column_int64(is, 1);
        bool forgets = sqlite3_column_type(is, 3) == SQLITE_NULL;

        good = (index->bound || sqlite3_column_int64(has, INDEX_TEXT) == index->text) &&
               sqlite3_column_int64(has, 0) <= sqlite3_column_int64(is, 0) && change <= changes &&
               change >= (forgets ? changes : sqlite3_column_int64(is, 3)) &&
               sqlite3_column_bytes(has, 2) == sqlite3_column_bytes(is, 2) &&
               memcmp(sqlite3_column_blob(has, 2), sqlite3_column_blob(is, 2),
                      (size_t)sqlite3_column_bytes(is, 2)) == 0;
    }
    if (good)
        index->text = sqlite3_column_int64(has, INDEX_TEXT);
    sqlite3_reset(has);
    sqlite3_reset(is);
    return good;
}

static void
file_begin(struct index *index, struct connection *catalog)
{
    sqlite3_stmt *is = connection_query(catalog, SQL_IDENTITY, "");

    if (connection_step(catalog, is) == 1)
        connection_run(index->writer, SQL_INDEX_BEGIN, "ibi", sqlite3_column_int64(is, 1),
                       sqlite3_column_blob(is, 2), (size_t)sqlite3_column_bytes(is, 2),
                       index->text);
    sqlite3_reset(is);
}

/* In one transaction: what is in the file is made, or looked at. False: it does not fit, or the
 * writer failed. */
static bool
file_check(struct index *index, struct connection *catalog)
{
    struct connection *writer = index->writer;
    bool fits = false;
    int version;

    if (!connection_execute(writer, SQL_CONNECTION_INDEXER) || !database_journal(writer) ||
        !connection_run(writer, SQL_WRITE, ""))
        return false;
    version = database_number(writer, SQL_USER_VERSION);
    if (version == 0 && database_number(writer, SQL_TABLES) == 0) {
        file_fill(index);
        file_begin(index, catalog);
        fits = true;
    } else if (version == SQL_INDEX_VERSION &&
               database_number(writer, SQL_APPLICATION_ID) == SQL_APPLICATION) {
        fits = file_follows(index, catalog);
    }
    return connection_end(writer, SQL_COMMIT) && fits;
}

bool
index_is_current(const struct index *index)
{
    struct stat status;

    return index->inode != 0 && stat(index->readers.path, &status) == 0 &&
           status.st_ino == index->inode && status.st_dev == index->device;
}

/* Opens the file, made where there is none. OK; UNKNOWN: it does not fit; FAILED. */
static int
file_open(struct index *index, struct connection *catalog, struct failure *failure)
{
    struct stat status;
    int result;

    if (!database_make(index->readers.path, failure))
        return REPOSITORY_FAILED;
    index->writer = connection_new(INDEX_NAME, index->readers.path, "", failure);
    if (index->writer == NULL)
        return REPOSITORY_FAILED;
    database_log(index->writer);
    if (file_check(index, catalog) && stat(index->readers.path, &status) == 0) {
        index->device = status.st_dev;
        index->inode = status.st_ino;
        index->bound = true;
        return REPOSITORY_OK;
    }
    result = connection_status(catalog, failure);
    if (result == REPOSITORY_OK && !index->writer->damaged)
        result = connection_status(index->writer, failure);
    file_leave(index);
    return result == REPOSITORY_OK ? REPOSITORY_UNKNOWN : result;
}

struct connection *
index_writer(struct index *index, struct failure *failure)
{
    struct connection *catalog;
    int status;

    file_leave_failed(index);
    if (index->writer != NULL && !index_is_current(index))
        file_leave(index);
    if (index->writer != NULL)
        return index->writer;
    catalog = database_reader(index->database, failure);
    if (catalog == NULL)
        return NULL;
    status = file_open(index, catalog, failure);
    if (status == REPOSITORY_UNKNOWN) {
        index_discard(index);
        status = file_open(index, catalog, failure);
        if (status == REPOSITORY_UNKNOWN)
            failure_set(failure, INDEX_NAME ": it can't be made");
    }
    database_release(&catalog);
    return index->writer;
}
