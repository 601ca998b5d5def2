/*
 * What a thread of the pool does (pool_impl.h): a leader waits on the epoll set, a follower for something to run or for the lead. In
 * each thread of the pool.
 *
 * Waking a thread for each request would cost more than most requests do, so a leader runs those itself that are known to be quick
 * (pace.h), and leaves only the others, or what is not known yet, to a follower. Whoever turns out not to be is
 * found out by the deputy within WATCH_MS, which takes the lead away; it looks only while quick handlers are being run.
 *
 * It is the request that changes hands, not the lead: a thread that has been woken may wait for a CPU, and only that one request should wait with it.
 */
#include <errno.h>
#include <sys/epoll.h>

#include "clock.h"
#include "descriptors.h"
#include "pool_impl.h"

enum {
    WATCH_MS =
        20, /* between the deputy's looks: rare enough not to show among the system calls of requests */
    LATE_US = 5000,   /* a quick handler that takes so long is not */
    QUIET_LOOKS = 10, /* the deputy rests after so many looks without a quick handler */
};

void
pool_give_up_lead(struct pool *pool, struct pool_thread *thread)
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
            pool_give_up_lead(pool, thread);
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

bool
pool_may_enter(const struct pool *pool)
{
    return pool->total - pool->busy > 1;
}

/* With the lock held: there is something in the queue that this thread may run. A leader leaves it to those that are on their way. */
static bool
may_take(const struct pool *pool, const struct pool_thread *thread)
{
    return pool->first != NULL && pool_may_enter(pool) &&
           (!thread->leads || pool->queued > pool->idle);
}

static bool
is_spare(const struct pool *pool)
{
    return pool->total > POOL_THREADS_FIRST && pool->total - pool->busy > pool->leaders_most + 1;
}

/* With the lock held: there is nothing to do for a follower. */
static bool
must_wait(const struct pool *pool, const struct pool_thread *thread)
{
    return pool->leaders >= pool->leaders_most && !may_take(pool, thread);
}

bool
pool_follow(struct pool *pool, struct pool_thread *thread)
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
        pool_give_up_lead(pool, thread);
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

void
pool_serve(struct pool *pool, struct pool_thread *thread)
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
