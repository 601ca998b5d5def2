/*
 * A connection to the store's catalog or index, and its statements (connection.h). In each worker process;
 * opened after the fork.
 */
#include "connection.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const statement_texts[SQL_COUNT] = {
#define SQL_TEXT(name, text) [SQL_##name] = text,
    SQL_STATEMENTS(SQL_TEXT)
#undef SQL_TEXT
};

/* ------------------------------------------------------------------ statements */

void
connection_fail(struct connection *connection, const char *reason)
{
    if (connection->failed)
        return;
    connection->failed = true;
    snprintf(connection->reason, sizeof(connection->reason), "%s: %s", connection->name, reason);
}

/* What the operating system said. SQLite tells it of some failures only when its files are asked. */
static int
connection_errno(struct connection *connection)
{
    int error = sqlite3_system_errno(connection->handle);
    sqlite3_file *log = NULL;

    if (error == 0)
        sqlite3_file_control(connection->handle, "main", SQLITE_FCNTL_LAST_ERRNO, &error);
    if (error == 0)
        sqlite3_file_control(connection->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (log != NULL && log->pMethods != NULL)
        log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &error);
    return error;
}

static void
connection_fail_sqlite(struct connection *connection)
{
    int code = sqlite3_errcode(connection->handle) & 0xff; /* without what extends it */
    char reason[300];
    int error = 0;

    /* A catalog that the disk does not give back is SQLITE_CORRUPT, too. */
    if (code == SQLITE_IOERR || code == SQLITE_FULL || code == SQLITE_CANTOPEN ||
        code == SQLITE_CORRUPT)
        error = connection_errno(connection);
    connection->damaged = (code == SQLITE_CORRUPT && error == 0) || code == SQLITE_NOTADB;
    snprintf(reason, sizeof(reason), "%s%s%s", sqlite3_errmsg(connection->handle),
             error != 0 ? ": " : "", error != 0 ? strerror(error) : "");
    connection_fail(connection, reason);
}

int
connection_status(const struct connection *connection, struct failure *failure)
{
    return connection->failed ? failure_set(failure, "%s", connection->reason) : REPOSITORY_OK;
}

static bool
connection_bind(struct connection *connection, sqlite3_stmt *statement, const char *types,
                va_list arguments)
{
    int error = SQLITE_OK;

    for (int i = 1; types[i - 1] != '\0' && error == SQLITE_OK; i++) {
        const void *data;
        int64_t number;

        switch (types[i - 1]) {
        case 's':
            error =
                sqlite3_bind_text(statement, i, va_arg(arguments, const char *), -1, SQLITE_STATIC);
            break;
        case 'h':
            error =
                sqlite3_bind_blob(statement, i, va_arg(arguments, const void *), 32, SQLITE_STATIC);
            break;
        case 'b':
            data = va_arg(arguments, const void *);
            error =
                sqlite3_bind_blob64(statement, i, data, va_arg(arguments, size_t), SQLITE_STATIC);
            break;
        default:
            number = va_arg(arguments, int64_t);
            if (types[i - 1] == 'i' || number != 0)
                error = sqlite3_bind_int64(statement, i, number);
        }
    }
    if (error != SQLITE_OK)
        connection_fail(connection, sqlite3_errstr(error));
    return error == SQLITE_OK;
}

sqlite3_stmt *
connection_prepare(struct connection *connection, const char *text)
{
    sqlite3_stmt *statement = NULL;

    if (connection->failed)
        return NULL;
    if (sqlite3_prepare_v3(connection->handle, text, -1, SQLITE_PREPARE_PERSISTENT, &statement,
                           NULL) != SQLITE_OK)
        connection_fail_sqlite(connection);
    return statement;
}

static sqlite3_stmt *
connection_query_list(struct connection *connection, enum sql which, const char *types,
                      va_list arguments)
{
    sqlite3_stmt **statement = &connection->statements[which];

    if (connection->failed)
        return NULL;
    if (*statement == NULL)
        *statement = connection_prepare(connection, statement_texts[which]);
    if (*statement == NULL)
        return NULL;
    connection->begun[which / 64] |= (uint64_t)1 << which % 64;
    sqlite3_reset(*statement);
    sqlite3_clear_bindings(*statement);
    return connection_bind(connection, *statement, types, arguments) ? *statement : NULL;
}

