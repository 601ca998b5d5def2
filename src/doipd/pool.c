/*
 * The threads of a worker: see pool.h.
 *
 * Waking a thread for each request would cost more than most requests do, so a leader runs those itself that are known to be quick
 * (pace.h), and leaves only the others, or what is not known yet, to a follower. Whoever turns out not to be is
 * found out by the deputy within WATCH_MS, which takes the lead away; it looks only while quick handlers are being run.
 *
 * It is the request that changes hands, not the lead: a thread that has been woken may wait for a CPU, and only that one request should wait with it.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "descriptors.h"
#include "guard.h"
#include "log.h"
#include "pool.h"

enum {
    THREADS_FIRST = 3,
    IDLE_MS = 10000, /* a follower beyond the first threads that waits so long ends */
    WATCH_MS = 20,   /* between the deputy's looks: rare enough not to show among the system calls of requests */
    LATE_US = 5000,   /* a quick handler that takes so long is not */
    QUIET_LOOKS = 10, /* the deputy rests after so many looks without a quick handler */
    STACK_SIZE = 2 * 1024 * 1024,
    COMPLAIN_MS = 1000,
};

struct pool_thread {
    struct pool *pool;
    int index;
    bool used;
    bool leads;
    int64_t quick_since; /* µs; in a quick handler while it leads; 0: not */
    int64_t entered;     /* µs; in a handler */
};

static _Thread_local struct pool_thread *me;

struct score_thread *
pool_score(void)
{
    return &me->pool->score->threads[me->index];
}

static int
cpus(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

bool
pool_init(struct pool *pool, int threads_most, int processes, struct score_worker *score)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    pthread_condattr_t monotonic;

    memset(pool, 0, sizeof *pool);
    pool->threads_most = threads_most;
    pool->idle_ms = IDLE_MS;
    pool->leaders_most = (cpus() + processes - 1) / processes;
    if (pool->leaders_most > POOL_READY)
        pool->leaders_most = POOL_READY;
    if (pool->leaders_most >= threads_most)
        pool->leaders_most = threads_most - 1;
    pool->score = score;
    pool->last = &pool->first;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->news, &monotonic);
    pthread_cond_init(&pool->ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pool->epoll = epoll_create1(EPOLL_CLOEXEC);
    pool->stop_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pool->threads = calloc((size_t)threads_most, sizeof *pool->threads);
    return pool->epoll >= 0 && pool->stop_event >= 0 && pool->threads != NULL &&
           epoll_ctl(pool->epoll, EPOLL_CTL_ADD, pool->stop_event, &event) == 0;
}

/* ------------------------------------------------------------------ the lead */

/* With the lock held. */
static void
give_up_lead(struct pool *pool, struct pool_thread *thread)
{
    if (!thread->leads)
        return;
    thread->leads = false;
    thread->quick_since = 0;
    pool->leaders--;
    pthread_cond_signal(&pool->news);
}

/* The deputy's look, with the lock held. */
static void
look(struct pool *pool)
{
    int64_t now = clock_us();

    for (int i = 0; i < pool->places; i++) {
        struct pool_thread *thread = &pool->threads[i];

        if (thread->quick_since != 0 && now - thread->quick_since > LATE_US)
            give_up_lead(pool, thread);
    }
    pool->quiet_looks = pool->quick == pool->quick_seen ? pool->quiet_looks + 1 : 0;
    pool->quick_seen = pool->quick;
    if (pool->quiet_looks >= QUIET_LOOKS)
        pool->watch = false;
}

static int
wait_news(struct pool *pool, int ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    return pthread_cond_timedwait(&pool->news, &pool->lock, &until);
}

/* With the lock held: one thread is never given to a handler. */
static bool
may_enter(const struct pool *pool)
{
    return pool->total - pool->busy > 1;
}

/* With the lock held: there is something in the queue that this thread may run. A leader leaves it to those that are on their way. */
static bool
may_take(const struct pool *pool, const struct pool_thread *thread)
{
    return pool->first != NULL && may_enter(pool) && (!thread->leads || pool->queued > pool->idle);
}

static bool
is_spare(const struct pool *pool)
{
    return pool->total > THREADS_FIRST && pool->total - pool->busy > pool->leaders_most + 1;
}

/* With the lock held: there is nothing to do for a follower. */
static bool
must_wait(const struct pool *pool, const struct pool_thread *thread)
{
    return pool->leaders >= pool->leaders_most && !may_take(pool, thread);
}

