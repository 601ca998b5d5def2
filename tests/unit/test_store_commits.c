/*
 * How writers of one process share a transaction of the store's catalog: who waits together commits
 * together, fails alone, and sees nothing half done.
 */
#include "database_impl.h"
#include "unit_store.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { WRITERS = 6 };

/* The modes of write_together(). */
enum { WAITING, LATER, MIXED, MIXED_AGAIN, MODES };

struct writer {
    pthread_t thread;
    pthread_t ran_on;
    struct failure failure;
    int number;
    _Atomic int calls;
    int status;
    bool alone;
    bool later; /* does not wait for it */
    struct database_job job;
    sem_t told;
    struct writer *more; /* is written when it is told */
    bool fails;
    bool refuses;
    int64_t seen; /* objects in the catalog when it ran */
};

static struct database *database;

static void
setup(void)
{
    struct repository *repository;

    scratch_setup();
    repository = scratch_open();
    repository_close(&repository);
    database = database_open(scratch_root, &(struct failure){.text = ""});
    ck_assert_ptr_nonnull(database);
}

static void
teardown(void)
{
    database_close(&database);
    scratch_teardown();
}

static int
writer_work(struct connection *connection, void *closure, struct failure *failure)
{
    struct writer *writer = closure;
    sqlite3_stmt *statement = connection_prepare(connection, "SELECT count(*) FROM object");
    char id[16];

    writer->calls++;
    writer->ran_on = pthread_self();
    writer->seen =
        connection_step(connection, statement) == 1 ? sqlite3_column_int64(statement, 0) : -1;
    sqlite3_finalize(statement);
    if (writer->refuses)
        return REPOSITORY_TAKEN;
    snprintf(id, sizeof(id), "x/%d", writer->number);
    connection_run(connection, SQL_OBJECT_ADD, "sssis", id, "T", NULL, (int64_t)1, NULL);
    if (writer->fails)
        connection_fail(connection, "it was meant to fail");
    return connection_status(connection, failure);
}

static void
writer_told(struct database_job *job)
{
    struct writer *writer = job->closure;

    writer->status = job->status;
    if (writer->more)
        writer->status = database_write(database, writer_work, writer->more, &writer->failure);
    sem_post(&writer->told);
}

static void *
writer_run(void *closure)
{
    struct writer *writer = closure;

    if (writer->later) {
        sem_init(&writer->told, 0, 0);
        writer->job = (struct database_job){.work = writer_work,
                                            .closure = writer,
                                            .failure = &writer->failure,
                                            .done = writer_told,
                                            .alone = writer->alone};
        database_write_later(database, &writer->job);
        sem_wait(&writer->told);
        sem_destroy(&writer->told);
        return NULL;
    }
    writer->status = (writer->alone ? database_write_alone : database_write)(
        database, writer_work, writer, &writer->failure);
    return NULL;
}

static int
queued(void)
{
    int count = 0;

    pthread_mutex_lock(&database->queueing);
    for (const struct database_job *job = database->jobs; job != NULL; job = job->next)
        count++;
    pthread_mutex_unlock(&database->queueing);
    return count;
}

/* Lets all queue, in their order, behind another process' turn, and then go. `mode`: all wait, none
 * does, or every other one. */
static void
write_together(struct writer writers[WRITERS], int mode)
{
    int turn = open(scratch_path("writer.lock"), O_RDWR);

    ck_assert_int_eq(flock(turn, LOCK_EX), 0);
    for (int i = 0; i < WRITERS; i++) {
        writers[i].number = i;
        writers[i].later = mode == LATER || (mode >= MIXED && i % 2 == mode - MIXED);
        ck_assert_int_eq(pthread_create(&writers[i].thread, NULL, writer_run, &writers[i]), 0);
        while (queued() != i + 1)
            sched_yield();
    }
    close(turn);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(writers[i].thread, NULL);
}

/* Whether somebody waits for a lock on the file. */
static bool
is_waited_for(const char *name)
{
    FILE *locks = fopen("/proc/locks", "r");
    char line[200], number[40];
    struct stat status;
    bool found = false;

    ck_assert_ptr_nonnull(locks);
    ck_assert_int_eq(stat(scratch_path(name), &status), 0);
    snprintf(number, sizeof(number), ":%lu ", (unsigned long)status.st_ino);
    while (!found && fgets(line, sizeof(line), locks) != NULL)
        found = strstr(line, "->") != NULL && strstr(line, number) != NULL;
    fclose(locks);
    return found;
}

