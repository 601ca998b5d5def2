/*
 * The reports that are lists: workers, connections, handlers. See report.h.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "json_list.h"
#include "metrics.h"
#include "report_impl.h"

/* ------------------------------------------------------------------ workers */

struct listing {
    json_t *list;
    int64_t now;
    size_t total;
};

static json_int_t
resident_bytes(pid_t pid)
{
    long long pages = 0;
    char path[64];
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    file = fopen(path, "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%*s %lld", &pages) != 1) /* NOLINT(cert-err34-c): the kernel's numbers fit */
        pages = 0;
    fclose(file);
    return (json_int_t)pages * sysconf(_SC_PAGESIZE);
}

/* What the worker's handlers are at, the longest first. */
static json_t *
busy_report(const struct generation *generation, const struct child *child, int64_t now,
            size_t *busy)
{
    const struct score_worker *score = scoreboard_worker(&generation->board, child->part);
    struct score_report report, longest = {.began = INT64_MAX};

    *busy = 0;
    for (size_t i = 0; i < generation->board.threads; i++)
        if (score_read(&score->threads[i], &report)) {
            ++*busy;
            longest = report.began < longest.began ? report : longest;
        }
    if (*busy == 0)
        return json_null();
    return json_pack("{s:o, s:o, s:o, s:I}", "handler", report_text(longest.handler), "operation",
                     report_text(longest.operation), "target", report_text(longest.target),
                     "seconds", report_seconds(longest.began, now));
}

static void
list_worker(void *context, const struct generation *generation, const struct child *child)
{
    const struct score_worker *score = scoreboard_worker(&generation->board, child->part);
    struct listing *listing = context;
    struct report_phases phases = {.all = 0};
    size_t busy;
    json_t *longest = busy_report(generation, child, listing->now, &busy);

    report_add_phases(&phases, generation, child);
    json_list_add(
        &listing->list,
        json_pack("{s:I, s:i, s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:o}", "worker",
                  (json_int_t)child->number, "pid", (int)child->pid, "generation",
                  (int)generation->number, "state", report_state_name(child->state), "uptime",
                  report_seconds(child->started, listing->now), "connections",
                  (json_int_t)phases.all, "requests", (json_int_t)atomic_load(&score->requests),
                  "busy_threads", (json_int_t)busy, "memory", resident_bytes(child->pid), "longest",
                  longest));
}

json_t *
report_workers(const struct report_source *source)
{
    struct listing listing = {.list = json_array(), .now = clock_ms()};

    report_each_worker(source, list_worker, &listing);
    return json_pack("{s:o}", "workers", listing.list);
}

/* ------------------------------------------------------------------ connections */

static void
list_connections(void *context, const struct generation *generation, const struct child *child)
{
    size_t places = scoreboard_places(&generation->board, child->part);
    struct listing *listing = context;
    struct score_seen seen;

    for (size_t i = 0; i < places; i++) {
        if (!scoreboard_connection(&generation->board, child->part, i, &seen) ||
            listing->total++ >= REPORT_CONNECTIONS)
            continue;
        json_list_add(
            &listing->list,
            json_pack("{s:o, s:o, s:s, s:I, s:I, s:I, s:I, s:I, s:i}", "address",
                      report_text(seen.address), "client",
                      seen.client[0] != '\0' ? report_text(seen.client) : json_null(), "state",
                      score_phase_name(seen.phase), "seconds",
                      report_seconds(seen.connected, listing->now), "state_seconds",
                      report_seconds(seen.changed, listing->now), "requests",
                      (json_int_t)(seen.requests & INT64_MAX), "bytes_in",
                      (json_int_t)(seen.bytes_in & INT64_MAX), "bytes_out",
                      (json_int_t)(seen.bytes_out & INT64_MAX), "pid", (int)child->pid));
    }
}

json_t *
report_connections(const struct report_source *source)
{
    struct listing listing = {.list = json_array(), .now = clock_ms()};
    struct report_phases phases = {.all = 0};

    report_each_worker(source, report_look_at_phases, &phases);
    report_each_worker(source, list_connections, &listing);
    return json_pack("{s:I, s:o}", "open", (json_int_t)phases.all, "connections", listing.list);
}

/* ------------------------------------------------------------------ handlers */

static json_t *
patterns_report(char *const *patterns)
{
    json_t *list = json_array();

    if (patterns == NULL)
        json_list_add(&list, json_string("*"));
    for (; patterns != NULL && *patterns != NULL; patterns++)
        json_list_add(&list, json_string(*patterns));
    return list;
}

static const struct config_handler *
section_of(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->handler_count; i++)
        if (strncmp(config->handlers[i].name, name, METRICS_HANDLER_TEXT - 1) == 0)
            return &config->handlers[i];
    return NULL;
}

static json_t *
handler_report(const struct metrics_handler_sum *handler, const struct config *config)
{
    const struct config_handler *section = section_of(config, handler->name);

    return json_pack("{s:o, s:o, s:b, s:o, s:o, s:{s:I, s:I, s:I}, s:f}", "handler",
                     report_text(handler->name), "version", report_text(handler->version),
                     "thread_safe", handler->thread_safe, "targets",
                     patterns_report(section != NULL ? section->targets : NULL), "operations",
                     patterns_report(section != NULL ? section->operations : NULL), "calls", "ok",
                     (json_int_t)(handler->calls[METRICS_CALL_OK] & INT64_MAX), "declined",
                     (json_int_t)(handler->calls[METRICS_CALL_DECLINED] & INT64_MAX), "error",
                     (json_int_t)(handler->calls[METRICS_CALL_ERROR] & INT64_MAX), "seconds",
                     (double)handler->microseconds / 1e6);
}

/* In the order of the chain: those that the serving generation has loaded. */
json_t *
report_handlers(const struct report_source *source)
{
    const struct generation *generation = report_speaker(source);
    json_t *list = json_array();
    struct metrics_sum sum;

    metrics_add_up(&sum);
    for (unsigned place = 0; place < METRICS_HANDLERS; place++)
        for (size_t i = 0; i < METRICS_HANDLERS; i++)
            if (sum.handlers[i].name[0] != '\0' && sum.handlers[i].place == place &&
                sum.handlers[i].generation == generation->number)
                json_list_add(&list, handler_report(&sum.handlers[i], generation->config));
    return json_pack("{s:o}", "handlers", list);
}
