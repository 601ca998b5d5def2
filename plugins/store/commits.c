/*
 * The writer of the store's catalog (database.h): work of many threads in one transaction. In each
 * worker process, from any of its threads.
 *
 * There is no thread for it. The first to come leads: it waits for its process' turn, takes what
 * has queued by then, runs it all, commits, wakes the next in the queue to lead, and tells each how
 * it went. So the slower the disk, the more share a sync. Each waits for a semaphore of its own and
 * needs no lock when it wakes, or all of a batch would queue for that once more.
 */
#include "database_impl.h"

#include <errno.h>
#include <semaphore.h>
#include <string.h>
#include <sys/file.h>

/* So much work in one transaction: nobody waits for much more than a commit or two. */
#define BATCH_MAX 64

/* The log is copied into the catalog from so many pages (32 MiB) on. Readers that come and go without
 * a pause keep it from starting anew: from so many (128 MiB) on, it waits for them a moment. */
#define LOG_PAGES 8192
#define LOG_PRESSING 32768
#define LOG_WAIT_MS 500

struct job {
    struct job *next;
    database_work work;
    void *closure;
    struct failure *failure;
    bool alone; /* in a transaction of its own */
    bool done;  /* when it is woken; if not, it leads */
    int status;
    sem_t wake;
};

/* ------------------------------------------------------------------ the log */

/* Called after each commit. What it can't do now it does later: the commit stands. */
static int
log_grown(void *closure, sqlite3 *handle, const char *name, int pages)
{
    (void)closure;
    if (pages >= LOG_PRESSING) {
        sqlite3_busy_timeout(handle, LOG_WAIT_MS);
        sqlite3_wal_checkpoint_v2(handle, name, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
        sqlite3_busy_timeout(handle, CONNECTION_BUSY_MS);
    } else if (pages >= LOG_PAGES) {
        sqlite3_wal_checkpoint_v2(handle, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    }
    return SQLITE_OK;
}

void
database_log(struct connection *connection)
{
    sqlite3_wal_hook(connection->handle, log_grown, NULL);
}

/* ------------------------------------------------------------------ a transaction */

static bool
lock_wait(int fd)
{
    int result;

    while ((result = flock(fd, LOCK_EX)) != 0 && errno == EINTR)
        continue;
    return result == 0;
}

/* The kernel wakes all that wait for a lock, and whoever gave it up may have it again before them. So
 * they wait at a door, and the one who is through is next: who has written queues behind it. */
bool
database_lock(struct database *database, struct failure *failure)
{
    bool locked = lock_wait(database->door) && lock_wait(database->turn);

    if (!locked)
        failure_set(failure, "the catalog's lock file: %s", strerror(errno));
    flock(database->door, LOCK_UN);
    return locked;
}

void
database_unlock(struct database *database)
{
    if (database->writer != NULL && database->writer->failed)
        connection_free(&database->writer);
    flock(database->turn, LOCK_UN);
}

struct connection *
database_writer(struct database *database, struct failure *failure)
{
    if (!database_lock(database, failure))
        return NULL;
    if (database->writer == NULL)
        database->writer =
            connection_new(DATABASE_NAME, database->readers.path, SQL_CONNECTION_WRITER, failure);
    if (database->writer != NULL) {
        database->writer->database = database;
        database_log(database->writer);
        if (connection_run(database->writer, SQL_WRITE, ""))
            return database->writer;
        connection_status(database->writer, failure);
    }
    database_unlock(database);
    return NULL;
}

int
database_commit(struct connection **connection, struct failure *failure)
{
    struct database *database = (*connection)->database;
    int status;

    connection_end(*connection, SQL_COMMIT);
    status = connection_status(*connection, failure);
    database_unlock(database); /* which closes a connection that failed, and so rolls back */
    *connection = NULL;
    return status;
}

void
database_rollback(struct connection **connection)
{
    struct database *database = (*connection)->database;

    connection_end(*connection, SQL_ROLLBACK);
    database_unlock(database);
    *connection = NULL;
}

/* ------------------------------------------------------------------ batches */

/* One transaction; false: nothing of it came true. */
static bool
batch_try(struct connection *connection, struct job *batch, struct failure *failure)
{
    bool written = false;

    for (struct job *job = batch; job != NULL && !connection->failed; job = job->next) {
        job->status = job->work(connection, job->closure, job->failure);
        written = written || job->status == REPOSITORY_OK;
    }
    if (written || connection->failed)
        return database_commit(&connection, failure) == REPOSITORY_OK;
    database_rollback(&connection);
    return true;
}

/* What fails together is tried one by one: the fault may be in one of them, and is told to nobody
 * else. */
static void
batch_one_by_one(struct database *database, struct job *batch)
{
    while (batch != NULL) {
        struct job *next = batch->next;
        struct failure failure;
        struct connection *connection = database_writer(database, &failure);

        batch->next = NULL;
        if (connection == NULL || !batch_try(connection, batch, &failure)) {
            batch->status = REPOSITORY_FAILED;
            *batch->failure = failure;
        }
        batch->next = next;
        batch = next;
    }
}

/* Takes the first of the queue, and what can share its transaction. */
static struct job *
batch_take(struct database *database)
{
    struct job *batch = database->jobs, **end = &batch->next;

    for (int count = 1; count < BATCH_MAX && !batch->alone && *end != NULL && !(*end)->alone;
         count++)
        end = &(*end)->next;
    database->jobs = *end;
    if (database->jobs == NULL)
        database->last = &database->jobs;
    *end = NULL;
    return batch;
}

static struct job *
batch_run(struct database *database)
{
    struct failure failure;
    struct connection *connection = database_writer(database, &failure);
    struct job *batch;

    pthread_mutex_lock(&database->queueing);
    batch = batch_take(database);
    pthread_mutex_unlock(&database->queueing);
    if (connection != NULL && batch_try(connection, batch, &failure))
        return batch;
    if (batch->next != NULL) {
        batch_one_by_one(database, batch);
    } else {
        batch->status = REPOSITORY_FAILED;
        *batch->failure = failure;
    }
    return batch;
}

/* By the first of the queue: leads one batch, which it is in, and lets the next lead. A job is gone
 * when it has been woken. */
static void
batch_lead(struct database *database)
{
    struct job *batch = batch_run(database), *own = batch, *next;

    pthread_mutex_lock(&database->queueing);
    next = database->jobs;
    database->leading = next != NULL;
    pthread_mutex_unlock(&database->queueing);
    if (next != NULL)
        sem_post(&next->wake);
    for (batch = own->next; batch != NULL; batch = next) {
        next = batch->next;
        batch->done = true;
        sem_post(&batch->wake);
    }
}

static int
job_run(struct database *database, struct job *job)
{
    bool leads;

    sem_init(&job->wake, 0, 0);
    pthread_mutex_lock(&database->queueing);
    *database->last = job;
    database->last = &job->next;
    leads = !database->leading;
    database->leading = true;
    pthread_mutex_unlock(&database->queueing);
    while (!leads && sem_wait(&job->wake) != 0)
        continue; /* a signal */
    if (!job->done)
        batch_lead(database);
    sem_destroy(&job->wake);
    return job->status;
}

int
database_write(struct database *database, database_work work, void *closure,
               struct failure *failure)
{
    struct job job = {.work = work, .closure = closure, .failure = failure};

    return job_run(database, &job);
}

int
database_write_alone(struct database *database, database_work work, void *closure,
                     struct failure *failure)
{
    struct job job = {.work = work, .closure = closure, .failure = failure, .alone = true};

    return job_run(database, &job);
}
