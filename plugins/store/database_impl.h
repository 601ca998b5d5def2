/*
 * What database.c (readers, opening), commits.c (transactions), queue.c (who shares them) and schema.c (what is in the file)
 * share, and index.c with its kin borrow. Nobody else includes it.
 */
#ifndef STORE_DATABASE_IMPL_H
#define STORE_DATABASE_IMPL_H

#include <pthread.h>

#include "database.h"
#include "pool.h"

/* In messages. */
#define DATABASE_NAME "the catalog"

struct database {
    struct pool readers;
    pthread_mutex_t queueing;  /* over jobs and leading */
    struct database_job *jobs; /* that wait for a transaction, first come first */
    struct database_job **last;
    bool leading; /* a thread runs a batch: connection and turn are its own */
    sem_t work;   /* the writer's thread is to lead, */
    bool ending;  /* or to end */
    bool has_writer;
    pthread_t thread;
    struct connection *writer;
    int door; /* the lock files on which processes queue */
    int turn;
};

/* This process' turn to write, by its one thread that leads. A writer that failed is closed. */
bool database_lock(struct database *database, struct failure *failure);
void database_unlock(struct database *database);

/* The writer inside a transaction, all other processes' locked out; NULL: failed. */
struct connection *database_writer(struct database *database, struct failure *failure);
/* Each ends it. REPOSITORY_OK: what was written is on disk. FAILED: nothing of it is. */
int database_commit(struct connection **connection, struct failure *failure);
void database_rollback(struct connection **connection);

/* What waits; all of it is done before it is taken down. */
void database_queue_init(struct database *database);
void database_queue_fini(struct database *database);

/* Files of the store, for index.c, too. A path, the caller's; NULL: memory is short. */
char *database_path(const char *root, const char *name, struct failure *failure);
/* Makes a database's file where there is none. */
bool database_make(const char *path, struct failure *failure);
/* A descriptor of a file that is locked, -1: failed. */
int database_lock_file(const char *root, const char *name, struct failure *failure);
/* Puts the database into WAL mode; has its log copied into it when it is long. */
bool database_journal(struct connection *connection);
void database_log(struct connection *connection);
/* A number that a statement gives, -1 when it can't be had. */
int database_number(struct connection *connection, enum sql which);

/* Makes or brings up to date what is in the file. */
bool database_schema(struct database *database, struct failure *failure);

#endif
