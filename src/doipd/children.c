/*
 * The workers of a generation, once forked (spawn.c): hear, reap, retire: short functions over its table of children. See generation.h.
 * Runs in the master.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "addresses.h"
#include "generation.h"
#include "metrics.h"

enum {
    LIVED_LONG_MS = 10000, /* a worker that lived so long did not die of its start */
    KILL_AFTER_MS = 5000, /* beyond timeouts.shutdown */
    HOW = 256,            /* of the text for how a worker ended */
};

/* ------------------------------------------------------------------ what they say */

static void
close_channel(struct child *child)
{
    if (child->channel >= 0)
        close(child->channel);
    child->channel = -1;
}

/* Its time to end: never later than it was told before. */
static void
set_kill_at(const struct generation *generation, struct child *child, int64_t now, bool at_once)
{
    int64_t shutdown_ms = at_once ? 0 : (int64_t)generation->config->timeouts.shutdown * 1000;
    int64_t at = now + shutdown_ms + KILL_AFTER_MS;

    if (child->state != CHILD_RETIRING || at < child->kill_at)
        child->kill_at = at;
    child->state = CHILD_RETIRING;
}

/* One that does not listen to its channel is told by a signal. */
static void
tell(const struct child *child, enum channel_kind kind)
{
    if (child->channel < 0 || !channel_send(child->channel, kind, ""))
        kill(child->pid, kind == CHANNEL_STOP ? SIGKILL : SIGTERM);
}

void
generation_make_room(struct generation *generation, struct child *child, int64_t now)
{
    for (size_t i = generation->count; i < generation->slots; i++) {
        struct child *room = &generation->children[i], leaver = *child;

        if (room->state != CHILD_NONE)
            continue;
        *child = (struct child){.channel = -1, .number = leaver.number, .part = room->part, .delay = leaver.delay};
        if (now - leaver.started >= LIVED_LONG_MS)
            child->delay = 0;
        child_schedule(child, now);
        *room = leaver;
        return;
    }
}

static void
leaving(struct generation *generation, struct child *child, int64_t now)
{
    if (child->state != CHILD_READY || generation->state != GENERATION_SERVING)
        return;
    set_kill_at(generation, child, now, false);
    /* Without room it is replaced when it has ended. One that was put aside before has been replaced. */
    if (child < generation->children + generation->count)
        generation_make_room(generation, child, now);
}

/* One that can't be told would sit there and serve nobody: another takes its place. */
static void
let_serve(const struct child *child)
{
    if (channel_send(child->channel, CHANNEL_SERVE, ""))
        return;
    log_error(WORKER_KILLED, "worker %zu (pid %d) can't be told to serve: %s: killing it", child->number, (int)child->pid, strerror(errno));
    kill(child->pid, SIGKILL);
}

/* Its successor serves: the worker that was put aside for it may go. */
static void
retire_predecessor(const struct generation *generation, const struct child *successor, int64_t now)
{
    for (size_t i = generation->count; i < generation->slots; i++) {
        struct child *child = &generation->children[i];

        if (child->state != CHILD_READY || child->number != successor->number)
            continue;
        set_kill_at(generation, child, now, false);
        tell(child, CHANNEL_RETIRE);
    }
}

/* In a serving generation it serves at once, in one that starts when all are ready. */
static void
ready(const struct generation *generation, struct child *child, int64_t now)
{
    log_debug(WORKER_READY, "worker %zu (pid %d) is ready", child->number, (int)child->pid);
    if (child->state != CHILD_STARTING)
        return;
    child->state = CHILD_READY;
    child->answered = now;
    if (generation->state != GENERATION_SERVING)
        return;
    let_serve(child);
    retire_predecessor(generation, child, now);
}

void
generation_serve(struct generation *generation)
{
    generation->state = GENERATION_SERVING;
    for (size_t i = 0; i < generation->count; i++)
        let_serve(&generation->children[i]);
}

static void
hear_failure(struct generation *generation, const struct child *child, const char *text)
{
    if (generation->state == GENERATION_STARTING)
        snprintf(generation->failure, sizeof generation->failure, "%s", text);
    else if (generation->state == GENERATION_SERVING)
        log_error(WORKER_START_FAILED, "worker %zu can't start: %s", child->number, text);
}

void
generation_hear(struct generation *generation, struct child *child, int64_t now)
{
    char text[CHANNEL_TEXT];

    switch (channel_receive(child->channel, text)) {
    case CHANNEL_READY:
        ready(generation, child, now);
        break;
    case CHANNEL_FAILED:
        hear_failure(generation, child, text);
        break;
    case CHANNEL_LEAVING:
        leaving(generation, child, now);
        break;
    case CHANNEL_ALIVE:
        child->answered = now;
        break;
    case CHANNEL_CLOSED:
        close_channel(child); /* its death follows */
        break;
    default:
        break;
    }
}

