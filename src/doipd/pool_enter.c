/*
 * What connections ask of the pool (pool.h): leave to run handlers, in the thread that has them or in another.
 */
#include "clock.h"
#include "pool_impl.h"

/* With the lock held: a quick handler is run by the leader itself, under the deputy's eye. */
static void
keep_lead(struct pool *pool)
{
    pool_self->quick_since = pool_self->entered;
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
    if (pool->queued <= pool->idle || pool_add_thread(pool))
        pthread_cond_signal(&pool->news);
}

/* With the lock held: those that wait already come first, unless somebody is on the way to each of them. */
static bool
may_run_now(const struct pool *pool)
{
    return pool->queued <= pool->idle && pool_may_enter(pool);
}

bool
pool_enter(struct pool *pool, struct pool_waiting *waiting, unsigned kind)
{
    bool quick = pace_is_quick(&pool->pace, kind), may;

    pthread_mutex_lock(&pool->lock);
    may = (quick || !pool_self->leads) &&
          (may_run_now(pool) || (pool->first == NULL && pool_add_thread(pool)));
    if (may) {
        pool->busy++;
        pool_self->entered = clock_us();
        if (pool_self->leads)
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
    now = pace_is_quick(&pool->pace, kind) && pool_self->leads && may_run_now(pool);
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
    pool_give_up_lead(pool, pool_self);
    pthread_mutex_unlock(&pool->lock);
}

void
pool_leave(struct pool *pool, unsigned kind)
{
    int64_t took;

    pthread_mutex_lock(&pool->lock);
    pool->busy--;
    pool_self->quick_since = 0;
    took = clock_us() - pool_self->entered;
    pthread_mutex_unlock(&pool->lock);
    pace_learn(&pool->pace, kind, took);
}
