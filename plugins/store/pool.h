/*
 * Connections for reading one database, a bounded number of them. database.c has a pool on the
 * catalog, index.c one on the index. In each worker process; thread-safe.
 *
 * Each connection is opened when it is first needed, so always after the fork. One that met an
 * error is closed rather than used again: when the cause is gone (a full disk, a lack of
 * descriptors) the next one works.
 */
#ifndef STORE_POOL_H
#define STORE_POOL_H

#include <pthread.h>

#include "connection.h"

/* Opens one; NULL: failed. */
struct pool;
typedef struct connection *(*pool_connect)(struct pool *pool, struct failure *failure);

struct pool {
    char *path; /* the pool's own */
    pool_connect connect;
    void *closure; /* for it */
    pthread_mutex_t lock;
    pthread_cond_t given_back;
    struct connection *idle;
    int readers;
    unsigned age; /* connections of another age are closed when they come back */
};

void pool_init(struct pool *pool, char *path, pool_connect connect, void *closure);
/* All connections must have been given back. */
void pool_fini(struct pool *pool);
/* A connection inside a transaction, the caller's until it gives it back; NULL: failed. */
struct connection *pool_take(struct pool *pool, struct failure *failure);
/* The same outside of one, for who reads all that it reads while it holds a row: SQLite reads what is
 * of one moment for as long as any row is held. */
struct connection *pool_take_plain(struct pool *pool, struct failure *failure);
/* Ends the transaction. */
void pool_give(struct connection **connection);
/* From now on, connections are new ones: the file is another. */
void pool_renew(struct pool *pool);

#endif