/* With the lock held: waits for the lead, or for something to run. False when the thread is to end. */
static bool
follow(struct pool *pool, struct pool_thread *thread)
{
    while (!pool->stopping && must_wait(pool, thread)) {
        bool deputy = pool->watch && !pool->has_deputy;
        int error;

        pool->has_deputy = pool->has_deputy || deputy;
        pool->idle++;
        error = wait_news(pool, deputy ? WATCH_MS : pool->idle_ms);
        pool->idle--;
        if (deputy) {
            pool->has_deputy = false;
            look(pool);
        } else if (error == ETIMEDOUT && must_wait(pool, thread) && is_spare(pool)) {
            return false; /* only where nothing came with the time-out */
        }
    }
    if (pool->stopping)
        return false;
    if (pool->leaders < pool->leaders_most) {
        pool->leaders++;
        thread->leads = true;
    }
    return true;
}

/* What a thread does next: the one or the other, or neither. */
struct next {
    struct pool_waiting *waiting;
    struct source *source;
};

/* One that waits for a handler, where this thread is to run it; else, where it leads, a source that is ready. */
static struct next
take_next(struct pool *pool, struct pool_thread *thread)
{
    struct next next = {NULL, NULL};

    pthread_mutex_lock(&pool->lock);
    if (may_take(pool, thread)) {
        next.waiting = pool->first;
        pool->first = next.waiting->next;
        if (pool->first == NULL)
            pool->last = &pool->first;
        pool->queued--;
        pool->busy++;
        give_up_lead(pool, thread);
        thread->entered = clock_us();
    } else if (thread->leads && pool->ready_count > 0) {
        next.source = pool->ready[pool->ready_first++ % POOL_READY];
        pool->ready_count--;
    }
    pthread_mutex_unlock(&pool->lock);
    return next;
}

/*
 * Waits until sources are ready. One leader takes several at a time, which saves system calls when many are; of several leaders each takes one, so that
 * none sits on what another could do. False: the stop event.
 */
static bool
wait_ready(struct pool *pool)
{
    struct epoll_event events[POOL_READY];
    int n = epoll_wait(pool->epoll, events, pool->leaders_most > 1 ? 1 : POOL_READY, -1);
    bool stop = false;

    /* Of what else it may say, it is asked again. */
    if (n < 0 && (errno == EBADF || errno == EINVAL))
        descriptors_lost(pool->epoll);
    pthread_mutex_lock(&pool->lock);
    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr != NULL)
            pool->ready[(pool->ready_first + pool->ready_count++) % POOL_READY] =
                events[i].data.ptr;
        else
            stop = true;
    }
    pthread_mutex_unlock(&pool->lock);
    return !stop;
}

/* Serves until this thread has no lead, and nothing is left that it could do without. */
static void
serve(struct pool *pool, struct pool_thread *thread)
{
    for (;;) {
        struct next next = take_next(pool, thread);

        if (next.waiting != NULL)
            next.waiting->run(next.waiting);
        else if (next.source != NULL)
            next.source->ready(next.source);
        else if (!thread->leads || !wait_ready(pool))
            return;
    }
}

/*
 * With the lock held, which it gives up. Each thread that leaves joins the one before: so whoever joins the last knows that all are gone
 * with what they had of their own, which a handler's library may have to take down.
 */
static void
leave(struct pool *pool, struct pool_thread *thread)
{
    bool join = pool->has_left;
    pthread_t before = join ? pool->left : pthread_self();

    pool->has_left = true;
    pool->left = pthread_self();
    thread->used = false;
    if (--pool->total == 0)
        pthread_cond_signal(&pool->ended);
    pthread_mutex_unlock(&pool->lock);
    if (join)
        pthread_join(before, NULL);
}

static void *
thread_main(void *argument)
{
    struct pool_thread *thread = argument;
    struct pool *pool = thread->pool;

    me = thread;
    guard_thread(thread->index);
    pthread_mutex_lock(&pool->lock);
    pool->idle--;
    while (follow(pool, thread)) {
        pthread_mutex_unlock(&pool->lock);
        serve(pool, thread);
        pthread_mutex_lock(&pool->lock);
        if (pool->stopping)
            give_up_lead(pool, thread);
    }
    leave(pool, thread);
    guard_thread_end();
    return NULL;
}

/* ------------------------------------------------------------------ coming and going */

/* With the lock held: a place that no thread has. */
static struct pool_thread *
free_place(struct pool *pool)
{
    for (int i = 0; i < pool->threads_most; i++)
        if (!pool->threads[i].used) {
            pool->threads[i] = (struct pool_thread){.pool = pool, .index = i};
            return &pool->threads[i];
        }
    return NULL;
}

