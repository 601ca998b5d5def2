/*
 * The thread that cleans up (janitor.h). One in each worker process.
 */
#include "janitor.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

/* What could not be done is tried again after so many seconds: a full disk has room by then. */
#define AGAIN_S 3

struct janitor {
    const char *name;
    bool (*clean)(void *closure);
    void *closure;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool started;
    bool ending;
    bool again; /* something could not be done */
    unsigned long asked;
    unsigned long done;
};

/* Under the lock, with nothing asked for: waits for that. True: something is to be tried again. */
static bool
janitor_wait(struct janitor *janitor)
{
    struct timespec until;

    if (!janitor->again) {
        pthread_cond_wait(&janitor->changed, &janitor->lock);
        return false;
    }
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += AGAIN_S;
    return pthread_cond_timedwait(&janitor->changed, &janitor->lock, &until) != 0;
}

static void *
janitor_run(void *closure)
{
    struct janitor *janitor = closure;

    pthread_setname_np(pthread_self(), janitor->name);
    pthread_mutex_lock(&janitor->lock);
    while (!janitor->ending || janitor->done != janitor->asked) {
        unsigned long asked = janitor->asked;
        bool done;

        if (janitor->done == asked && !janitor_wait(janitor))
            continue;
        pthread_mutex_unlock(&janitor->lock);
        done = janitor->clean(janitor->closure);
        pthread_mutex_lock(&janitor->lock);
        janitor->again = !done;
        janitor->done = asked;
        pthread_cond_broadcast(&janitor->changed);
    }
    pthread_mutex_unlock(&janitor->lock);
    return NULL;
}

/* Signals are for the daemon's own threads. */
static bool
janitor_start(struct janitor *janitor)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&janitor->thread, NULL, janitor_run, janitor);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error == 0;
}

struct janitor *
janitor_new(const char *name, bool (*clean)(void *closure), void *closure)
{
    struct janitor *janitor = calloc(1, sizeof(*janitor));

    if (janitor == NULL)
        return NULL;
    janitor->name = name;
    janitor->clean = clean;
    janitor->closure = closure;
    pthread_mutex_init(&janitor->lock, NULL);
    pthread_cond_init(&janitor->changed, NULL);
    return janitor;
}

void
janitor_free(struct janitor **janitor)
{
    struct janitor *ending = *janitor;

    if (ending == NULL)
        return;
    pthread_mutex_lock(&ending->lock);
    ending->ending = true;
    pthread_cond_broadcast(&ending->changed);
    pthread_mutex_unlock(&ending->lock);
    if (ending->started)
        pthread_join(ending->thread, NULL);
    pthread_cond_destroy(&ending->changed);
    pthread_mutex_destroy(&ending->lock);
    free(ending);
    *janitor = NULL;
}

void
janitor_ask(struct janitor *janitor)
{
    bool here;

    pthread_mutex_lock(&janitor->lock);
    if (!janitor->started)
        janitor->started = janitor_start(janitor);
    here = !janitor->started;
    if (!here) {
        janitor->asked++;
        pthread_cond_broadcast(&janitor->changed);
    }
    pthread_mutex_unlock(&janitor->lock);
    if (here) /* no thread is to be had */
        janitor->clean(janitor->closure);
}

void
janitor_settle(struct janitor *janitor)
{
    unsigned long asked;

    pthread_mutex_lock(&janitor->lock);
    asked = janitor->asked;
    while (janitor->started && (long)(janitor->done - asked) < 0)
        pthread_cond_wait(&janitor->changed, &janitor->lock);
    pthread_mutex_unlock(&janitor->lock);
}
