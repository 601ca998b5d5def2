/*
 * A worker's threads: one is never in a handler, waiters are taken in order, quick handlers cost no thread's waking and hold nobody
 * up when they are not quick after all, idle threads go, and when the pool has stopped nothing of them runs.
 */
#include "unit.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "doipd/clock.h"
#include "doipd/log.h"
#include "doipd/pool.h"

enum { MOST = 6 };

/* The threads have alternate signal stacks of their own, which AddressSanitizer must not take for its. */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
    return "use_sigaltstack=0";
}

static struct scoreboard board;
static struct pool pool;

static void
setup(void)
{
    log_setup(LOG_LEVEL_ERROR, false, false, true);
    ck_assert(scoreboard_init(&board, 1, MOST, 1));
    ck_assert(pool_init(&pool, MOST, 1000, scoreboard_worker(&board, 0)));
}

static void
teardown(void)
{
    scoreboard_fini(&board);
}

static void
until_true(atomic_int *what, int value)
{
    int64_t end = clock_ms() + 20000;

    while (atomic_load(what) != value) {
        ck_assert_int_lt(clock_ms(), end);
        usleep(1000);
    }
}

/* The pool's own numbers are under its lock. */
static int
total(void)
{
    int value;

    pthread_mutex_lock(&pool.lock);
    value = pool.total;
    pthread_mutex_unlock(&pool.lock);
    return value;
}

static struct pool_waiting **
last(void)
{
    struct pool_waiting **value;

    pthread_mutex_lock(&pool.lock);
    value = pool.last;
    pthread_mutex_unlock(&pool.lock);
    return value;
}

/* A job: an eventfd in the epoll set, as a connection would be. */
struct job {
    struct source source;
    struct pool_waiting waiting;
    int number;
};

static struct job jobs[32];
static atomic_int running, most_running, done, begun;
static atomic_bool held;
static int order[64];
static pthread_t runner[64];
static pthread_t noticed; /* the last event */

/* What a handler's library keeps per thread. */
static pthread_key_t key;
static bool key_made;

static void
handle(struct job *job)
{
    int now = atomic_fetch_add(&running, 1) + 1, most = atomic_load(&most_running);

    while (now > most && !atomic_compare_exchange_weak(&most_running, &most, now))
        ;
    runner[atomic_load(&begun) % 64] = pthread_self();
    order[atomic_fetch_add(&begun, 1) % 64] = job->number;
    if (key_made)
        pthread_setspecific(key, &key);
    while (atomic_load(&held))
        usleep(1000);
    atomic_fetch_sub(&running, 1);
    pool_leave(&pool, 1);
    atomic_fetch_add(&done, 1);
}

static void
run(struct pool_waiting *waiting)
{
    handle((struct job *)(void *)((char *)waiting - offsetof(struct job, waiting)));
}

static void
ready(struct source *source)
{
    struct job *job = (struct job *)source;

    noticed = pthread_self();
    if (pool_enter(&pool, &job->waiting, 1))
        handle(job);
}

/* The event comes once, to one thread. */
static void
post(int number)
{
    struct job *job = &jobs[number];
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = &job->source};

    *job = (struct job){.source = {ready}, .waiting = {NULL, run}, .number = number};
    ck_assert_int_eq(epoll_ctl(pool.epoll, EPOLL_CTL_ADD, eventfd(1, 0), &event), 0);
}

START_TEST(one_thread_stays_out_of_handlers)
{
    ck_assert(pool_start(&pool));
    atomic_store(&held, true);
    for (int i = 0; i < MOST - 1; i++)
        post(i);
    until_true(&begun, MOST - 1);
    /* From here on each waits its turn; the free thread queues them one by one. */
    for (int i = MOST - 1; i < 20; i++) {
        struct pool_waiting **before = last();
        post(i);
        for (int64_t end = clock_ms() + 20000; last() == before; usleep(1000))
            ck_assert_int_lt(clock_ms(), end);
    }
    ck_assert_int_eq(atomic_load(&begun), MOST - 1);
    ck_assert_int_eq(total(), MOST);
    atomic_store(&held, false);
    until_true(&done, 20);
    ck_assert_int_eq(atomic_load(&most_running), MOST - 1);
    pool_stop(&pool);
    ck_assert_int_eq(pool.busy, 0);
}
END_TEST

/* Where the system gives no more threads, the requests wait for those that there are. */
START_TEST(threads_that_can_not_be_started)
{
    struct rlimit before, none;

    if (geteuid() != 0)
        return; /* root's own threads have no limit, others' have one that tests share */
    ck_assert(pool_start(&pool));
    ck_assert_int_eq(setresuid(65534, 65534, 65534), 0);
    prctl(PR_SET_DUMPABLE, 1); /* for a sanitizer's look at leaks, as is the limit's end below */
    ck_assert_int_eq(getrlimit(RLIMIT_NPROC, &before), 0);
    none = (struct rlimit){1, before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &none), 0);
    atomic_store(&held, true);
    for (int i = 0; i < 10; i++)
        post(i);
    until_true(&begun, 2);
    usleep(100000);
    ck_assert_int_eq(atomic_load(&begun), 2);
    ck_assert_int_eq(total(), 3);
    atomic_store(&held, false);
    until_true(&done, 10);
    pool_stop(&pool);
    setrlimit(RLIMIT_NPROC, &before);
}
END_TEST

