/*
 * The master: see master.h. Signals are blocked once and read from a descriptor; the loop looks at signals, workers and the clock in a fixed
 * order. One thread.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "addresses.h"
#include "clock.h"
#include "master_impl.h"
#include "metrics.h"
#include "notify.h"
#include "pid_file.h"
#include "signals.h"
#include "throttle.h"
#include "tickets.h"

enum { POLLS_MOST = 4096, STOP_SPARE_S = 15, WORKER_POLLS = POLLS_MOST - CONTROL_POLLS };

/* ------------------------------------------------------------------ signals */

/* How long it takes at most until all workers have ended, in seconds. */
static int
longest_shutdown(const struct master *master)
{
    int longest = 0;

    for (const struct generation *at = master->all; at != NULL; at = at->next)
        if (at->config->timeouts.shutdown > longest)
            longest = at->config->timeouts.shutdown;
    return longest + STOP_SPARE_S;
}

static void
end(struct master *master, bool at_once)
{
    int64_t now = clock_ms();

    master->asked = true;
    at_once = at_once || master->ending != ENDING_NOT; /* asked twice */
    if (master->ending == ENDING_NOT)
        log_notice(STOPPING, "%s", at_once ? "stopping" : "stopping when the connections are done");
    master->ending = at_once ? ENDING_AT_ONCE : ENDING_DRAIN;
    master->reload_wanted = false;
    control_reload_begins(master->control);
    control_reload_ends(master->control, "the service is stopping", NULL);
    notify_stopping(longest_shutdown(master));
    if (master->coming != NULL)
        snprintf(master->coming->failure, sizeof master->coming->failure, "stopped while starting");
    for (struct generation *at = master->all; at != NULL; at = at->next)
        generation_retire(at, now, at_once || at == master->coming ? END_AT_ONCE : END_LAST);
    if (master->coming != NULL && master->serving == NULL)
        snprintf(master->failure, sizeof master->failure, "%s", master->coming->failure);
    master->serving = NULL;
    master->coming = NULL;
}

static void
reap(struct master *master)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (struct generation *at = master->all; at != NULL; at = at->next)
            for (size_t i = 0; i < at->slots; i++)
                if (at->children[i].pid == pid)
                    generation_reaped(at, &at->children[i], status, clock_ms());
}

static void
hear_signals(struct master *master)
{
    int number;

    while ((number = signals_next()) != 0) {
        switch (number) {
        case SIGHUP:
            master->reload_wanted = master->ending == ENDING_NOT;
            break;
        case SIGTERM:
        case SIGINT:
            end(master, false);
            break;
        case SIGQUIT:
            end(master, true);
            break;
        default:
            break; /* SIGCHLD: reaped below, whether or not it was seen */
        }
    }
}

/* ------------------------------------------------------------------ doipctl */

static struct report_source
give_source(void *context)
{
    const struct master *master = context;

    return (struct report_source){.all = master->all,
                                  .serving = master->serving,
                                  .coming = master->coming,
                                  .ending = master->ending != ENDING_NOT,
                                  .started = master->started,
                                  .started_ms = master->started_ms,
                                  .rate = master->rate};
}

static void
want_reload(void *context)
{
    struct master *master = context;

    master->reload_wanted = true;
}

static void
want_end(void *context)
{
    end(context, false);
}

static void
look_at_rate(struct master *master, int64_t now)
{
    struct metrics_sum sum;
    long connections = 0;

    if (now < rate_due(&master->rate))
        return;
    metrics_add_up(&sum);
    rate_look(&master->rate, now, metrics_requests(&sum));
    for (const struct generation *at = master->all; at != NULL; at = at->next)
        connections += scoreboard_open(&at->board);
    if (master->serving != NULL)
        notify_status(connections, rate_per_second(&master->rate, now, metrics_requests(&sum)));
}

/* ------------------------------------------------------------------ the loop */

static void
sooner(int64_t *due, int64_t at)
{
    if (at >= 0 && at < *due)
        *due = at;
}

