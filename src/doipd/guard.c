/*
 * Handlers that harm their process: see guard.h.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "descriptors.h"
#include "guard.h"
#include "log.h"
#include "worker.h"

enum { ALTERNATE_STACK = 32768, FOREIGN = -1 };

static struct {
    struct score_worker *score; /* NULL in a copy of the process */
    bool has_key;
    pthread_key_t key; /* of the worker's own threads */
    bool done;
    bool copy;
} guard;

/* Of the scoreboard's threads; those that the worker did not start have none. */
static _Thread_local int own_thread = FOREIGN;

static void
note_thread(void)
{
    if (guard.score != NULL)
        atomic_store(&guard.score->fatal_thread,
                     own_thread == FOREIGN ? SCORE_FOREIGN : own_thread + 1);
}

_Noreturn void
guard_end_worker(const char *why)
{
    if (guard.score != NULL)
        score_last_words(guard.score, why);
    note_thread();
    _exit(WORKER_EXIT_BROKEN);
}

void
guard_done(void)
{
    guard.done = true;
    if (guard.score != NULL)
        atomic_store(&guard.score->done, true);
}

static void
on_thread_ended(void *used)
{
    (void)used;
    if (!guard.copy)
        guard_end_worker("a thread of the worker's was ended, as by pthread_exit(), which a "
                         "handler must not do");
}

/* ------------------------------------------------------------------ fatal signals */

/* Async-signal-safe: one store, then the signal's own effect. */
static void
on_fatal(int number)
{
    note_thread();
    signal(number, SIG_DFL);
    raise(number);
}

void
guard_begin(struct score_worker *score)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS};
    struct sigaction action = {.sa_handler = on_fatal, .sa_flags = SA_ONSTACK | SA_NODEFER};

    guard.score = score;
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++)
        sigaction(fatal[i], &action, NULL);
}

/* ------------------------------------------------------------------ exit() and fork() */

static void
on_exit_called(int status, void *nothing)
{
    char text[GUARD_WORDS];

    (void)nothing;
    if (guard.done || guard.copy)
        return;
    snprintf(text, sizeof text, "exit(%d) was called, which a handler must not do", status);
    guard_end_worker(text);
}

/* In the child of a handler: nothing that it does counts as the worker's, and it has none of its sockets. */
static void
become_copy(void)
{
    guard.copy = true;
    guard.score = NULL;
    descriptors_close_copies();
}

void
guard_returned(const char *handler)
{
    if (!guard.copy)
        return;
    log_error(HANDLER_MISBEHAVED, "handler %s has forked, and came back in the child: that ends",
              handler);
    _exit(WORKER_EXIT_BROKEN);
}

/* ------------------------------------------------------------------ threads */

static void
make_key(void)
{
    guard.has_key = pthread_key_create(&guard.key, on_thread_ended) == 0;
}

void
guard_thread(int thread)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static _Thread_local char stack[ALTERNATE_STACK];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};

    own_thread = thread;
    sigaltstack(&alternate, NULL);
    pthread_once(&once, make_key);
    if (guard.has_key)
        pthread_setspecific(guard.key, &guard);
}

void
guard_thread_end(void)
{
    if (guard.has_key)
        pthread_setspecific(guard.key, NULL);
}

/* What is registered last runs first: before anything is taken down that other threads still use. */
void
guard_exits(void)
{
    on_exit(on_exit_called, NULL);
    pthread_atfork(NULL, NULL, become_copy);
}