/* Who is told may write, as the janitor does where it has no thread. */
START_TEST(told_and_writes)
{
    struct writer more[WRITERS], writers[WRITERS] = {{.number = 0}};

    for (int i = 0; i < WRITERS; i++) {
        more[i] = (struct writer){.number = WRITERS + i};
        writers[i].more = &more[i];
    }
    write_together(writers, LATER);
    for (int i = 0; i < WRITERS; i++)
        ck_assert_int_eq(writers[i].status, REPOSITORY_OK);
    ck_assert_int_eq(scratch_sql("SELECT count(*) FROM object"), 2 * WRITERS);
}
END_TEST

/* Many, with and without waiting, for as long as it takes to meet in all ways. */
START_TEST(keep_coming)
{
    enum { TURNS = 40 };

    for (int turn = 0; turn < TURNS; turn++) {
        struct writer writers[WRITERS] = {{.number = 0}};

        for (int i = 0; i < WRITERS; i++) {
            writers[i].number = turn * WRITERS + i;
            writers[i].later = (i + turn) % 3 != 0;
            pthread_create(&writers[i].thread, NULL, writer_run, &writers[i]);
        }
        for (int i = 0; i < WRITERS; i++) {
            pthread_join(writers[i].thread, NULL);
            ck_assert_int_eq(writers[i].status, REPOSITORY_OK);
        }
    }
    ck_assert_int_eq(scratch_sql("SELECT count(*) FROM object"), TURNS * WRITERS);
}
END_TEST

/* Another process waits for its turn, so this one has to let it go first. */
START_TEST(queue_behind_other_processes)
{
    int door = open(scratch_path("queue.lock"), O_RDWR);
    struct writer writer = {.number = 1};

    ck_assert_int_eq(flock(door, LOCK_EX), 0);
    ck_assert_int_eq(pthread_create(&writer.thread, NULL, writer_run, &writer), 0);
    while (!is_waited_for("queue.lock")) /* or Check ends it */
        sched_yield();
    ck_assert_int_eq(writer.calls, 0);
    close(door);
    pthread_join(writer.thread, NULL);
    ck_assert_int_eq(writer.status, REPOSITORY_OK);
}
END_TEST

START_TEST(share_a_transaction)
{
    struct writer writers[WRITERS] = {[3] = {.refuses = true}};

    write_together(writers, _i);
    for (int i = 0; i < WRITERS; i++) {
        ck_assert_int_eq(writers[i].status, i == 3 ? REPOSITORY_TAKEN : REPOSITORY_OK);
        ck_assert_int_eq(writers[i].calls, 1);
        ck_assert(pthread_equal(writers[i].ran_on, writers[0].ran_on));
    }
    ck_assert_int_eq(scratch_sql("SELECT count(*) FROM object"), WRITERS - 1);
}
END_TEST

START_TEST(fail_alone)
{
    struct writer writers[WRITERS] = {[3] = {.fails = true}};

    write_together(writers, _i);
    for (int i = 0; i < WRITERS; i++)
        ck_assert_int_eq(writers[i].status, i == 3 ? REPOSITORY_FAILED : REPOSITORY_OK);
    ck_assert_str_eq(writers[3].failure.text, "the catalog: it was meant to fail");
    ck_assert_int_eq(scratch_sql("SELECT count(*) FROM object"), WRITERS - 1);
    ck_assert_int_eq(scratch_sql("SELECT count(*) FROM object WHERE id = 'x/3'"), 0);
}
END_TEST

/* What must see nothing but what is committed has a transaction of its own. */
START_TEST(stay_alone)
{
    struct writer writers[WRITERS] = {[2] = {.alone = true}, [4] = {.fails = true}};

    write_together(writers, _i);
    ck_assert_int_eq(writers[2].status, REPOSITORY_OK);
    ck_assert_int_eq(writers[2].calls, 1);
    ck_assert_int_eq(writers[2].seen, 2);
    ck_assert_int_eq(scratch_sql("SELECT count(*) FROM object"), WRITERS - 1);
}
END_TEST

static Suite *
suite(void)
{
    Suite *made = suite_create("store commits");
    TCase *tests = tcase_create("commits");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, queue_behind_other_processes);
    tcase_add_test(tests, keep_coming);
    tcase_add_test(tests, told_and_writes);
    tcase_add_loop_test(tests, share_a_transaction, 0, MODES);
    tcase_add_loop_test(tests, fail_alone, 0, MODES);
    tcase_add_loop_test(tests, stay_alone, 0, MODES);
    suite_add_tcase(made, tests);
    return made;
}

UNIT_MAIN(suite)
