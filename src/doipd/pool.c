/*
 * The threads of a worker: see pool.h. Here is how they come and go; what they do is in pool_lead.c and pool_enter.c.
 */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "clock.h"
#include "guard.h"
#include "log.h"
#include "pool_impl.h"

enum {
    IDLE_MS = 10000, /* a follower beyond the first threads that waits so long ends */
    STACK_SIZE = 2 * 1024 * 1024,
    COMPLAIN_MS = 1000,
};

_Thread_local struct pool_thread *pool_self;

struct score_thread *
pool_score(void)
{
    return &pool_self->pool->score->threads[pool_self->index];
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

/* ------------------------------------------------------------------ a thread */

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

    pool_self = thread;
    guard_thread(thread->index);
    pthread_mutex_lock(&pool->lock);
    pool->idle--;
    while (pool_follow(pool, thread)) {
        pthread_mutex_unlock(&pool->lock);
        pool_serve(pool, thread);
        pthread_mutex_lock(&pool->lock);
        if (pool->stopping)
            pool_give_up_lead(pool, thread);
    }
    leave(pool, thread);
    guard_thread_end();
    return NULL;
}

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

bool
pool_add_thread(struct pool *pool)
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

/* ------------------------------------------------------------------ all of them */

bool
pool_start(struct pool *pool)
{
    bool any;

    pthread_mutex_lock(&pool->lock);
    while (pool->total < pool->leaders_most + POOL_THREADS_FIRST - 1 && pool_add_thread(pool))
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
