/*
 * The workers of a generation: fork, hear, reap, retire: short functions over its table of children. See generation.h. Runs in the
 * master; the one fork() for workers is here.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "background.h"
#include "clock.h"
#include "generation.h"
#include "pid_file.h"

enum {
    LIVED_LONG_MS = 10000, /* a worker that lived so long did not die of its start */
    DELAY_FIRST_MS = 100,
    DELAY_MOST_MS = 30000,
    KILL_AFTER_MS = 5000, /* beyond timeouts.shutdown */
};

/* ------------------------------------------------------------------ fork */

/* In the child: what belongs to the master or to other workers. */
static void
forget_others(const struct generation *own, struct generation *all)
{
    for (struct generation *at = all; at != NULL; at = at->next) {
        for (size_t i = 0; i < at->count; i++)
            if (at->children[i].state != CHILD_NONE && at->children[i].channel >= 0)
                close(at->children[i].channel);
        if (at != own)
            listener_set_close(&at->listeners);
    }
}

static _Noreturn void
become_worker(const struct generation *generation, struct generation *all, size_t index, int channel)
{
    static struct worker_setup setup;

    background_forget();
    pid_file_forget();
    forget_others(generation, all);
    setup = (struct worker_setup){
        .config = generation->config,
        .account = &generation->account,
        .started_by_root = generation->started_by_root,
        .tls = generation->tls,
        .service = generation->service,
        .listeners = &generation->listeners,
        .board = &generation->board,
        .index = index,
        .channel = channel,
    };
    worker_main(&setup);
}

/* The next one starts after the delay so far: at once for the first death, later and later while they keep dying. */
static void
schedule(struct child *child, int64_t now)
{
    child->respawn_at = now + child->delay;
    child->delay = child->delay == 0 ? DELAY_FIRST_MS : child->delay * 2;
    if (child->delay > DELAY_MOST_MS)
        child->delay = DELAY_MOST_MS;
}

static void
spawn(struct generation *generation, struct generation *all, size_t index, int64_t now)
{
    struct child *child = &generation->children[index];
    int master, worker;

    scoreboard_clear(&generation->board, index);
    if (!channel_open(&master, &worker)) {
        log_error("can't start worker %zu: %s", index + 1, strerror(errno));
        schedule(child, now);
        return;
    }
    child->pid = fork();
    if (child->pid == 0) {
        close(master);
        become_worker(generation, all, index, worker);
    }
    close(worker);
    if (child->pid < 0) {
        log_error("can't start worker %zu: fork: %s", index + 1, strerror(errno));
        close(master);
        schedule(child, now);
        return;
    }
    child->channel = master;
    child->state = CHILD_STARTING;
    child->started = now;
}

void
generation_spawn(struct generation *generation, struct generation *all, int64_t now)
{
    for (size_t i = 0; i < generation->count; i++)
        if (generation->children[i].state == CHILD_NONE && generation->children[i].respawn_at <= now)
            spawn(generation, all, i, now);
}

/* ------------------------------------------------------------------ what they say */

static void
close_channel(struct child *child)
{
    if (child->channel >= 0)
        close(child->channel);
    child->channel = -1;
}

static size_t
number_of(const struct generation *generation, const struct child *child)
{
    return (size_t)(child - generation->children) + 1;
}

void
generation_hear(struct generation *generation, struct child *child)
{
    char text[CHANNEL_TEXT];

    switch (channel_receive(child->channel, text)) {
    case CHANNEL_READY:
        if (child->state == CHILD_STARTING)
            child->state = CHILD_READY;
        log_debug("worker %zu (pid %d) is ready", number_of(generation, child), (int)child->pid);
        break;
    case CHANNEL_FAILED:
        if (generation->state == GENERATION_STARTING)
            snprintf(generation->failure, sizeof generation->failure, "%s", text);
        else if (generation->state == GENERATION_SERVING)
            log_error("worker %zu can't start: %s", number_of(generation, child), text);
        break;
    case CHANNEL_CLOSED:
        close_channel(child); /* its death follows */
        break;
    default:
        break;
    }
}