/* With one thread in handlers at a time the order is what was asked for. */
START_TEST(first_come_first_served)
{
    pool.threads_most = 2;
    ck_assert(pool_start(&pool));
    atomic_store(&held, true);
    post(0);
    until_true(&begun, 1);
    for (int i = 1; i < 20; i++) {
        post(i);
        usleep(20000);
    }
    atomic_store(&held, false);
    until_true(&done, 20);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(order[i], i);
    pool_stop(&pool);
}
END_TEST

/* One job after the other, each done before the next. */
static void
teach(int count)
{
    for (int i = 0; i < count; i++) {
        int before = atomic_load(&done);
        post(i % 32);
        until_true(&done, before + 1);
    }
}

/* Handlers that are known to be quick are run by the leader itself: the lead stays where it is. */
START_TEST(quick_handlers_keep_the_lead)
{
    ck_assert(pool_start(&pool));
    teach(40);
    for (int i = 30; i < 40; i++)
        ck_assert(pthread_equal(runner[i], runner[29]));
    pool_stop(&pool);
}
END_TEST

/* Others are left to followers: whoever leads goes on, and waits for no thread to wake up. */
START_TEST(slow_handlers_do_not_take_the_lead)
{
    pthread_t leader;

    ck_assert(pool_start(&pool));
    atomic_store(&held, true);
    post(0);
    until_true(&begun, 1);
    leader = noticed;
    for (int i = 1; i < MOST - 1; i++) {
        post(i);
        until_true(&begun, i + 1);
        ck_assert(pthread_equal(noticed, leader));
        ck_assert(!pthread_equal(runner[i], leader));
    }
    atomic_store(&held, false);
    until_true(&done, MOST - 1);
    pool_stop(&pool);
}
END_TEST

/* One that was quick and now hangs loses the lead: others are served. */
START_TEST(a_quick_handler_that_hangs_holds_nobody_up)
{
    ck_assert(pool_start(&pool));
    teach(40);
    atomic_store(&held, true);
    post(0);
    until_true(&begun, 41);
    post(1);
    until_true(&begun, 42);
    atomic_store(&held, false);
    until_true(&done, 42);
    ck_assert(!pthread_equal(runner[40], runner[41]));
    pool_stop(&pool);
}
END_TEST

/* What a handler's library keeps per thread is taken down when the thread ends: after that it may be unloaded,
 * not before. */
static atomic_int taken_down;

static void
take_down(void *value)
{
    (void)value;
    usleep(200000);
    atomic_fetch_add(&taken_down, 1);
}

START_TEST(when_it_has_stopped_nothing_runs)
{
    ck_assert_int_eq(pthread_key_create(&key, take_down), 0);
    key_made = true;
    ck_assert(pool_start(&pool));
    atomic_store(&held, true);
    for (int i = 0; i < 4; i++)
        post(i);
    until_true(&begun, 4);
    atomic_store(&held, false);
    until_true(&done, 4);
    pool_stop(&pool);
    ck_assert_int_eq(atomic_load(&taken_down), 4);
    ck_assert_int_eq(pool.total, 0);
}
END_TEST

/* Threads beyond the first three go when they have been idle, and they too are waited for. */
START_TEST(idle_threads_leave)
{
    pool.idle_ms = 100;
    ck_assert(pool_start(&pool));
    atomic_store(&held, true);
    for (int i = 0; i < MOST - 1; i++)
        post(i);
    until_true(&begun, MOST - 1);
    ck_assert_int_eq(total(), MOST);
    atomic_store(&held, false);
    until_true(&done, MOST - 1);
    for (int64_t end = clock_ms() + 18000; clock_ms() < end && total() > 3;)
        usleep(10000);
    ck_assert_int_eq(total(), 3);
    pool_stop(&pool);
    ck_assert_int_eq(pool.leaders, 0);
}
END_TEST

static Suite *
suite(void)
{
    Suite *suite = suite_create("pool");
    TCase *tests = tcase_create("pool");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, one_thread_stays_out_of_handlers);
    tcase_add_test(tests, threads_that_can_not_be_started);
    tcase_add_test(tests, first_come_first_served);
    tcase_add_test(tests, quick_handlers_keep_the_lead);
    tcase_add_test(tests, slow_handlers_do_not_take_the_lead);
    tcase_add_test(tests, a_quick_handler_that_hangs_holds_nobody_up);
    tcase_add_test(tests, when_it_has_stopped_nothing_runs);
    tcase_add_test(tests, idle_threads_leave);
    suite_add_tcase(suite, tests);
    return suite;
}

UNIT_MAIN(suite)
