/*
 * Catalogs as `doip-store` reads them (source.h). In the tool's one thread.
 */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "catalog.h"
#include "tool_sql.h"

/* ------------------------------------------------------------------ statements */

sqlite3_stmt *
source_query(struct connection *connection, const char *text, int count, ...)
{
    sqlite3_stmt *statement = connection_prepare(connection, text);
    va_list numbers;

    va_start(numbers, count);
    for (int i = 1; statement != NULL && i <= count; i++)
        sqlite3_bind_int64(statement, i, va_arg(numbers, int64_t));
    va_end(numbers);
    return statement;
}

int64_t
source_number(struct connection *connection, const char *text, int64_t otherwise)
{
    sqlite3_stmt *statement = source_query(connection, text, 0);
    int64_t number = otherwise;

    if (connection_step(connection, statement) == 1 &&
        sqlite3_column_type(statement, 0) != SQLITE_NULL)
        number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

int64_t
source_blob(struct connection *connection, const struct blob *blob, bool used)
{
    sqlite3_stmt *statement = source_query(connection, used ? TOOL_SQL_USED : TOOL_SQL_KNOWN, 0);
    int64_t number = 0;

    sqlite3_bind_blob(statement, 1, blob->sha256, sizeof(blob->sha256), SQLITE_STATIC);
    if (connection_step(connection, statement) == 1)
        number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

size_t
source_files(struct connection *connection, int64_t *after, struct blob page[SOURCE_PAGE])
{
    sqlite3_stmt *statement =
        source_query(connection, TOOL_SQL_FILES, 2, *after, (int64_t)SOURCE_PAGE);
    size_t count = 0;

    while (count < SOURCE_PAGE && connection_step(connection, statement) == 1) {
        catalog_sha256(statement, 1, &page[count]);
        page[count].number = *after = sqlite3_column_int64(statement, 0);
        page[count].length = (uint64_t)sqlite3_column_int64(statement, 2);
        count++;
    }
    sqlite3_finalize(statement);
    return connection->failed ? 0 : count;
}

/* ------------------------------------------------------------------ opening */

/* Only a catalog of this very version: an older one is brought up to date by the service, which may
 * run at this moment and know only the older one. */
static int
source_check(struct connection *source, const char *root, struct failure *failure)
{
    int64_t application = source_number(source, TOOL_SQL_APPLICATION, 0);
    int64_t version = source_number(source, TOOL_SQL_VERSION, 0);

    if (connection_status(source, failure) != REPOSITORY_OK)
        return REPOSITORY_FAILED;
    if (version > SQL_SCHEMA_VERSION)
        return failure_set(failure,
                           "%s: the catalog: schema version %lld is newer than %d, the last this "
                           "tool knows",
                           root, (long long)version, SQL_SCHEMA_VERSION);
    if (application != SQL_APPLICATION)
        return failure_set(failure, "%s: the catalog: it is the database of another program", root);
    if (version < SQL_SCHEMA_VERSION)
        return failure_set(failure,
                           "%s: the catalog: schema version %lld is older than %d: start the "
                           "service once, which brings it up to date",
                           root, (long long)version, SQL_SCHEMA_VERSION);
    return REPOSITORY_OK;
}

static struct connection *
source_named(const char *root, const char *path, struct failure *failure)
{
    struct connection *source;

    if (access(path, F_OK) != 0) {
        failure_set(failure, "%s: there is no repository: %s: %s", root, path, strerror(errno));
        return NULL;
    }
    source = connection_new("the catalog", path, TOOL_SQL_SOURCE, failure);
    if (source != NULL && source_check(source, root, failure) != REPOSITORY_OK)
        connection_free(&source);
    return source;
}

struct connection *
source_open(const char *root, struct failure *failure)
{
    struct connection *source;
    char *path;

    if (asprintf(&path, "%s/catalog.db", root) < 0) {
        failure_set(failure, "memory is short");
        return NULL;
    }
    source = source_named(root, path, failure);
    free(path);
    return source;
}

bool
source_is_made(const char *root)
{
    struct connection *source = NULL;
    struct failure failure;
    bool made = true;
    char *path;

    if (asprintf(&path, "%s/catalog.db", root) < 0)
        return true;
    if (access(path, F_OK) != 0)
        made = false;
    else if ((source = connection_new("the catalog", path, TOOL_SQL_SOURCE, &failure)) != NULL)
        made = source_number(source, TOOL_SQL_VERSION, 1) != 0;
    connection_free(&source);
    free(path);
    return made;
}

/* ------------------------------------------------------------------ copies */

/* All in one step, so in one read transaction: in several, each change of the service would make it
 * start anew. */
static int
copy_pages(const struct connection *source, sqlite3 *copy)
{
    sqlite3_backup *backup = sqlite3_backup_init(copy, "main", source->handle, "main");

    if (backup == NULL)
        return sqlite3_errcode(copy);
    sqlite3_backup_step(backup, -1);
    return sqlite3_backup_finish(backup);
}

int
source_copy(const struct connection *source, const char *path, struct failure *failure)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    sqlite3 *copy = NULL;
    int error;

    if (fd < 0)
        return failure_set(failure, "%s: %s", path, strerror(errno));
    close(fd);
    error = sqlite3_open_v2(path, &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (error == SQLITE_OK)
        error = sqlite3_exec(copy, TOOL_SQL_COPY, NULL, NULL, NULL);
    if (error == SQLITE_OK)
        error = copy_pages(source, copy);
    sqlite3_close(copy);
    if (error == SQLITE_OK)
        return REPOSITORY_OK;
    unlink(path);
    return failure_set(failure, "the catalog can't be copied to %s: %s", path,
                       sqlite3_errstr(error));
}

struct connection *
source_alone(const char *path, struct failure *failure)
{
    return connection_new("the catalog", path, TOOL_SQL_ALONE, failure);
}

struct connection *
source_snapshot(const struct connection *source, const char *directory, struct failure *failure)
{
    const char *temporary = getenv("TMPDIR");
    struct connection *snapshot = NULL;
    char *path;
    int fd;

    if (directory == NULL)
        directory = temporary != NULL ? temporary : "/var/tmp";
    if (asprintf(&path, "%s/doip-store.XXXXXX", directory) < 0) {
        failure_set(failure, "memory is short");
        return NULL;
    }
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        failure_set(failure, "%s: %s", path, strerror(errno));
    else
        close(fd);
    if (fd >= 0 && source_copy(source, path, failure) == REPOSITORY_OK)
        snapshot = source_alone(path, failure);
    if (fd >= 0)
        unlink(path);
    free(path);
    return snapshot;
}
