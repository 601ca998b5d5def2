/*
 * What the master knows of the service, for doipctl(8): as JSON, and as metrics. Reads generations, their scoreboards and the metrics, and
 * trusts nothing that a worker could have written: numbers are numbers, texts become valid UTF-8 without control characters. Master only.
 */
#ifndef DOIPD_REPORT_H
#define DOIPD_REPORT_H

#include <jansson.h>
#include <stdio.h>
#include <time.h>

#include "generation.h"
#include "rate.h"

/* Most connections that one report lists. */
enum { REPORT_CONNECTIONS = 10000 };

struct report_source {
    struct generation *all; /* newest first */
    const struct generation *serving;
    const struct generation *coming;
    bool ending;
    time_t started;
    int64_t started_ms;
    struct rate rate;
};

/* New references; NULL when memory is short. */
json_t *report_status(const struct report_source *source);
json_t *report_workers(const struct report_source *source);
json_t *report_connections(const struct report_source *source);
json_t *report_handlers(const struct report_source *source);

void report_metrics(const struct report_source *source, FILE *file);

/* The service's certificate: days until it ends, negative when it has. */
int report_days_left(const struct generation *generation);

#endif