/* ------------------------------------------------------------------ death */

static void
describe_end(int status, char *text, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(text, size, "was killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(text, size, "ended with status %d", WEXITSTATUS(status));
}

static void
log_death(const struct generation *generation, const struct child *child, int status)
{
    char how[128], doing[512];

    describe_end(status, how, sizeof how);
    scoreboard_describe(&generation->board, number_of(generation, child) - 1, doing, sizeof doing);
    log_error("worker %zu (pid %d) %s%s%s", number_of(generation, child), (int)child->pid, how,
              doing[0] != '\0' ? " " : "", doing);
}

static void
starting_worker_died(struct generation *generation, const struct child *child, int status)
{
    char how[128], doing[512];

    if (generation->failure[0] != '\0')
        return;
    describe_end(status, how, sizeof how);
    scoreboard_describe(&generation->board, number_of(generation, child) - 1, doing, sizeof doing);
    snprintf(generation->failure, sizeof generation->failure, "a worker %s before it was ready%s%s", how,
             doing[0] != '\0' ? ", " : "", doing);
}

void
generation_reaped(struct generation *generation, struct child *child, int status, int64_t now)
{
    bool in_order = child->state == CHILD_RETIRING && WIFEXITED(status) && WEXITSTATUS(status) == WORKER_EXIT_DONE;

    if (child->channel >= 0)
        generation_hear(generation, child); /* its last words */
    if (generation->state == GENERATION_STARTING)
        starting_worker_died(generation, child, status);
    else if (!in_order && generation->state != GENERATION_FAILED)
        log_death(generation, child, status);
    if (now - child->started >= LIVED_LONG_MS)
        child->delay = 0;
    if (generation->state == GENERATION_SERVING && child->delay > 0)
        log_warning("worker %zu keeps dying: the next one starts in %lld ms", number_of(generation, child),
                    (long long)child->delay);
    schedule(child, now);
    close_channel(child);
    child->state = CHILD_NONE;
    child->pid = 0;
}

/* ------------------------------------------------------------------ the end */

void
generation_retire(struct generation *generation, int64_t now, bool at_once)
{
    int64_t shutdown_ms = at_once ? 0 : (int64_t)generation->config->timeouts.shutdown * 1000;

    if (generation->state != GENERATION_FAILED)
        generation->state = GENERATION_RETIRING;
    listener_set_close(&generation->listeners);
    for (size_t i = 0; i < generation->count; i++) {
        struct child *child = &generation->children[i];

        if (child->state == CHILD_NONE)
            continue;
        child->state = CHILD_RETIRING;
        child->kill_at = now + shutdown_ms + KILL_AFTER_MS;
        if (child->channel >= 0)
            channel_send(child->channel, at_once ? CHANNEL_STOP : CHANNEL_RETIRE, "");
    }
}

void
generation_enforce(struct generation *generation, int64_t now)
{
    for (size_t i = 0; i < generation->count; i++) {
        struct child *child = &generation->children[i];

        if (child->state != CHILD_RETIRING || child->kill_at > now)
            continue;
        log_warning("worker %zu (pid %d) does not end: killing it", i + 1, (int)child->pid);
        kill(child->pid, SIGKILL);
        child->kill_at = now + KILL_AFTER_MS;
    }
}

int64_t
generation_due(const struct generation *generation)
{
    int64_t due = -1;

    for (size_t i = 0; i < generation->count; i++) {
        const struct child *child = &generation->children[i];
        int64_t at = -1;

        if (child->state == CHILD_RETIRING)
            at = child->kill_at;
        else if (child->state == CHILD_NONE && generation->state == GENERATION_SERVING)
            at = child->respawn_at;
        if (at >= 0 && (due < 0 || at < due))
            due = at;
    }
    return due;
}
