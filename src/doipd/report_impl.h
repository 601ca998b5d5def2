/*
 * What the reports share. Internal to report*.c.
 */
#ifndef DOIPD_REPORT_IMPL_H
#define DOIPD_REPORT_IMPL_H

#include "report.h"

/* Text from a worker, as the log would show it: valid UTF-8 without control characters. */
json_t *report_text(const char *text);

/* Between two times in monotonic ms; 0 where they are none, or the wrong way round. */
json_int_t report_seconds(int64_t then, int64_t now);

/* Calls `look` for each worker that there is. */
void report_each_worker(const struct report_source *source,
                        void (*look)(void *context, const struct generation *generation,
                                     const struct child *child),
                        void *context);
const char *report_state_name(enum child_state state);

/* The generation that tells who the service is: while it stops none serves, and the newest does. */
const struct generation *report_speaker(const struct report_source *source);

/* Connections by phase; in [SCORE_FREE] those without a place. */
struct report_phases {
    uint64_t of[SCORE_PHASES];
    uint64_t all;
};
void report_add_phases(struct report_phases *phases, const struct generation *generation,
                       const struct child *child);
/* The same for report_each_worker(): `context` is a struct report_phases. */
void report_look_at_phases(void *context, const struct generation *generation,
                           const struct child *child);

#endif