sqlite3_stmt *
connection_query(struct connection *connection, enum sql which, const char *types, ...)
{
    va_list arguments;
    sqlite3_stmt *statement;

    va_start(arguments, types);
    statement = connection_query_list(connection, which, types, arguments);
    va_end(arguments);
    return statement;
}

int
connection_step(struct connection *connection, sqlite3_stmt *statement)
{
    int result;

    if (statement == NULL || connection->failed)
        return -1;
    result = sqlite3_step(statement);
    if (result == SQLITE_ROW)
        return 1;
    if (result != SQLITE_DONE)
        connection_fail_sqlite(connection);
    sqlite3_reset(statement);
    return result == SQLITE_DONE ? 0 : -1;
}

bool
connection_run(struct connection *connection, enum sql which, const char *types, ...)
{
    va_list arguments;
    sqlite3_stmt *statement;
    int row;

    va_start(arguments, types);
    statement = connection_query_list(connection, which, types, arguments);
    va_end(arguments);
    while ((row = connection_step(connection, statement)) == 1)
        continue;
    return row == 0;
}

struct tokenizer *
connection_tokenizer(struct connection *connection)
{
    if (connection->tokenizer == NULL && !connection->failed) {
        connection->tokenizer = tokenizer_new(connection->handle);
        if (connection->tokenizer == NULL)
            connection_fail(connection, "this SQLite can't do full-text search (FTS5)");
    }
    return connection->tokenizer;
}

int
connection_changes(struct connection *connection)
{
    return sqlite3_changes(connection->handle);
}

int64_t
connection_rowid(struct connection *connection)
{
    return sqlite3_last_insert_rowid(connection->handle);
}

/* ------------------------------------------------------------------ connections */

/* SQLite counts memory under one lock of the process, which a look at an object took twenty times. Where something else
 * has begun to use SQLite already, it goes on counting. */
static void
connection_uncounted(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

void
connection_free(struct connection **connection)
{
    if (*connection == NULL)
        return;
    for (int i = 0; i < SQL_COUNT; i++)
        sqlite3_finalize((*connection)->statements[i]);
    tokenizer_free(&(*connection)->tokenizer);
    sqlite3_close((*connection)->handle);
    free(*connection);
    *connection = NULL;
}

bool
connection_execute(struct connection *connection, const char *text)
{
    if (!connection->failed &&
        sqlite3_exec(connection->handle, text, NULL, NULL, NULL) != SQLITE_OK)
        connection_fail_sqlite(connection);
    return !connection->failed;
}

struct connection *
connection_new(const char *name, const char *path, const char *setup, struct failure *failure)
{
    static pthread_once_t uncounted = PTHREAD_ONCE_INIT;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    struct connection *connection = calloc(1, sizeof(*connection));

    pthread_once(&uncounted, connection_uncounted);
    if (connection == NULL) {
        failure_set(failure, "memory is short");
        return NULL;
    }
    connection->name = name;
    if (sqlite3_open_v2(path, &connection->handle, flags, NULL) != SQLITE_OK)
        connection_fail_sqlite(connection);
    else
        sqlite3_busy_timeout(connection->handle, CONNECTION_BUSY_MS);
    connection_execute(connection, setup);
    if (connection_status(connection, failure) != REPOSITORY_OK)
        connection_free(&connection);
    return connection;
}

void
connection_reset(struct connection *connection)
{
    for (size_t i = 0; i < sizeof(connection->begun) / sizeof(*connection->begun); i++) {
        for (uint64_t left = connection->begun[i]; left != 0; left &= left - 1)
            sqlite3_reset(connection->statements[64 * i + (size_t)__builtin_ctzll(left)]);
        connection->begun[i] = 0;
    }
}

/* Ends the transaction at hand; statements left in the middle of their rows would hold it open. */
bool
connection_end(struct connection *connection, enum sql how)
{
    connection_reset(connection);
    return connection_run(connection, how, "");
}
