/*
 * How the service is, and its metrics: see report.h. The lists are in report_lists.c.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "identity.h"
#include "json_list.h"
#include "log.h"
#include "log_line.h"
#include "metrics_text.h"
#include "report_impl.h"

/* ------------------------------------------------------------------ pieces */

json_t *
report_text(const char *text)
{
    struct log_line line = {.used = 0};

    log_line_escaped(&line, text, LOG_ESCAPE_TEXT, 1024);
    return json_stringn(line.data, line.used);
}

static json_t *
time_text(time_t at)
{
    struct tm utc;
    char text[32];

    gmtime_r(&at, &utc);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return json_string(text);
}

json_int_t
report_seconds(int64_t then, int64_t now)
{
    return then > 0 && then <= now ? (json_int_t)(now - then) / 1000 : 0;
}

void
report_add_phases(struct report_phases *phases, const struct generation *generation,
                  const struct child *child)
{
    int open = atomic_load(&scoreboard_worker(&generation->board, child->part)->connections);
    size_t places = scoreboard_places(&generation->board, child->part), seen = 0;

    for (size_t i = 0; i < places; i++) {
        enum score_phase phase = scoreboard_phase(&generation->board, child->part, i);

        if (phase == SCORE_FREE)
            continue;
        phases->of[phase]++;
        seen++;
    }
    if (open > 0 && (size_t)open > seen)
        phases->of[SCORE_FREE] += (size_t)open - seen;
    phases->all += open > 0 && (size_t)open > seen ? (size_t)open : seen;
}

void
report_each_worker(const struct report_source *source,
                   void (*look)(void *context, const struct generation *generation,
                                const struct child *child),
                   void *context)
{
    for (const struct generation *at = source->all; at != NULL; at = at->next)
        for (size_t i = 0; i < at->slots; i++)
            if (at->children[i].state != CHILD_NONE)
                look(context, at, &at->children[i]);
}

void
report_look_at_phases(void *context, const struct generation *generation, const struct child *child)
{
    report_add_phases(context, generation, child);
}

static void
look_at_states(void *context, const struct generation *generation, const struct child *child)
{
    size_t *states = context;

    (void)generation;
    states[child->state]++;
}

const char *
report_state_name(enum child_state state)
{
    static const char *const names[] = {"none", "starting", "serving", "retiring"};

    return names[state];
}

/* ------------------------------------------------------------------ status */

int
report_days_left(const struct generation *generation)
{
    return days_until(pair_end(identity_first_to_end(generation->tls)));
}

/* What clients are shown beside the certificate; null for nothing. */
static json_t *
staple_report(const struct staple *staple)
{
    if (staple->file == NULL)
        return json_null();
    return json_pack("{s:o, s:b, s:o}", "file", report_text(staple->file), "stapled", !staple_has_expired(staple, time(NULL)),
                     "not_after", staple->end != 0 ? time_text(staple->end) : json_null());
}

static json_t *
pair_report(const struct pair *pair)
{
    char key[64], names[512];

    pair_key_text(pair, key, sizeof key);
    pair_names_text(pair, names, sizeof names);
    return json_pack("{s:o, s:s, s:o, s:o, s:i, s:o}", "file", report_text(pair->file), "key", key, "names", report_text(names),
                     "not_after", time_text(pair_end(pair)), "days_left", days_until(pair_end(pair)), "ocsp",
                     staple_report(&pair->staple));
}

static json_t *
certificates_report(const struct generation *generation)
{
    const struct pair_set *set = identity_pairs(generation->tls);
    json_t *list = json_array();

    for (size_t i = 0; i < set->count; i++)
        json_list_add(&list, pair_report(&set->items[i]));
    return list;
}

/* Of the one that ends first. */
static json_t *
certificate_report(const struct generation *generation)
{
    return json_pack("{s:o, s:i}", "not_after", time_text(pair_end(identity_first_to_end(generation->tls))), "days_left",
                     report_days_left(generation));
}

static json_t *
listen_report(const struct generation *generation)
{
    json_t *addresses = json_array();

    for (size_t i = 0; i < generation->config->listen_count; i++)
        json_list_add(&addresses, json_string(generation->config->listen[i].text));
    return addresses;
}