static int
time_left(const struct master *master, int64_t now)
{
    int64_t due = master->turn_tickets_at;

    for (const struct generation *at = master->all; at != NULL; at = at->next)
        sooner(&due, generation_due(at));
    if (master->coming != NULL)
        sooner(&due, master->coming->started + GENERATION_START_MS + 1);
    if (master->control != NULL)
        sooner(&due, control_due(master->control));
    sooner(&due, rate_due(&master->rate));
    sooner(&due, master->watch.due);
    if (master->serving != NULL && master->coming == NULL)
        sooner(&due, master->certificates.look_at);
    return due > now ? (int)(due - now) : 0;
}

static void
wait_for_news(struct master *master)
{
    static struct pollfd polls[POLLS_MOST];
    static struct {
        struct generation *generation;
        struct child *child;
    } who[POLLS_MOST];
    nfds_t count = 1, more = 0;

    polls[0] = (struct pollfd){.fd = signals_fd(), .events = POLLIN};
    for (struct generation *at = master->all; at != NULL; at = at->next)
        for (size_t i = 0; i < at->slots && count < WORKER_POLLS; i++) {
            if (at->children[i].state == CHILD_NONE || at->children[i].channel < 0)
                continue;
            who[count].generation = at;
            who[count].child = &at->children[i];
            polls[count++] = (struct pollfd){.fd = at->children[i].channel, .events = POLLIN};
        }
    if (master->control != NULL)
        more = control_polls(master->control, polls + count);
    if (poll(polls, count + more, time_left(master, clock_ms())) <= 0)
        return;
    for (nfds_t i = 1; i < count; i++)
        if (polls[i].revents != 0)
            generation_hear(who[i].generation, who[i].child, clock_ms());
}

static void
keep_time(struct master *master)
{
    int64_t now = clock_ms();

    for (struct generation *at = master->all; at != NULL; at = at->next) {
        generation_enforce(at, now);
        if (at->state == GENERATION_SERVING)
            generation_spawn(at, master->all, now);
    }
    look_at_rate(master, now);
    if (watch_look(&master->watch, master->serving, now))
        notify_alive();
    if (master->serving != NULL && master->coming == NULL && certificate_watch_look(&master->certificates, master->serving, now))
        master->reload_wanted = true;
    if (now >= master->turn_tickets_at) {
        if (!tickets_turn())
            log_error(TICKET_KEYS_KEPT, "no random bytes for new TLS ticket keys: the old ones go on");
        master->turn_tickets_at = now + (int64_t)TICKETS_PERIOD * 1000;
    }
}

static void
serve(struct master *master)
{
    while (master->all != NULL) {
        wait_for_news(master);
        hear_signals(master);
        if (master->control != NULL)
            control_serve(master->control, clock_ms());
        reap(master);
        master_look_at_coming(master, clock_ms());
        master_free_ended(master);
        if (master->reload_wanted && master->coming == NULL && master->serving != NULL)
            master_bring_up(master);
        keep_time(master);
    }
}

int
master_run(const struct config_source *source, bool foreground, void (*tell)(const char *reason))
{
    struct master master = {.source = source, .foreground = foreground, .tell = tell, .started = time(NULL), .started_ms = clock_ms()};

    master.commands = (struct commands_target){.master = &master, .source = give_source, .reload = want_reload, .stop = want_end};

    log_set_process("master");
    watch_init(&master.watch, notify_watchdog_ms());
    umask(umask(077) | 022); /* nothing is made that others may write */
    master.turn_tickets_at = clock_ms() + (int64_t)TICKETS_PERIOD * 1000;
    if (!signals_take() || !tickets_init() || !metrics_init() || !throttle_init() || !addresses_init()) {
        tell("the system has no descriptors, memory or random bytes left");
        return EXIT_BAD;
    }
    if (!privileges_keep_needed(master.failure, sizeof master.failure)) {
        tell(master.failure);
        return EXIT_BAD;
    }
    master_bring_up(&master);
    serve(&master);
    pid_file_remove();
    /* Told last: whoever waits for it finds everything cleaned up. */
    if (master.failure[0] != '\0') {
        notify_failed(master.failure);
        tell(master.failure);
    } else {
        log_notice(STOPPED, "stopped");
    }
    control_close(&master.control);
    return master.failure[0] != '\0' && !master.asked ? EXIT_BAD : EXIT_GOOD;
}
