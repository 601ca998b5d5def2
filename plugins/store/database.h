/*
 * Connections to the store's catalog: a pool of readers, one writer, and transactions on them. Only
 * repository.c and its kin (change.c, whole.c, results.c, sweep.c) and the tool (tool/) call it.
 * Thread-safe; a reader belongs to the thread that got it, until it gives it back.
 *
 * A reader sees the catalog as it was at its first statement. Give it back before anything waits
 * for a client. There is one writer at a time over all processes: they queue on a lock file, which
 * the kernel releases when a process dies. Whoever writes hands over work; what waits meanwhile is
 * done in one transaction, and shares its sync.
 */
#ifndef STORE_DATABASE_H
#define STORE_DATABASE_H

#include <semaphore.h>

#include "connection.h"

struct database;

/* The catalog in the directory `root`, made or brought up to date where needed. NULL: failed. */
struct database *database_open(const char *root, struct failure *failure);
void database_close(struct database **database);

/* A connection inside a transaction; NULL: failed. */
struct connection *database_reader(struct database *database, struct failure *failure);
/* The same for less, for who holds a row from the first look to the last, and so sees one moment. */
struct connection *database_looker(struct database *database, struct failure *failure);
/* Ends it. */
void database_release(struct connection **connection);

/*
 * Work inside a write transaction, on any thread of this process. REPOSITORY_OK: to be committed;
 * another status: it has changed nothing. It may be called again from the start, when a transaction
 * that it shared with others' failed. It waits for nothing.
 */
typedef int (*database_work)(struct connection *connection, void *closure, struct failure *failure);

/* Runs the work: OK when what it wrote is on disk; else the work's own status, or REPOSITORY_FAILED
 * when nothing of it is. */
int database_write(struct database *database, database_work work, void *closure,
                   struct failure *failure);
/* The same in a transaction of its own: the work sees nothing that is not committed yet. */
int database_write_alone(struct database *database, database_work work, void *closure,
                         struct failure *failure);

/* The same for who does not wait: `done` is called when it has ended, once, in any thread, which
 * must not be held up. The first four are the caller's to set, all else zero; the job stays where it
 * is until then. All must have ended before database_close(). */
struct database_job {
    database_work work;
    void *closure;
    struct failure *failure;
    void (*done)(struct database_job *job);
    int status; /* then */
    /* The queue's own. */
    struct database_job *next;
    bool alone;    /* in a transaction of its own */
    bool finished; /* when it is woken; if not, it leads */
    sem_t wake;    /* where its thread waits */
};

void database_write_later(struct database *database, struct database_job *job);

#endif
