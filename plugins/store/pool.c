/*
 * Connections for reading (pool.h). In each worker process, from any of its threads.
 */
#include "pool.h"

#include <stdlib.h>

/* Readers need a connection only while they look something up: more of them than processors bring
 * nothing. */
#define READERS_MAX 8

void
pool_init(struct pool *pool, char *path, pool_connect connect, void *closure)
{
    *pool = (struct pool){.path = path, .connect = connect, .closure = closure};
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->given_back, NULL);
}

/* Under the lock. */
static void
pool_drop_idle(struct pool *pool)
{
    while (pool->idle != NULL) {
        struct connection *connection = pool->idle;

        pool->idle = connection->next;
        pool->readers--;
        connection_free(&connection);
    }
}

void
pool_fini(struct pool *pool)
{
    pool_drop_idle(pool);
    pthread_cond_destroy(&pool->given_back);
    pthread_mutex_destroy(&pool->lock);
    free(pool->path);
}

void
pool_renew(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->age++;
    pool_drop_idle(pool);
    pthread_cond_broadcast(&pool->given_back);
    pthread_mutex_unlock(&pool->lock);
}

/* An idle connection, or NULL with the right to open one, of the age that is told. */
static struct connection *
pool_wait(struct pool *pool, unsigned *age)
{
    struct connection *connection;

    pthread_mutex_lock(&pool->lock);
    while (pool->idle == NULL && pool->readers == READERS_MAX)
        pthread_cond_wait(&pool->given_back, &pool->lock);
    connection = pool->idle;
    if (connection != NULL)
        pool->idle = connection->next;
    else
        pool->readers++;
    *age = pool->age;
    pthread_mutex_unlock(&pool->lock);
    return connection;
}

/* Takes back a connection, or (NULL) the right to one. */
static void
pool_return(struct pool *pool, struct connection *connection)
{
    pthread_mutex_lock(&pool->lock);
    if (connection != NULL && connection->age == pool->age) {
        connection->next = pool->idle;
        pool->idle = connection;
        connection = NULL;
    } else {
        pool->readers--;
    }
    pthread_cond_signal(&pool->given_back);
    pthread_mutex_unlock(&pool->lock);
    connection_free(&connection);
}

struct connection *
pool_take_plain(struct pool *pool, struct failure *failure)
{
    unsigned age;
    struct connection *connection = pool_wait(pool, &age);

    if (connection == NULL) {
        connection = pool->connect(pool, failure);
        if (connection != NULL) {
            connection->pool = pool;
            connection->age = age;
        }
    }
    if (connection == NULL)
        pool_return(pool, NULL);
    return connection;
}

struct connection *
pool_take(struct pool *pool, struct failure *failure)
{
    struct connection *connection = pool_take_plain(pool, failure);

    if (connection != NULL && !connection_run(connection, SQL_READ, "")) {
        connection_status(connection, failure);
        pool_give(&connection);
    }
    return connection;
}

void
pool_give(struct connection **connection)
{
    struct pool *pool = (*connection)->pool;

    connection_reset(*connection);
    if (!sqlite3_get_autocommit((*connection)->handle))
        connection_run(*connection, SQL_COMMIT, "");
    if ((*connection)->failed)
        connection_free(connection);
    pool_return(pool, *connection);
    *connection = NULL;
}
