/*
 * What database.c (readers, opening), commits.c (the writer) and schema.c (what is in the file)
 * share. Nobody else includes it.
 */
#ifndef STORE_DATABASE_IMPL_H
#define STORE_DATABASE_IMPL_H

#include <pthread.h>

#include "database.h"

struct job;

struct database {
    char *path;
    pthread_mutex_t lock; /* over idle and readers */
    pthread_cond_t given_back;
    struct connection *idle;
    int readers;
    pthread_mutex_t queueing; /* over jobs and leading */
    struct job *jobs;         /* that wait for a transaction, first come first */
    struct job **last;
    bool leading; /* a thread runs a batch: writer and turn are its own */
    struct connection *writer;
    int turn; /* the lock file on which processes queue */
};

/* This process' turn to write, by its one thread that leads. A writer that failed is closed. */
bool database_lock(struct database *database, struct failure *failure);
void database_unlock(struct database *database);

/* The writer inside a transaction, all other processes' locked out; NULL: failed. */
struct connection *database_writer(struct database *database, struct failure *failure);
/* Each ends it. REPOSITORY_OK: what was written is on disk. FAILED: nothing of it is. */
int database_commit(struct connection **connection, struct failure *failure);
void database_rollback(struct connection **connection);

/* Makes or brings up to date what is in the file. */
bool database_schema(struct database *database, struct failure *failure);

#endif