/* Of a process that is gone: why it could not start, or that it left in order. */
static void
hear_last_words(struct generation *generation, struct child *child)
{
    char text[CHANNEL_TEXT];
    enum channel_kind kind;

    while (child->channel >= 0 && (kind = channel_receive(child->channel, text)) != CHANNEL_NONE) {
        if (kind == CHANNEL_FAILED)
            hear_failure(generation, child, text);
        else if (kind == CHANNEL_LEAVING)
            child->state = CHILD_RETIRING;
        else if (kind == CHANNEL_CLOSED)
            close_channel(child);
    }
    close_channel(child);
}

/* ------------------------------------------------------------------ death */

static void
describe_end(const struct generation *generation, const struct child *child, int status, char text[HOW])
{
    char words[SCORE_WORDS];

    scoreboard_last_words(&generation->board, child->part, words);
    if (WIFSIGNALED(status))
        snprintf(text, HOW, "was killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) == WORKER_EXIT_BROKEN && words[0] != '\0')
        snprintf(text, HOW, "ended itself, as %s;", words);
    else
        snprintf(text, HOW, "ended with status %d", WEXITSTATUS(status));
}

static void
log_death(const struct generation *generation, const struct child *child, int status)
{
    char how[HOW], doing[512];

    describe_end(generation, child, status, how);
    scoreboard_describe(&generation->board, child->part, doing, sizeof doing);
    log_error(WORKER_DIED, "worker %zu (pid %d) %s%s%s", child->number, (int)child->pid, how,
              doing[0] != '\0' ? " " : "", doing);
}

static void
starting_worker_died(struct generation *generation, const struct child *child, int status)
{
    char how[HOW], doing[512];

    if (generation->failure[0] != '\0')
        return;
    describe_end(generation, child, status, how);
    scoreboard_describe(&generation->board, child->part, doing, sizeof doing);
    snprintf(generation->failure, sizeof generation->failure, "a worker %s before it was ready%s%s", how,
             doing[0] != '\0' ? ", " : "", doing);
}

void
generation_reaped(struct generation *generation, struct child *child, int status, int64_t now)
{
    bool done = atomic_load(&scoreboard_worker(&generation->board, child->part)->done);
    bool serves = child < generation->children + generation->count, in_order;

    hear_last_words(generation, child);
    in_order = child->state == CHILD_RETIRING && WIFEXITED(status) && WEXITSTATUS(status) == WORKER_EXIT_DONE && done;
    if (generation->state == GENERATION_STARTING)
        starting_worker_died(generation, child, status);
    else if (!in_order && generation->state != GENERATION_FAILED)
        log_death(generation, child, status);
    if (!in_order && generation->state != GENERATION_FAILED)
        metrics_count(WIFSIGNALED(status) ? METRICS_DEATHS_SIGNAL : METRICS_DEATHS_EXIT);
    if (now - child->started >= LIVED_LONG_MS)
        child->delay = 0;
    if (serves && generation->state == GENERATION_SERVING && child->delay > 0)
        log_warning(WORKER_KEEPS_DYING, "worker %zu keeps dying: the next one starts in %lld ms", child->number, (long long)child->delay);
    child_schedule(child, now);
    addresses_worker_gone(&generation->board, child->part);
    scoreboard_clear(&generation->board, child->part);
    child->state = CHILD_NONE;
    child->pid = 0;
}

/* ------------------------------------------------------------------ the end */

void
generation_retire(struct generation *generation, int64_t now, enum generation_end how)
{
    static const enum channel_kind words[] = {CHANNEL_RETIRE, CHANNEL_END, CHANNEL_STOP};

    if (generation->state != GENERATION_FAILED)
        generation->state = GENERATION_RETIRING;
    listener_set_close(&generation->listeners);
    for (size_t i = 0; i < generation->slots; i++) {
        struct child *child = &generation->children[i];

        if (child->state == CHILD_NONE)
            continue;
        set_kill_at(generation, child, now, how == END_AT_ONCE);
        tell(child, words[how]);
    }
}

void
generation_enforce(struct generation *generation, int64_t now)
{
    for (size_t i = 0; i < generation->slots; i++) {
        struct child *child = &generation->children[i];
        char doing[512];

        if (child->state != CHILD_RETIRING || child->kill_at > now)
            continue;
        scoreboard_describe(&generation->board, child->part, doing, sizeof doing);
        log_warning(WORKER_KILLED, "worker %zu (pid %d) does not end: killing it%s%s", child->number, (int)child->pid,
                    doing[0] != '\0' ? ", " : "", doing);
        kill(child->pid, SIGKILL);
        child->kill_at = now + KILL_AFTER_MS;
    }
}

int64_t
generation_due(const struct generation *generation)
{
    int64_t due = -1;

    for (size_t i = 0; i < generation->slots; i++) {
        const struct child *child = &generation->children[i];
        int64_t at = -1;

        if (child->state == CHILD_RETIRING)
            at = child->kill_at;
        else if (child->state == CHILD_NONE && generation->state == GENERATION_SERVING && i < generation->count)
            at = child->respawn_at;
        if (at >= 0 && (due < 0 || at < due))
            due = at;
    }
    return due;
}
