/*
 * A worker process: starts (worker_start.c), says that it is ready, serves, drains. The functions here run in its first
 * thread, the control thread: it listens to the master and to the clock, and touches no connection but to expire it.
 */
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "acceptor.h"
#include "channel.h"
#include "clock.h"
#include "connection.h"
#include "descriptors.h"
#include "guard.h"
#include "pulse.h"
#include "worker_impl.h"

enum {
    SWEEP_MS = 1000,
    LAST_CALL_MS = 2000, /* before timeouts.shutdown ends it, a connection that is never quiet is closed between two requests */
    QUIET_MS = 2000, /* a connection that a draining worker may close: DOIP has no "connection: close" */
    SAY_MS = 60000,
    CROWD = 200, /* connections that have gone: their memory is worth giving back */
    GONE_MS = 15000,
};

/* The control thread's view. */
struct control {
    struct worker *worker;
    int signals;
    int64_t drain_until; /* ms; while draining */
    int64_t sweep_at;    /* ms */
    int most;            /* connections that were open at once since memory was given back */
    int64_t give_back_at; /* ms; -1: there is nothing to give back */
    bool orphan; /* the master is gone */
    bool stop;
};

void
worker_wake(struct worker *worker)
{
    eventfd_write(worker->wake, 1);
}

bool
worker_may_say(_Atomic(int64_t) *said)
{
    int64_t now = clock_ms(), before = atomic_load(said);

    return (before == 0 || now - before >= SAY_MS) && atomic_compare_exchange_strong(said, &before, now);
}