/* Once a second: a busy pool tries with every request. */
static void
complain(struct pool *pool, int error)
{
    int64_t now = clock_ms();

    if (now < pool->complain_at)
        return;
    pool->complain_at = now + COMPLAIN_MS;
    log_warning(THREAD_FAILED, "can't start a thread: %s; going on with %d", strerror(error),
                pool->total);
}

/* With the lock held. */
static bool
add_thread(struct pool *pool)
{
    struct pool_thread *place = pool->total < pool->threads_most ? free_place(pool) : NULL;
    pthread_attr_t attributes;
    pthread_t thread;
    int error;

    if (place == NULL)
        return false;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    error = pthread_create(&thread, &attributes, thread_main, place);
    pthread_attr_destroy(&attributes);
    if (error != 0) {
        complain(pool, error);
        return false;
    }
    place->used = true;
    pool->total++;
    pool->idle++;
    if (pool->places <= place->index)
        pool->places = place->index + 1;
    return true;
}

bool
pool_start(struct pool *pool)
{
    bool any;

    pthread_mutex_lock(&pool->lock);
    while (pool->total < pool->leaders_most + THREADS_FIRST - 1 && add_thread(pool))
        ;
    any = pool->total > 1;
    pthread_mutex_unlock(&pool->lock);
    return any;
}

void
pool_stop(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    eventfd_write(pool->stop_event, 1);
    pthread_cond_broadcast(&pool->news);
    while (pool->total > 0)
        pthread_cond_wait(&pool->ended, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
    if (pool->has_left)
        pthread_join(pool->left, NULL);
    pool->has_left = false;
}

/* ------------------------------------------------------------------ handlers */

/* With the lock held: a quick handler is run by the leader itself, under the deputy's eye. */
static void
keep_lead(struct pool *pool)
{
    me->quick_since = me->entered;
    pool->quick++;
    pool->quiet_looks = 0;
    pool->watch = true;
    if (!pool->has_deputy && pool->idle > 0)
        pthread_cond_signal(&pool->news);
}

/* With the lock held. */
static void
append(struct pool *pool, struct pool_waiting *waiting)
{
    waiting->next = NULL;
    *pool->last = waiting;
    pool->last = &waiting->next;
    pool->queued++;
}

/* With the lock held: for a follower, or a new thread. Where there is none to be had, whoever is done first looks into the queue, the leader included. */
static void
leave_to_others(struct pool *pool, struct pool_waiting *waiting)
{
    append(pool, waiting);
    if (pool->queued <= pool->idle || add_thread(pool))
        pthread_cond_signal(&pool->news);
}

/* With the lock held: those that wait already come first, unless somebody is on the way to each of them. */
static bool
may_run_now(const struct pool *pool)
{
    return pool->queued <= pool->idle && may_enter(pool);
}

bool
pool_enter(struct pool *pool, struct pool_waiting *waiting, unsigned kind)
{
    bool quick = pace_is_quick(&pool->pace, kind), may;

    pthread_mutex_lock(&pool->lock);
    may = (quick || !me->leads) && (may_run_now(pool) || (pool->first == NULL && add_thread(pool)));
    if (may) {
        pool->busy++;
        me->entered = clock_us();
        if (me->leads)
            keep_lead(pool);
    } else {
        leave_to_others(pool, waiting);
    }
    pthread_mutex_unlock(&pool->lock);
    return may;
}

bool
pool_runs_now(struct pool *pool, unsigned kind)
{
    bool now;

    pthread_mutex_lock(&pool->lock);
    now = pace_is_quick(&pool->pace, kind) && me->leads && may_run_now(pool);
    pthread_mutex_unlock(&pool->lock);
    return now;
}

/* It is taken by the calling thread itself, at the latest: that looks when it is done with what it has. */
void
pool_queue(struct pool *pool, struct pool_waiting *waiting)
{
    pthread_mutex_lock(&pool->lock);
    append(pool, waiting);
    pthread_mutex_unlock(&pool->lock);
}

void
pool_give_way(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    give_up_lead(pool, me);
    pthread_mutex_unlock(&pool->lock);
}

void
pool_leave(struct pool *pool, unsigned kind)
{
    int64_t took;

    pthread_mutex_lock(&pool->lock);
    pool->busy--;
    me->quick_since = 0;
    took = clock_us() - me->entered;
    pthread_mutex_unlock(&pool->lock);
    pace_learn(&pool->pace, kind, took);
}
