/*
 * Looking after workers: see watch.h.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "log.h"
#include "watch.h"

enum {
    PERIOD_MS = 5000,
    PATIENCE_MS = 30000,
};

static int64_t
least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void
watch_init(struct watch *watch, int64_t watchdog)
{
    *watch = (struct watch){.period = PERIOD_MS, .patience = PATIENCE_MS};
    if (watchdog <= 0)
        return;
    /* A worker's silence must be over before the master's would begin. */
    watch->period = least(watch->period, watchdog / 4);
    watch->patience = least(watch->patience, watchdog / 2);
}

/* ------------------------------------------------------------------ silence */

static void
end_silent(struct child *child, int64_t since, int64_t now, const char *what)
{
    log_error(WORKER_SILENT, "worker %zu (pid %d) %s for %lld s: killing it", child->number,
              (int)child->pid, what, (long long)(now - since) / 1000);
    kill(child->pid, SIGKILL);
}

static void
look_at_pulse(const struct watch *watch, struct child *child, int64_t now)
{
    if (child->state == CHILD_STARTING && now - child->started > GENERATION_START_MS) {
        end_silent(child, child->started, now, "has not become ready");
    } else if (child->state == CHILD_READY && child->asked > child->answered) {
        if (now - child->asked > watch->patience)
            end_silent(child, child->asked, now, "has not answered");
    } else if (child->state == CHILD_READY) {
        child->asked = now;
        channel_send(child->channel, CHANNEL_ASK, "");
    }
}

/* ------------------------------------------------------------------ age and size */

/* What is its own, in bytes: neither files nor what workers share. 0 where the kernel does not say. */
static uint64_t
own_memory(pid_t pid)
{
    unsigned long resident, shared;
    char path[64];
    uint64_t own = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    file = fopen(path, "re");
    if (file == NULL)
        return 0;
    /* NOLINTNEXTLINE(cert-err34-c): the kernel's numbers fit */
    if (fscanf(file, "%*u %lu %lu", &resident, &shared) == 2 && resident > shared)
        own = (uint64_t)(resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
    fclose(file);
    return own;
}

static void
look_at_age(const struct generation *generation, struct child *child)
{
    uint64_t most = (uint64_t)generation->config->workers.requests,
             largest = generation->config->workers.memory;
    uint64_t requests = atomic_load(&scoreboard_worker(&generation->board, child->part)->requests),
             own;

    if (child->state != CHILD_READY || child->spent)
        return;
    if (most > 0 && requests >= most) {
        log_info(
            WORKER_SPENT,
            "worker %zu (pid %d) has answered %llu requests: it is replaced (workers.requests)",
            child->number, (int)child->pid, (unsigned long long)requests);
        child->spent = true;
    } else if (largest > 0 && (own = own_memory(child->pid)) > largest) {
        log_warning(WORKER_SPENT,
                    "worker %zu (pid %d) has %llu MiB of its own: it is replaced (workers.memory)",
                    child->number, (int)child->pid, (unsigned long long)(own >> 20));
        child->spent = true;
    }
}

static struct child *
oldest_spent(const struct generation *generation)
{
    struct child *oldest = NULL;

    for (size_t i = 0; i < generation->count; i++) {
        struct child *child = &generation->children[i];

        if (child->state == CHILD_READY && child->spent &&
            (oldest == NULL || child->started < oldest->started))
            oldest = child;
    }
    return oldest;
}

/* One at a time, so that a generation is never far from its usual size. */
static void
replace_spent(struct generation *generation, int64_t now)
{
    struct child *spent = oldest_spent(generation);

    for (size_t i = generation->count; i < generation->slots; i++)
        if (generation->children[i].state == CHILD_READY)
            return;
    if (spent != NULL)
        generation_make_room(generation, spent, now);
}

/* ------------------------------------------------------------------ the look */

static bool
look(const struct watch *watch, struct generation *generation, int64_t now)
{
    bool answered = false;

    for (size_t i = 0; i < generation->slots; i++) {
        struct child *child = &generation->children[i];

        look_at_pulse(watch, child, now);
        look_at_age(generation, child);
        answered = answered || (child->state == CHILD_READY &&
                                now - child->answered <= watch->patience + watch->period);
    }
    replace_spent(generation, now);
    return answered;
}

bool
watch_look(struct watch *watch, struct generation *serving, int64_t now)
{
    if (now < watch->due)
        return false;
    watch->due = now + watch->period;
    return serving == NULL || look(watch, serving, now);
}