static json_t *
phases_report(const struct report_phases *phases)
{
    json_t *report = json_pack("{s:I}", "open", (json_int_t)phases->all);

    for (int i = SCORE_HANDSHAKE; i < SCORE_PHASES; i++)
        if (json_object_set_new(report, score_phase_name((enum score_phase)i), json_integer((json_int_t)phases->of[i])) != 0) {
            json_decref(report);
            return NULL;
        }
    return report;
}

static const char *
service_state(const struct report_source *source)
{
    return source->ending ? "stopping" : source->coming != NULL ? "reloading" : "serving";
}

const struct generation *
report_speaker(const struct report_source *source)
{
    return source->serving != NULL ? source->serving : source->all;
}

json_t *
report_status(const struct report_source *source)
{
    const struct generation *now_serves = report_speaker(source);
    size_t states[CHILD_RETIRING + 1] = {0};
    struct report_phases phases = {.all = 0};
    struct metrics_sum sum;
    int64_t now = clock_ms();
    uint64_t deaths;

    metrics_add_up(&sum);
    report_each_worker(source, report_look_at_phases, &phases);
    report_each_worker(source, look_at_states, states);
    deaths = sum.counters[METRICS_DEATHS_SIGNAL] + sum.counters[METRICS_DEATHS_EXIT];
    return json_pack(
        "{s:s, s:i, s:s, s:o, s:I, s:i, s:s, s:s, s:o, s:o, s:{s:I, s:f}, s:{s:I, s:I, s:I, s:I}, "
        "s:o, s:o, s:s}",
        "version", DOIP_VERSION, "pid", (int)getpid(), "state", service_state(source), "started",
        time_text(source->started), "uptime", report_seconds(source->started_ms, now), "generation",
        (int)now_serves->number, "service", now_serves->config->service.id, "name",
        now_serves->config->service.name, "listen", listen_report(now_serves), "connections",
        phases_report(&phases), "requests", "total", (json_int_t)metrics_requests(&sum),
        "per_second", rate_per_second(&source->rate, now, metrics_requests(&sum)), "workers",
        "serving", (json_int_t)states[CHILD_READY], "starting", (json_int_t)states[CHILD_STARTING],
        "retiring", (json_int_t)states[CHILD_RETIRING], "died", (json_int_t)deaths, "certificate",
        certificate_report(now_serves), "certificates", certificates_report(now_serves), "log_level", log_level_name(now_serves->config->log.level));
}

/* ------------------------------------------------------------------ metrics */

static void
gauge(FILE *file, const char *name, const char *help, double value)
{
    metrics_family(file, name, "gauge", help);
    metrics_sample(file, name, "", "", value);
}

static void
print_groups(const struct report_source *source, FILE *file)
{
    size_t states[CHILD_RETIRING + 1] = {0};
    struct report_phases phases = {.all = 0};

    report_each_worker(source, report_look_at_phases, &phases);
    report_each_worker(source, look_at_states, states);
    metrics_family(file, "doipd_connections", "gauge", "Open connections, by what they are at.");
    for (int i = 0; i < SCORE_PHASES; i++)
        metrics_sample(file, "doipd_connections", "state",
                       i == SCORE_FREE ? "unlisted" : score_phase_name((enum score_phase)i),
                       (double)phases.of[i]);
    metrics_family(file, "doipd_workers", "gauge", "Worker processes, by state.");
    for (int i = CHILD_STARTING; i <= CHILD_RETIRING; i++)
        metrics_sample(file, "doipd_workers", "state", report_state_name((enum child_state)i),
                       (double)states[i]);
}

void
report_metrics(const struct report_source *source, FILE *file)
{
    const struct generation *generation = report_speaker(source);
    struct metrics_sum sum;

    metrics_family(file, "doipd_info", "gauge", "The doipd that runs.");
    metrics_sample(file, "doipd_info", "version", DOIP_VERSION, 1);
    gauge(file, "doipd_start_time_seconds", "When the master started, in seconds since 1970.",
          (double)source->started);
    gauge(file, "doipd_uptime_seconds", "Since the master started.",
          (double)report_seconds(source->started_ms, clock_ms()));
    gauge(file, "doipd_generation",
          "The generation that serves: 1, and one more with each reload that was tried.",
          generation->number);
    gauge(file, "doipd_certificate_not_after_seconds",
          "When the certificate that ends first does so, in seconds since 1970.",
          (double)pair_end(identity_first_to_end(generation->tls)));
    print_groups(source, file);
    metrics_add_up(&sum);
    metrics_print(file, &sum);
}
