/*
 * The exposition format: see metrics_text.h. Families and help stand in one table each; the samples derive from the lists in metrics.h.
 */
#include <inttypes.h>
#include <string.h>

#include "log_line.h"
#include "metrics_text.h"

/* What the plain counters' families are. */
static const struct {
    const char *name;
    const char *help;
} families[] = {
    {"doipd_connections_total", "Connections accepted."},
    {"doipd_handshakes_total", "TLS handshakes, by how they ended."},
    {"doipd_connections_closed_total", "Connections closed, by cause."},
    {"doipd_worker_starts_total", "Worker processes started."},
    {"doipd_worker_deaths_total",
     "Worker processes that died of a signal, or ended when nobody had asked them to."},
    {"doipd_reloads_total", "Reloads, by result."},
    {"doipd_log_dropped_total", "Log lines that could not be written."},
};

static const struct {
    const char *family;
    const char *label;
    const char *value;
} counters[METRICS_COUNT] = {
#define X(name, family, label, value) [METRICS_##name] = {family, label, value},
    METRICS_COUNTERS(X)
#undef X
};

void
metrics_family(FILE *file, const char *name, const char *type, const char *help)
{
    fprintf(file, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Backslash, quote and newline are escaped as the format wants; other control characters and broken UTF-8 as in the log. */
static void
print_label(FILE *file, const char *label, const char *value)
{
    struct log_line line = {.used = 0};

    log_line_escaped(&line, value, LOG_ESCAPE_TEXT, 512);
    fprintf(file, "%s=\"", label);
    for (size_t i = 0; i < line.used; i++) {
        if (line.data[i] == '"' || line.data[i] == '\\')
            fputc('\\', file);
        fputc(line.data[i], file);
    }
    fputc('"', file);
}

void
metrics_sample(FILE *file, const char *name, const char *label, const char *value, double number)
{
    fputs(name, file);
    if (label[0] != '\0') {
        fputc('{', file);
        print_label(file, label, value);
        fputc('}', file);
    }
    fprintf(file, " %.15g\n", number);
}

static void
print_counters(FILE *file, const struct metrics_sum *sum)
{
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        metrics_family(file, families[i].name, "counter", families[i].help);
        for (size_t j = 0; j < METRICS_COUNT; j++)
            if (strcmp(counters[j].family, families[i].name) == 0)
                metrics_sample(file, counters[j].family, counters[j].label, counters[j].value,
                               (double)sum->counters[j]);
    }
}

/* ------------------------------------------------------------------ requests */

static const char *
operation_label(size_t operation)
{
    const char *id = operation < OPERATION_COUNT ? operation_id((enum operation)operation) : "none";

    return id != NULL ? id : "extended";
}

static void
print_requests(FILE *file, const struct metrics_sum *sum)
{
    metrics_family(file, "doipd_requests_total", "counter",
                   "Requests answered or broken off, by operation and status.");
    for (size_t i = 0; i < METRICS_OPERATIONS; i++)
        for (size_t j = 0; j < METRICS_STATUSES; j++)
            if (sum->requests[i][j] > 0)
                fprintf(file, "doipd_requests_total{operation=\"%s\",status=\"%s\"} %" PRIu64 "\n",
                        operation_label(i), metrics_status(j), sum->requests[i][j]);
}

/* What a family of histograms is: the unit is how many of what is counted make one of what is shown. */
struct shape {
    const char *name;
    const char *help;
    const uint64_t *bounds;
    double unit;
};

static void
print_histogram(FILE *file, const struct shape *shape, const char *operation,
                const struct metrics_histogram *histogram)
{
    uint64_t below = 0;

    for (size_t i = 0; i < METRICS_BOUNDS; i++) {
        below += histogram->buckets[i];
        fprintf(file, "%s_bucket{operation=\"%s\",le=\"%.15g\"} %" PRIu64 "\n", shape->name,
                operation, (double)shape->bounds[i] / shape->unit, below);
    }
    below += histogram->buckets[METRICS_BOUNDS];
    fprintf(file, "%s_bucket{operation=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", shape->name, operation,
            below);
    fprintf(file, "%s_sum{operation=\"%s\"} %.15g\n", shape->name, operation,
            (double)histogram->sum / shape->unit);
    fprintf(file, "%s_count{operation=\"%s\"} %" PRIu64 "\n", shape->name, operation, below);
}

static bool
is_used(const struct metrics_sum *sum, size_t operation)
{
    for (size_t i = 0; i < METRICS_STATUSES; i++)
        if (sum->requests[operation][i] > 0)
            return true;
    return false;
}

static void
print_histograms(FILE *file, const struct shape *shape, const struct metrics_sum *sum,
                 const struct metrics_histogram *histograms)
{
    metrics_family(file, shape->name, "histogram", shape->help);
    for (size_t i = 0; i < METRICS_OPERATIONS; i++)
        if (is_used(sum, i))
            print_histogram(file, shape, operation_label(i), &histograms[i]);
}

/* ------------------------------------------------------------------ handlers */

static void
print_handlers(FILE *file, const struct metrics_sum *sum)
{
    static const char *const results[METRICS_CALLS] = {"ok", "declined", "error"};

    metrics_family(file, "doipd_handler_calls_total", "counter",
                   "Calls of a handler, by how they ended.");
    for (size_t i = 0; i < METRICS_HANDLERS; i++)
        for (size_t j = 0; sum->handlers[i].name[0] != '\0' && j < METRICS_CALLS; j++) {
            fputs("doipd_handler_calls_total{", file);
            print_label(file, "handler", sum->handlers[i].name);
            fprintf(file, ",result=\"%s\"} %" PRIu64 "\n", results[j], sum->handlers[i].calls[j]);
        }
    metrics_family(file, "doipd_handler_seconds_total", "counter",
                   "Time spent in a handler, waiting for its client included.");
    for (size_t i = 0; i < METRICS_HANDLERS; i++)
        if (sum->handlers[i].name[0] != '\0')
            metrics_sample(file, "doipd_handler_seconds_total", "handler", sum->handlers[i].name,
                           (double)sum->handlers[i].microseconds / 1e6);
}

void
metrics_print(FILE *file, const struct metrics_sum *sum)
{
    const struct shape duration = {"doipd_request_duration_seconds",
                                   "From a request's first segment to the end of its answer.",
                                   metrics_duration_bounds(), 1e6};
    const struct shape in = {"doipd_request_size_bytes", "Bytes read for a request.",
                             metrics_size_bounds(), 1};
    const struct shape out = {"doipd_response_size_bytes", "Bytes written for an answer.",
                              metrics_size_bounds(), 1};

    print_counters(file, sum);
    print_requests(file, sum);
    print_histograms(file, &duration, sum, sum->duration);
    print_histograms(file, &in, sum, sum->bytes_in);
    print_histograms(file, &out, sum, sum->bytes_out);
    print_handlers(file, sum);
}
