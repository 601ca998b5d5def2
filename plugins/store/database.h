/*
 * Connections to the store's catalog: a pool of readers, one writer, and transactions on them. Only
 * repository.c and its kin (whole.c, results.c, sweep.c) call it. Thread-safe; a connection belongs
 * to the thread that got it, until it gives it back.
 *
 * A reader sees the catalog as it was at its first statement. Give it back before anything waits
 * for a client. There is one writer at a time over all processes: they queue on a lock file, which
 * the kernel releases when a process dies.
 */
#ifndef STORE_DATABASE_H
#define STORE_DATABASE_H

#include "connection.h"

struct database;

/* The catalog in the directory `root`, made or brought up to date where needed. NULL: failed. */
struct database *database_open(const char *root, struct failure *failure);
void database_close(struct database **database);

/* A connection inside a transaction; NULL: failed. Each is ended by the call below it, which takes
 * it back. */
struct connection *database_reader(struct database *database, struct failure *failure);
void database_release(struct connection **connection);
struct connection *database_writer(struct database *database, struct failure *failure);
/* REPOSITORY_OK: what was written is on disk. REPOSITORY_FAILED: nothing of it is, and it is rolled
 * back. */
int database_commit(struct connection **connection, struct failure *failure);
void database_rollback(struct connection **connection);

#endif
