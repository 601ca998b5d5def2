/*
 * The log: messages with a level and a kind, and one access line per request; to stderr (-f), which may be the journal, or syslog, as text or JSON. Each process has its own
 * state, inherited by fork; every call is thread-safe, writes one whole line with one write(2), and never blocks for long. What peers sent is
 * escaped: control characters never reach the log.
 */
#ifndef DOIPD_LOG_H
#define DOIPD_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "log_kinds.h"

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_NOTICE,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG
};

/* The level of that name, -1 for none ("error", "warning", "notice", "info", "debug"). */
int log_level_parse(const char *name);
const char *log_level_name(int level);

/* Sets where and how: before it is called, messages go to stderr as text at level info. `process` is the tag ("master", "worker 3").  */
void log_setup(int level, bool json, bool access, bool to_stderr);
void log_set_process(const char *process);
/* Sets how, and leaves where: for a worker, whose configuration may be newer than what it was forked with. */
void log_change(int level, bool json, bool access);

/* Where lines go that go to a descriptor beside stderr; -1: nowhere else, or syslog's. */
int log_descriptor(void);

/* Sets the level alone, at any time: for all threads from now on. */
void log_set_level(int level);

/* log_error(WORKER_DIED, "worker %d ...", number): the kind is one of log_kinds.h. */
void log_write(int level, enum log_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define log_error(kind, ...) log_write(LOG_LEVEL_ERROR, LOG_KIND_##kind, __VA_ARGS__)
#define log_warning(kind, ...) log_write(LOG_LEVEL_WARNING, LOG_KIND_##kind, __VA_ARGS__)
#define log_notice(kind, ...) log_write(LOG_LEVEL_NOTICE, LOG_KIND_##kind, __VA_ARGS__)
#define log_info(kind, ...) log_write(LOG_LEVEL_INFO, LOG_KIND_##kind, __VA_ARGS__)
#define log_debug(kind, ...) log_write(LOG_LEVEL_DEBUG, LOG_KIND_##kind, __VA_ARGS__)

/* One request, for the access log. Strings may be NULL. */
struct log_access {
    const char *peer;
    const char *client;
    const char *actor; /* the user that acts as that client */
    const char *operation;
    const char *target;
    const char *status;
    const char *message; /* the error's message, "" for success */
    const char *tls;     /* "TLSv1.3" */
    uint64_t bytes_in;
    uint64_t bytes_out;
    int64_t microseconds;
    uint64_t number; /* of the request on its connection, from 1 */
};
void log_access(const struct log_access *access);

#endif
