/*
 * The threads of a worker: see pool.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "pool.h"

enum {
    THREADS_FIRST = 4,
    IDLE_MS = 10000, /* a thread beyond the first ones that waits so long ends */
    STACK_SIZE = 2 * 1024 * 1024,
    COMPLAIN_MS = 1000,
};

struct start {
    struct pool *pool;
    int index;
};

static _Thread_local struct score_thread *my_score;

struct score_thread *
pool_score(void)
{
    return my_score;
}

bool
pool_init(struct pool *pool, int threads_most, struct score_worker *score)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};

    memset(pool, 0, sizeof *pool);
    pool->threads_most = threads_most;
    pool->score = score;
    pool->last = &pool->first;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->ended, NULL);
    pool->epoll = epoll_create1(EPOLL_CLOEXEC);
    pool->stop_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pool->free_indexes = calloc((size_t)threads_most, sizeof *pool->free_indexes);
    if (pool->epoll < 0 || pool->stop_event < 0 || pool->free_indexes == NULL)
        return false;
    for (int i = threads_most - 1; i >= 0; i--)
        pool->free_indexes[pool->free_count++] = i;
    return epoll_ctl(pool->epoll, EPOLL_CTL_ADD, pool->stop_event, &event) == 0;
}

/* Takes one that waits for a handler, where this thread may enter one. */
static struct pool_waiting *
take_waiting(struct pool *pool)
{
    struct pool_waiting *waiting = NULL;

    pthread_mutex_lock(&pool->lock);
    if (pool->first != NULL && pool->total - pool->busy > 1) {
        waiting = pool->first;
        pool->first = waiting->next;
        if (pool->first == NULL)
            pool->last = &pool->first;
        pool->busy++;
    }
    pthread_mutex_unlock(&pool->lock);
    return waiting;
}

/*
 * True when the pool can do without this thread, which has then left it. Each that leaves joins the one before: so whoever joins the last
 * knows that all are gone with what they had of their own, which a handler's library may have to take down.
 */
static bool
retire_if_idle(struct pool *pool, int index, bool stopping)
{
    bool leave, join = false;
    pthread_t before = pthread_self();

    pthread_mutex_lock(&pool->lock);
    leave = stopping || (pool->total > THREADS_FIRST && pool->total - pool->busy > 1);
    if (leave) {
        join = pool->has_left;
        if (join)
            before = pool->left;
        pool->has_left = true;
        pool->left = pthread_self();
        pool->free_indexes[pool->free_count++] = index;
        if (--pool->total == 0)
            pthread_cond_signal(&pool->ended);
    }
    pthread_mutex_unlock(&pool->lock);
    if (join)
        pthread_join(before, NULL);
    return leave;
}

static void *
thread_main(void *argument)
{
    struct start start = *(struct start *)argument;
    struct pool *pool = start.pool;

    free(argument);
    score_watch_thread(start.index);
    my_score = &pool->score->threads[start.index];
    for (;;) {
        struct epoll_event event;
        int n = epoll_wait(pool->epoll, &event, 1, IDLE_MS);
        struct source *source = n == 1 ? event.data.ptr : NULL;
        struct pool_waiting *waiting;

        if (source != NULL)
            source->ready(source, event.events);
        else if (n >= 0 && retire_if_idle(pool, start.index, n == 1))
            return NULL;
        while ((waiting = take_waiting(pool)) != NULL)
            waiting->run(waiting);
    }
}

/* Once a second: a busy pool tries with every request. */
static void
complain(struct pool *pool, int error)
{
    int64_t now = clock_ms();

    if (now < pool->complain_at)
        return;
    pool->complain_at = now + COMPLAIN_MS;
    log_warning("can't start a thread: %s; going on with %d", strerror(error), pool->total);
}

/* With the lock held. */
static bool
add_thread(struct pool *pool)
{
    struct start *start = malloc(sizeof *start);
    pthread_attr_t attributes;
    pthread_t thread;
    int error = ENOMEM;

    if (start != NULL) {
        start->pool = pool;
        start->index = pool->free_indexes[pool->free_count - 1];
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, STACK_SIZE);
        error = pthread_create(&thread, &attributes, thread_main, start);
        pthread_attr_destroy(&attributes);
    }
    if (error != 0) {
        free(start);
        complain(pool, error);
        return false;
    }
    pool->free_count--;
    pool->total++;
    return true;
}

bool
pool_start(struct pool *pool)
{
    bool any;

    pthread_mutex_lock(&pool->lock);
    while (pool->total < THREADS_FIRST && pool->total < pool->threads_most && add_thread(pool))
        ;
    any = pool->total > 1;
    pthread_mutex_unlock(&pool->lock);
    return any;
}

bool
pool_enter(struct pool *pool, struct pool_waiting *waiting)
{
    bool may;

    pthread_mutex_lock(&pool->lock);
    /* Those that wait already come first. */
    may = pool->first == NULL &&
          (pool->total - pool->busy > 1 || (pool->total < pool->threads_most && add_thread(pool)));
    if (may) {
        pool->busy++;
    } else {
        waiting->next = NULL;
        *pool->last = waiting;
        pool->last = &waiting->next;
    }
    pthread_mutex_unlock(&pool->lock);
    return may;
}

void
pool_leave(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->busy--;
    pthread_mutex_unlock(&pool->lock);
}

void
pool_stop(struct pool *pool)
{
    eventfd_t one = 1;

    pthread_mutex_lock(&pool->lock);
    eventfd_write(pool->stop_event, one);
    while (pool->total > 0)
        pthread_cond_wait(&pool->ended, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
    if (pool->has_left)
        pthread_join(pool->left, NULL);
    pool->has_left = false;
}
