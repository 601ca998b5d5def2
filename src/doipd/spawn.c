/*
 * The fork() of a worker, the only one, and when the next one follows a worker that died. See generation.h. Runs in the master, and in the new
 * worker until worker_main().
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "background.h"
#include "control.h"
#include "generation.h"
#include "metrics.h"
#include "notify.h"
#include "passed.h"
#include "pid_file.h"
#include "signals.h"

enum {
    DELAY_FIRST_MS = 100,
    DELAY_MOST_MS = 30000,
};

/* In the child: what belongs to the master or to other workers. */
static void
forget_others(const struct generation *own, struct generation *all)
{
    for (struct generation *at = all; at != NULL; at = at->next) {
        for (size_t i = 0; i < at->slots; i++)
            if (at->children[i].channel >= 0)
                close(at->children[i].channel);
        if (at != own)
            listener_set_close(&at->listeners);
    }
}

/* In the child, too: it counts the connections of all. */
static const struct scoreboard *
all_boards(struct generation *all)
{
    for (struct generation *at = all; at != NULL; at = at->next)
        at->board.next = at->next != NULL ? &at->next->board : NULL;
    return &all->board;
}

static _Noreturn void
become_worker(const struct generation *generation, struct generation *all,
              const struct child *child, int channel)
{
    static struct worker_setup setup;

    background_forget();
    pid_file_forget();
    control_forget();
    notify_forget();
    passed_forget();
    signals_forget();
    forget_others(generation, all);
    setup = (struct worker_setup){
        .config = generation->config,
        .account = &generation->account,
        .started_by_root = generation->started_by_root,
        .tls = generation->tls,
        .service = generation->service,
        .listeners = &generation->listeners,
        .board = &generation->board,
        .boards = all_boards(all),
        .generation = generation->number,
        .index = child->number - 1,
        .part = child->part,
        .channel = channel,
    };
    worker_main(&setup);
}

void
child_schedule(struct child *child, int64_t now)
{
    child->respawn_at = now + child->delay;
    child->delay = child->delay == 0 ? DELAY_FIRST_MS : child->delay * 2;
    if (child->delay > DELAY_MOST_MS)
        child->delay = DELAY_MOST_MS;
}

/* While a generation starts that is its end: nothing tries again. */
static void
spawn_failed(struct generation *generation, struct child *child, int64_t now, const char *call)
{
    const char *why = strerror(errno);

    if (generation->state == GENERATION_STARTING)
        snprintf(generation->failure, sizeof generation->failure, "can't start worker %zu: %s: %s",
                 child->number, call, why);
    else
        log_error(WORKER_START_FAILED, "can't start worker %zu: %s: %s", child->number, call, why);
    child_schedule(child, now);
}

static void
spawn(struct generation *generation, struct generation *all, struct child *child, int64_t now)
{
    int master, worker;

    if (!channel_open(&master, &worker)) {
        spawn_failed(generation, child, now, "socketpair");
        return;
    }
    child->pid = fork();
    if (child->pid == 0) {
        close(master);
        become_worker(generation, all, child, worker);
    }
    close(worker);
    if (child->pid < 0) {
        spawn_failed(generation, child, now, "fork");
        close(master);
        return;
    }
    child->channel = master;
    metrics_count(METRICS_WORKERS_STARTED);
    child->state = CHILD_STARTING;
    child->started = now;
    child->asked = child->answered = 0;
    child->spent = false;
}

void
generation_spawn(struct generation *generation, struct generation *all, int64_t now)
{
    for (size_t i = 0; i < generation->count; i++)
        if (generation->children[i].state == CHILD_NONE &&
            generation->children[i].respawn_at <= now)
            spawn(generation, all, &generation->children[i], now);
}
