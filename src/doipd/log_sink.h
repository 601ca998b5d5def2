/*
 * Where the log goes: stderr, whatever that is, the journal, or syslog. A line leaves whole, in one call that never holds the process up for long and never
 * ends it. Each process has its own state, set up before it has threads. Internal to log.c and its unit test.
 */
#ifndef DOIPD_LOG_SINK_H
#define DOIPD_LOG_SINK_H

#include <stdbool.h>

#include "log_line.h"

/* To stderr, or to syslog. Before the first call it is stderr as it is. */
void log_sink_setup(bool to_stderr);
/* Before that: another journal's socket than the system's, for tests. */
void log_sink_use_journal(const char *path);

/* Whether lines begin with the time, or with their level as sd-daemon(3) has it; whether they are a MESSAGE with fields beside it. */
bool log_sink_wants_time(void);
bool log_sink_wants_level(void);
bool log_sink_takes_fields(void);

/* As log_descriptor(). */
int log_sink_descriptor(void);

/* Writes a line, with a level of syslog's; `fields` are whole lines of the journal's protocol. False when it was dropped. */
bool log_sink_put(struct log_line *line, const struct log_line *fields, int priority);

#endif
