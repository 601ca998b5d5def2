/*
 * Work that waits for a transaction of the store's catalog (database.h): that of many threads shares
 * one. In each worker process, from any of its threads.
 *
 * Who waits in its thread, leads: the first to come waits for its process' turn, takes what has
 * queued by then, runs it all, commits, has the next in the queue lead, and tells each how it went.
 * So the slower the disk, the more share a sync. Each waits for a semaphore of its own and needs no
 * lock when it wakes, or all of a batch would queue for that once more.
 *
 * For work that nobody waits for there is a thread, the writer, from its first on. It leads as long
 * as there is anything, so that nobody else is woken.
 */
#include <errno.h>
#include <signal.h>

#include "database_impl.h"

/* So much work in one transaction: nobody waits for much more than a commit or two. */
#define BATCH_MAX 64

/* The calling thread is the writer. */
static _Thread_local bool is_writer;

/* ------------------------------------------------------------------ batches */

/* One transaction; false: nothing of it came true. */
static bool
batch_try(struct connection *connection, struct database_job *batch, struct failure *failure)
{
    bool written = false;

    for (struct database_job *job = batch; job != NULL && !connection->failed; job = job->next) {
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
batch_one_by_one(struct database *database, struct database_job *batch)
{
    while (batch != NULL) {
        struct database_job *next = batch->next;
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
static struct database_job *
batch_take(struct database *database)
{
    struct database_job *batch = database->jobs, **end = &batch->next;

    for (int count = 1; count < BATCH_MAX && !batch->alone && *end != NULL && !(*end)->alone;
         count++)
        end = &(*end)->next;
    database->jobs = *end;
    if (database->jobs == NULL)
        database->last = &database->jobs;
    *end = NULL;
    return batch;
}

static struct database_job *
batch_run(struct database *database)
{
    struct failure failure;
    struct connection *connection = database_writer(database, &failure);
    struct database_job *batch;

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

/* Tells each how it went. A job is gone when it has been told, but for the caller's own. */
static void
batch_tell(struct database_job *batch)
{
    struct database_job *next;

    for (; batch != NULL; batch = next) {
        next = batch->next;
        if (batch->done != NULL) {
            batch->done(batch);
        } else {
            batch->finished = true;
            sem_post(&batch->wake);
        }
    }
}

/* The next one to lead, whom the caller wakes when it has given the lead up; NULL: there is none. */
static sem_t *
lead_next(struct database *database)
{
    struct database_job *next;
    sem_t *wake = NULL;

    pthread_mutex_lock(&database->queueing);
    next = database->jobs;
    database->leading = next != NULL;
    if (next != NULL)
        wake = next->done != NULL ? &database->work : &next->wake;
    pthread_mutex_unlock(&database->queueing);
    return wake;
}

static void
queue_wait(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0)
        continue; /* a signal */
}

/* With the lock held. True: the caller is to lead, or to wake who does. */
static bool
queue_add(struct database *database, struct database_job *job)
{
    bool leads = !database->leading;

    job->next = NULL;
    *database->last = job;
    database->last = &job->next;
    database->leading = true;
    return leads;
}

/* ------------------------------------------------------------------ who waits */

/* By the first of the queue: leads one batch, which its own job is in. */
static void
job_lead(struct database *database)
{
    struct database_job *batch = batch_run(database);
    sem_t *next = lead_next(database);

    if (next != NULL)
        sem_post(next);
    batch_tell(batch);
}

static int
job_run(struct database *database, struct database_job *job)
{
    bool leads;

    if (is_writer) { /* told of something, it has more to write: it leads, and nobody else would */
        batch_one_by_one(database, job);
        return job->status;
    }
    sem_init(&job->wake, 0, 0);
    pthread_mutex_lock(&database->queueing);
    leads = queue_add(database, job);
    pthread_mutex_unlock(&database->queueing);
    if (!leads)
        queue_wait(&job->wake);
    if (!job->finished)
        job_lead(database);
    sem_destroy(&job->wake);
    return job->status;
}

int
database_write(struct database *database, database_work work, void *closure,
               struct failure *failure)
{
    struct database_job job = {.work = work, .closure = closure, .failure = failure};

    return job_run(database, &job);
}

int
database_write_alone(struct database *database, database_work work, void *closure,
                     struct failure *failure)
{
    struct database_job job = {.work = work, .closure = closure, .failure = failure, .alone = true};

    return job_run(database, &job);
}

/* ------------------------------------------------------------------ the writer */

/* Leads until nothing is left, and keeps the lead while it tells the last how it went: those that
 * come meanwhile need wake nobody. */
static void
writer_lead(struct database *database)
{
    do
        batch_tell(batch_run(database));
    while (lead_next(database) != NULL);
}

static void *
writer_run(void *closure)
{
    struct database *database = closure;

    pthread_setname_np(pthread_self(), "store-writer");
    is_writer = true;
    for (;;) {
        queue_wait(&database->work);
        if (database->ending)
            return NULL;
        writer_lead(database);
    }
}

/* With the lock held. Signals are for the daemon's own threads. */
static bool
writer_start(struct database *database)
{
    sigset_t all, before;

    if (database->has_writer)
        return true;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    database->has_writer = pthread_create(&database->thread, NULL, writer_run, database) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return database->has_writer;
}

void
database_write_later(struct database *database, struct database_job *job)
{
    void (*done)(struct database_job *) = job->done;
    bool writer, leads = false;

    pthread_mutex_lock(&database->queueing);
    writer = writer_start(database);
    if (writer)
        leads = queue_add(database, job);
    pthread_mutex_unlock(&database->queueing);
    if (leads)
        sem_post(&database->work);
    if (writer)
        return;
    /* No thread is to be had. */
    job->done = NULL;
    job_run(database, job);
    done(job);
}

void
database_queue_init(struct database *database)
{
    pthread_mutex_init(&database->queueing, NULL);
    sem_init(&database->work, 0, 0);
    database->last = &database->jobs;
}

void
database_queue_fini(struct database *database)
{
    if (database->has_writer) {
        database->ending = true;
        sem_post(&database->work);
        pthread_join(database->thread, NULL);
    }
    sem_destroy(&database->work);
    pthread_mutex_destroy(&database->queueing);
}
