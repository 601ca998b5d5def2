/*
 * Metrics as text in Prometheus' exposition format (version 0.0.4). Master; pure functions over what they are given.
 */
#ifndef DOIPD_METRICS_TEXT_H
#define DOIPD_METRICS_TEXT_H

#include <stdio.h>

#include "metrics.h"

/* The head of a family: its type ("counter", "gauge", "histogram") and what it is. */
void metrics_family(FILE *file, const char *name, const char *type, const char *help);

/* One sample; `label` may be "". The value of a label is escaped, also what is no valid UTF-8 in it. */
void metrics_sample(FILE *file, const char *name, const char *label, const char *value,
                    double number);

/* All counters and histograms. */
void metrics_print(FILE *file, const struct metrics_sum *sum);

#endif