static int
take_signals(void)
{
    static const int ignored[] = {SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU};
    sigset_t set;

    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        signal(ignored[i], SIG_IGN);
    /* Only SIGTERM stays blocked: the pool's threads inherit this mask. */
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_SETMASK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* ------------------------------------------------------------------ control */

static void
drain(struct control *control, const char *why)
{
    struct worker *worker = control->worker;

    if (atomic_load(&worker->draining))
        return;
    log_debug(WORKER_DRAINING, "draining: %s", why);
    atomic_store(&worker->draining, true);
    acceptors_stop(worker);
    control->drain_until = clock_ms() + (int64_t)worker->config->timeouts.shutdown * 1000;
}

/* Only now: a generation that fails to start must never have served anyone. */
static void
serve(struct control *control)
{
    struct worker *worker = control->worker;

    if (worker->acceptors == NULL && !atomic_load(&worker->draining) && !acceptors_start(worker))
        worker_give_up(worker->setup, "a worker can't serve: out of memory");
}

/* Until the service has ended, and may be another, whoever is new waits, or is refused: so those who keep a connection busy have it ended with
 * their next answer. A reload need not do that. */
static void
end(struct control *control)
{
    drain(control, "the service ends");
    atomic_store(&control->worker->last_call, true);
}

static void
hear_master(struct control *control)
{
    char text[CHANNEL_TEXT];
    enum channel_kind kind = channel_receive(control->worker->setup->channel, text);

    control->orphan = kind == CHANNEL_CLOSED;
    if (kind == CHANNEL_SERVE)
        serve(control);
    else if (kind == CHANNEL_RETIRE)
        drain(control, "the master says so");
    else if (kind == CHANNEL_END)
        end(control);
    else if (kind == CHANNEL_LOG_LEVEL && log_level_parse(text) >= 0)
        log_set_level(log_level_parse(text));
    else if (kind == CHANNEL_ASK) {
        descriptors_look();
        pulse_ask();
    } else if (kind == CHANNEL_CLOSED)
        drain(control, "the master is gone");
    else if (kind == CHANNEL_STOP)
        control->stop = true;
}

static void
hear_signal(struct control *control)
{
    struct signalfd_siginfo info;

    if (read(control->signals, &info, sizeof info) == (ssize_t)sizeof info)
        drain(control, "SIGTERM");
}

/* True when a thread's handler runs for longer than timeouts.handler. */
static bool
overruns(const struct control *control, const struct score_thread *score, int64_t now)
{
    int most = control->worker->config->timeouts.handler;
    struct score_report report;
    char doing[512];

    if (!score_read(score, &report) || now - report.began < (int64_t)most * 1000)
        return false;
    score_describe(&report, doing, sizeof doing);
    log_error(HANDLER_OVERRAN, "%s: it has run for %lld s, and timeouts.handler is %d: this worker retires and is replaced", doing,
              (long long)(now - report.began) / 1000, most);
    return true;
}

/* A handler can't be stopped but by ending its process: the worker gives up its place, serves what else it
 * has, and ends. */
static void
look_at_handlers(struct control *control, int64_t now)
{
    struct worker *worker = control->worker;
    bool any = false;

    if (worker->config->timeouts.handler == 0 || atomic_load(&worker->draining))
        return;
    for (size_t i = 0; i < score_parts((size_t)worker->config->workers.threads); i++)
        any = overruns(control, &worker->score->threads[i], now) || any;
    if (!any)
        return;
    channel_send(worker->setup->channel, CHANNEL_LEAVING, "");
    drain(control, "a handler runs for too long");
}

static int64_t
last_call_at(const struct control *control)
{
    int64_t half = (int64_t)control->worker->config->timeouts.shutdown * 500;

    return control->drain_until - (half < LAST_CALL_MS ? half : LAST_CALL_MS);
}

/* How long a connection must have been quiet to be closed; -1: it is not. */
static int64_t
quiet_ms(const struct control *control, int64_t now)
{
    if (!atomic_load(&control->worker->draining))
        return -1;
    return now >= last_call_at(control) ? 0 : QUIET_MS;
}

/*
 * What a crowd of connections has freed lies between what others, and the handlers, still use: malloc keeps that until it is told. It is told when the
 * crowd has been gone for a while, and the threads with it that it had called for.
 */
static void
give_back_memory(struct control *control, int64_t now)
{
    int count = atomic_load(&control->worker->count);
    bool gone;

    if (count > control->most)
        control->most = count;
    gone = control->most - count >= CROWD && count <= control->most / 2;
    if (!gone) {
        control->give_back_at = -1;
    } else if (control->give_back_at < 0) {
        control->give_back_at = now + GONE_MS;
    } else if (now >= control->give_back_at) {
        malloc_trim(0);
        control->most = count;
        control->give_back_at = -1;
    }
}

static void
sweep(struct control *control, int64_t now)
{
    if (now < control->sweep_at)
        return;
    control->sweep_at = now + SWEEP_MS;
    look_at_handlers(control, now);
    descriptors_look();
    connections_sweep(control->worker, now, quiet_ms(control, now));
}

static int64_t
sooner(int64_t due, int64_t at)
{
    return due < 0 || at < due ? at : due;
}

/* Ends what is over; gives the time to look again, -1 for only when woken. */
static int64_t
keep_time(struct control *control)
{
    struct worker *worker = control->worker;
    int64_t now = clock_ms(), next = acceptors_resume(worker, now);

    sweep(control, now);
    give_back_memory(control, now);
    if (atomic_load(&worker->draining)) {
        int64_t last_call = last_call_at(control);

        acceptors_close(worker);
        if (now >= last_call)
            atomic_store(&worker->last_call, true);
        else
            next = sooner(next, last_call);
        control->stop = control->stop || now >= control->drain_until;
        next = sooner(next, control->drain_until);
    }
    if (atomic_load(&worker->draining) || atomic_load(&worker->count) > 0)
        next = sooner(next, control->sweep_at);
    return control->give_back_at < 0 ? next : sooner(next, control->give_back_at);
}

static void
wait_for_news(struct control *control, int64_t until)
{
    struct pollfd polls[] = {
        {.fd = control->worker->wake, .events = POLLIN},
        {.fd = control->signals, .events = POLLIN},
        {.fd = control->orphan ? -1 : control->worker->setup->channel, .events = POLLIN},
    };
    int64_t wait = until - clock_ms();
    eventfd_t ignored;

    if (until < 0)
        wait = -1;
    else if (wait < 0)
        wait = 0;
    if (poll(polls, 3, (int)wait) <= 0)
        return;
    if (((polls[0].revents | polls[1].revents | polls[2].revents) & POLLNVAL) != 0)
        descriptors_look();
    if (polls[0].revents != 0)
        eventfd_read(control->worker->wake, &ignored);
    if (polls[1].revents != 0)
        hear_signal(control);
    if (polls[2].revents != 0)
        hear_master(control);
}

static bool
is_done(const struct control *control)
{
    struct worker *worker = control->worker;

    /* In this order: who accepts counts as that until the connection is counted. */
    return control->stop || (atomic_load(&worker->draining) && atomic_load(&worker->accepting) == 0 &&
                             atomic_load(&worker->count) == 0);
}

static void
keep_descriptors(const struct control *control)
{
    const struct worker *worker = control->worker;
    const struct listener_set *listeners = worker->setup->listeners;
    const int own[] = {STDIN_FILENO,          STDOUT_FILENO, STDERR_FILENO,    log_descriptor(),
                       worker->setup->channel, worker->wake,  control->signals, worker->pool.epoll,
                       worker->pool.stop_event};

    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        descriptors_keep(own[i]);
    for (size_t i = 0; i < listeners->count; i++)
        descriptors_keep(listeners->items[i].fd);
}

_Noreturn void
worker_main(const struct worker_setup *setup)
{
    static struct worker worker;
    struct control control = {.worker = &worker, .signals = take_signals(), .give_back_at = -1};
    char name[32];

    snprintf(name, sizeof name, "worker %zu", setup->index + 1);
    log_set_process(name);
    log_change(setup->config->log.level, setup->config->log.json, setup->config->log.access);
    worker_start(&worker, setup);
    keep_descriptors(&control);
    if (!channel_send(setup->channel, CHANNEL_READY, ""))
        worker_give_up(setup, "a worker can't tell the master that it is ready: the system refuses memory");
    while (!is_done(&control))
        wait_for_news(&control, keep_time(&control));
    /* Handlers may still be running where time was up: then nothing of theirs may be taken down. */
    if (control.stop) {
        guard_done();
        _exit(WORKER_EXIT_DONE);
    }
    pool_stop(&worker.pool);
    authenticator_fini(&worker.authenticator);
    handlers_close(&worker.handlers, &worker.score->threads[setup->config->workers.threads]);
    guard_done();
    exit(WORKER_EXIT_DONE);
}
