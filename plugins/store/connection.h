/*
 * One connection to the store's catalog or to its index, with its statements prepared once. Only
 * those that own connections (database.c, index.c, pool.c) and those that work on one that was given
 * to them (catalog.c, listing.c and their kin, and the tool) call it. A connection is used by one thread at a
 * time.
 */
#ifndef STORE_CONNECTION_H
#define STORE_CONNECTION_H

#include <sqlite3.h>
#include <stdbool.h>

#include "repository.h"
#include "sql.h"
#include "words.h"

struct database;
struct pool;

/* For what SQLite locks by itself, such as recovery after a crash; writers do not meet there. */
#define CONNECTION_BUSY_MS 30000

struct connection {
    const char *name;          /* of what it is connected to, for messages */
    struct database *database; /* of the writer */
    struct pool *pool;         /* of a reader, and its age there */
    unsigned age;
    struct connection *next; /* in the list of idle readers */
    sqlite3 *handle;
    bool failed;  /* latched: nothing more is done on it, and it will be closed */
    bool damaged; /* because what is in the file is not what it should be */
    char reason[400];
    struct tokenizer *tokenizer; /* made when it is first needed */
    sqlite3_stmt *statements[SQL_COUNT];
    uint64_t
        begun[(SQL_COUNT + 63) / 64]; /* a bit for each that may be in the middle of its rows */
};

/* Opens a connection to the database at `path`, which is there; NULL: failed. `setup` is run on it
 * first; `name` is for messages. */
struct connection *connection_new(const char *name, const char *path, const char *setup,
                                  struct failure *failure);
/* Closes it, which rolls back what was not committed. */
void connection_free(struct connection **connection);

/*
 * A statement with its parameters bound from 1 on, as `types` says: 's' const char * (NULL for
 * NULL), 'i' int64_t, 'n' int64_t (0 for NULL), 'h' a SHA-256 of 32 bytes, 'b' const void * and
 * size_t. What is bound must live until the statement was stepped to its end. NULL: failed. A
 * failure is latched in the connection: later calls fail too, and a commit.
 */
sqlite3_stmt *connection_query(struct connection *connection, enum sql which, const char *types,
                               ...);
/* A statement that is not in the table; the caller finalizes it. */
sqlite3_stmt *connection_prepare(struct connection *connection, const char *text);
/* 1 for a row, 0 at the end, -1 failed. NULL is failed. */
int connection_step(struct connection *connection, sqlite3_stmt *statement);
/* connection_query() and step to the end: false when it failed. */
bool connection_run(struct connection *connection, enum sql which, const char *types, ...);
/* Runs any number of statements given as text. */
bool connection_execute(struct connection *connection, const char *text);
/* Ends the transaction at hand with SQL_COMMIT or SQL_ROLLBACK. */
bool connection_end(struct connection *connection, enum sql how);
/* Takes all statements back to their beginning: no row is held any more. */
void connection_reset(struct connection *connection);
/* Latches a failure that is not SQLite's. */
void connection_fail(struct connection *connection, const char *reason);
/* Copies the latched failure; REPOSITORY_OK where there is none. */
int connection_status(const struct connection *connection, struct failure *failure);
/* What makes tokens of texts; NULL: failed. */
struct tokenizer *connection_tokenizer(struct connection *connection);
/* Rows the last statement changed; the rowid it inserted. */
int connection_changes(struct connection *connection);
int64_t connection_rowid(struct connection *connection);

#endif
