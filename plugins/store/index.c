/*
 * The index, asked and kept current (index.h). In each worker process, from any thread, and on a
 * thread of its own.
 */
#include "index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "database_impl.h"
#include "index_impl.h"

/* The thread lets so much time pass after a commit, for others that share the work; so much while
 * another process works; and so much between two batches, for searches that want the lock. */
#define REST_MS 200
#define REST_OTHER_MS 100
#define REST_BATCH_MS 2
/* A search waits so long for an index that is being filled. */
#define PATIENCE_S 20

/* ------------------------------------------------------------------ the thread */

/* False: the index is being closed. */
static bool
index_rest(struct index *index, long milliseconds)
{
    struct timespec end;
    bool ending;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_nsec += milliseconds * 1000000L;
    end.tv_sec += end.tv_nsec / 1000000000L;
    end.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&index->resting);
    while (!index->ending &&
           pthread_cond_timedwait(&index->ended, &index->resting, &end) != ETIMEDOUT)
        continue;
    ending = index->ending;
    pthread_mutex_unlock(&index->resting);
    return !ending;
}

/* Takes in all that there is; false: that failed, and is to be tried again. */
static bool
index_work(void *closure)
{
    struct index *index = closure;
    struct failure failure;
    int more = 1;

    for (long rest = REST_MS; more == 1 && index_rest(index, rest);) {
        rest = REST_BATCH_MS;
        if (atomic_load(&index->waiting) > 0)
            continue;
        if (!index_lock(index, false, &failure)) {
            rest = REST_OTHER_MS;
            continue;
        }
        more = index_batch(index, &failure);
        if (more == 0)
            index_forget(index);
        index_unlock(index);
    }
    return more >= 0;
}

void
index_wake(struct index *index)
{
    janitor_ask(index->janitor);
}

void
index_set_text(struct index *index, int64_t size)
{
    index->text = size;
    index_wake(index);
}

/* ------------------------------------------------------------------ asking */

static int
index_impatient(struct index *index, const struct feed *goal, struct failure *failure)
{
    return failure_set(failure,
                       INDEX_NAME " is being filled, and has %lld of %lld objects; ask again later",
                       (long long)index->has.number, (long long)goal->number);
}

/* Takes in what is missing, and lets others do their part; `patience` in seconds, 0: without end. Where there was no more
 * to be had, because an object of the goal is gone by now, *goal is what was. */
static int
index_reach(struct index *index, struct feed *goal, time_t patience, struct failure *failure)
{
    time_t end = time(NULL) + patience;
    int more;

    do {
        bool locked;

        atomic_fetch_add(&index->waiting, 1);
        locked = index_lock(index, true, failure);
        atomic_fetch_sub(&index->waiting, 1);
        if (!locked)
            return REPOSITORY_FAILED;
        more = index_batch(index, failure);
        if (more == 1 && feed_reaches(&index->has, goal))
            more = 0;
        if (more == 0)
            *goal = index->has;
        if (more == 1 && patience > 0 && time(NULL) > end)
            more = index_impatient(index, goal, failure);
        index_unlock(index);
    } while (more == 1);
    return more;
}

int
index_settle(struct index *index, struct failure *failure)
{
    struct feed goal;

    return feed_committed(index, &goal, failure) ? index_reach(index, &goal, 0, failure)
                                                 : REPOSITORY_FAILED;
}

/* The pool's: a new connection to the file, which is looked at first. */
static struct connection *
index_connect(struct pool *pool, struct failure *failure)
{
    struct index *index = pool->closure;
    struct connection *connection = NULL;

    if (!index_lock(index, true, failure))
        return NULL;
    for (int attempt = 0; attempt < 2 && connection == NULL; attempt++) {
        if (index_writer(index, failure) != NULL)
            connection = connection_new(INDEX_NAME, pool->path, "", failure);
        if (connection == NULL || connection_execute(connection, SQL_CONNECTION_READER))
            break;
        connection_status(connection, failure);
        if (connection->damaged)
            index_discard(index);
        connection_free(&connection);
    }
    index_unlock(index);
    return connection;
}

struct connection *
index_reader(struct index *index, struct failure *failure)
{
    struct connection *connection;
    struct feed goal, has;

    if (!feed_committed(index, &goal, failure))
        return NULL;
    for (int look = 0; look < 3; look++) {
        if (look > 0 && index_reach(index, &goal, PATIENCE_S, failure) != REPOSITORY_OK)
            return NULL;
        if (!index_is_current(index))
            pool_renew(&index->readers);
        connection = pool_take(&index->readers, failure);
        if (connection == NULL)
            return NULL;
        has = feed_taken(connection);
        if (!connection->failed && feed_reaches(&has, &goal))
            return connection;
        index_release(index, &connection);
    }
    failure_set(failure, INDEX_NAME " was removed again and again");
    return NULL;
}

bool
index_release(struct index *index, struct connection **connection)
{
    bool damaged = (*connection)->damaged;
    struct failure failure;

    pool_give(connection);
    if (damaged && index_lock(index, true, &failure)) {
        index_discard(index);
        index_unlock(index);
    }
    return damaged;
}

/* ------------------------------------------------------------------ opening */

struct index *
index_open(const char *root, struct database *database, struct blobs *blobs,
           struct failure *failure)
{
    struct index *index = calloc(1, sizeof(*index));

    if (index == NULL) {
        failure_set(failure, "memory is short");
        return NULL;
    }
    index->database = database;
    index->blobs = blobs;
    pool_init(&index->readers, database_path(root, "index.db", failure), index_connect, index);
    pthread_mutex_init(&index->resting, NULL);
    pthread_cond_init(&index->ended, NULL);
    pthread_mutex_init(&index->working, NULL);
    index->janitor = janitor_new("store-index", index_work, index);
    index->lock = database_lock_file(root, "index.lock", failure);
    if (index->janitor == NULL)
        failure_set(failure, "memory is short");
    if (index->janitor == NULL || index->readers.path == NULL || index->lock < 0)
        index_close(&index);
    return index;
}

void
index_close(struct index **index)
{
    struct index *closing = *index;

    if (closing == NULL)
        return;
    pthread_mutex_lock(&closing->resting);
    closing->ending = true;
    pthread_cond_broadcast(&closing->ended);
    pthread_mutex_unlock(&closing->resting);
    janitor_free(&closing->janitor);
    connection_free(&closing->writer);
    pool_fini(&closing->readers);
    if (closing->lock >= 0)
        close(closing->lock);
    pthread_mutex_destroy(&closing->working);
    pthread_cond_destroy(&closing->ended);
    pthread_mutex_destroy(&closing->resting);
    free(closing);
    *index = NULL;
}
