/*
 * The log: see log.h. Each process has its own state, set up before it has threads; every call
 * may come from any thread. A line is built on the stack and leaves whole (log_sink.c); what can't
 * be written is dropped and counted.
 */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "log_line.h"
#include "log_sink.h"
#include "metrics.h"

/* Most bytes of a message and of an access line's fields, escaped: together they fit in a line. */
enum { MESSAGE_MAX = 3072, PROCESS_MAX = 64, ID_MAX = 800, WORD_MAX = 300, REASON_MAX = 600 };

static const struct {
    const char *name;
    int priority; /* of syslog */
} levels[] = {
    [LOG_LEVEL_ERROR] = {"error", LOG_ERR},      [LOG_LEVEL_WARNING] = {"warning", LOG_WARNING},
    [LOG_LEVEL_NOTICE] = {"notice", LOG_NOTICE}, [LOG_LEVEL_INFO] = {"info", LOG_INFO},
    [LOG_LEVEL_DEBUG] = {"debug", LOG_DEBUG},
};

/* The journal's ids of messages have this in common; the kind's number is the end. */
#define MESSAGE_ID "5d1a0e6c0f2b4c0e9d3e7a41b8c6"

static const struct {
    unsigned number;
    const char *word;
} kinds[LOG_KIND_COUNT] = {
#define X(name, number_, word_) [LOG_KIND_##name] = {.number = number_, .word = word_},
    LOG_KINDS(X)
#undef X
};

static struct {
    atomic_int level; /* may change while threads log */
    bool json;
    bool access;
    char process[PROCESS_MAX];
} state = {.level = LOG_LEVEL_INFO, .access = true, .process = "master"};

int
log_level_parse(const char *name)
{
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
        if (strcmp(levels[i].name, name) == 0)
            return (int)i;
    return -1;
}

const char *
log_level_name(int level)
{
    return level >= 0 && level <= LOG_LEVEL_DEBUG ? levels[level].name : "unknown";
}

int
log_descriptor(void)
{
    return log_sink_descriptor();
}

void
log_set_level(int level)
{
    atomic_store_explicit(&state.level, level, memory_order_relaxed);
}

static bool
is_wanted(int level)
{
    return level <= atomic_load_explicit(&state.level, memory_order_relaxed);
}

void
log_change(int level, bool json, bool access)
{
    log_set_level(level);
    state.json = json;
    state.access = access;
}

void
log_setup(int level, bool json, bool access, bool to_stderr)
{
    log_change(level, json, access);
    log_sink_setup(to_stderr);
}

void
log_set_process(const char *process)
{
    snprintf(state.process, sizeof(state.process), "%s", process);
}

/* Sends a finished line; errno stays as it was, for callers who log on their way. */
static void
emit(struct log_line *line, const struct log_line *fields, int level)
{
    int saved = errno;

    if (!log_sink_put(line, fields, levels[level].priority))
        metrics_count(METRICS_LOG_DROPPED);
    errno = saved;
}

static void
add_time(struct log_line *line)
{
    struct timespec now;
    struct tm utc;
    char text[32];
    char milliseconds[16];

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(milliseconds, sizeof(milliseconds), ".%03dZ", (int)(now.tv_nsec / 1000000) % 1000);
    log_line_add(line, text);
    log_line_add(line, milliseconds);
}

static void
begin_text(struct log_line *line, int level)
{
    if (log_sink_wants_time()) {
        add_time(line);
        log_line_number(line, " doipd[", (uint64_t)getpid());
        log_line_add(line, "] ");
    }
    log_line_add(line, state.process);
    log_line_add(line, ": ");
    log_line_add(line, levels[level].name);
    log_line_add(line, ": ");
}

static void
begin_json(struct log_line *line, int level)
{
    log_line_add(line, "{\"time\":\"");
    add_time(line);
    log_line_add(line, "\"");
    log_line_json(line, "level", levels[level].name, WORD_MAX);
    log_line_json(line, "process", state.process, WORD_MAX);
    log_line_number(line, ",\"pid\":", (uint64_t)getpid());
}

/* What every entry in the journal has; the line is its MESSAGE, always as text, without what stands in fields. */
static void
begin_fields(struct log_line *fields, int level, enum log_kind kind)
{
    char id[8];

    snprintf(id, sizeof(id), "%04x\n", kinds[kind].number & 0xffff);
    fields->used = 0;
    log_line_number(fields, "PRIORITY=", (uint64_t)levels[level].priority);
    log_line_add(fields, "\nSYSLOG_IDENTIFIER=doipd\nDOIPD_PROCESS=");
    log_line_add(fields, state.process);
    log_line_add(fields, "\nDOIPD_KIND=");
    log_line_add(fields, kinds[kind].word);
    log_line_add(fields, "\nMESSAGE_ID=" MESSAGE_ID);
    log_line_add(fields, id);
}

static bool
is_json(void)
{
    return state.json && !log_sink_takes_fields();
}

static void
begin(struct log_line *line, int level)
{
    line->used = 0;
    if (log_sink_takes_fields()) {
        log_line_add(line, state.process);
        log_line_add(line, ": ");
        return;
    }
    if (log_sink_wants_level()) {
        log_line_number(line, "<", (uint64_t)levels[level].priority);
        log_line_add(line, ">");
    }
    if (is_json())
        begin_json(line, level);
    else
        begin_text(line, level);
}

static void
add_message(struct log_line *line, enum log_kind kind, const char *message)
{
    if (is_json()) {
        log_line_json(line, "kind", kinds[kind].word, WORD_MAX);
        log_line_json(line, "message", message, MESSAGE_MAX);
        log_line_add(line, "}");
        return;
    }
    log_line_escaped(line, message, LOG_ESCAPE_TEXT, MESSAGE_MAX);
    if (log_sink_takes_fields())
        return;
    log_line_add(line, " [");
    log_line_add(line, kinds[kind].word);
    log_line_add(line, "]");
}

void
log_write(int level, enum log_kind kind, const char *format, ...)
{
    char message[MESSAGE_MAX];
    struct log_line line;
    struct log_line fields;
    va_list arguments;

    if (level < 0 || level > LOG_LEVEL_DEBUG || !is_wanted(level))
        return;
    va_start(arguments, format);
    if (vsnprintf(message, sizeof(message), format, arguments) < 0)
        snprintf(message, sizeof(message), "%s", format);
    va_end(arguments);
    begin(&line, level);
    add_message(&line, kind, message);
    if (log_sink_takes_fields())
        begin_fields(&fields, level, kind);
    emit(&line, &fields, level);
}

/* The fields of an access line, each listed once. */
#define STRINGS(X)                                   \
    X(peer, "peer", "PEER", WORD_MAX)                \
    X(client, "client", "CLIENT", WORD_MAX)          \
    X(actor, "actor", "ACTOR", WORD_MAX)             \
    X(operation, "operation", "OPERATION", WORD_MAX) \
    X(target, "target", "TARGET", ID_MAX)            \
    X(status, "status", "STATUS", WORD_MAX)          \
    X(message, "reason", "REASON", REASON_MAX)       \
    X(tls, "tls", "TLS", WORD_MAX)
#define NUMBERS(X)            \
    X(bytes_in, "BYTES_IN")   \
    X(bytes_out, "BYTES_OUT") \
    X(number, "NUMBER")

static void
access_text(struct log_line *line, const struct log_access *access)
{
    log_line_add(line, "access");
#define X(member, name, field, most) log_line_field(line, name, access->member, most);
    STRINGS(X)
#undef X
#define X(member, field) log_line_number(line, " " #member "=", access->member);
    NUMBERS(X)
#undef X
    log_line_number(line, " microseconds=", (uint64_t)access->microseconds);
}

static void
access_json(struct log_line *line, const struct log_access *access)
{
    log_line_json(line, "kind", kinds[LOG_KIND_ACCESS].word, WORD_MAX);
    log_line_json(line, "message", "access", WORD_MAX);
#define X(member, name, field, most) log_line_json(line, name, access->member, most);
    STRINGS(X)
#undef X
#define X(member, field) log_line_number(line, ",\"" #member "\":", access->member);
    NUMBERS(X)
#undef X
    log_line_number(line, ",\"microseconds\":", (uint64_t)access->microseconds);
    log_line_add(line, "}");
}

static void
add_field(struct log_line *fields, const char *name, const char *text, size_t most)
{
    if (text == NULL || text[0] == '\0')
        return;
    log_line_add(fields, name);
    log_line_escaped(fields, text, LOG_ESCAPE_TEXT, most);
    log_line_add(fields, "\n");
}

/* The numbers first: they always fit. */
static void
access_fields(struct log_line *fields, const struct log_access *access)
{
    begin_fields(fields, LOG_LEVEL_INFO, LOG_KIND_ACCESS);
#define X(member, field) \
    log_line_number(fields, "DOIPD_" field "=", access->member), log_line_add(fields, "\n");
    NUMBERS(X)
#undef X
    log_line_number(fields, "DOIPD_MICROSECONDS=", (uint64_t)access->microseconds);
    log_line_add(fields, "\n");
#define X(member, name, field, most) add_field(fields, "DOIPD_" field "=", access->member, most);
    STRINGS(X)
#undef X
}

void
log_access(const struct log_access *access)
{
    struct log_line line, fields;

    if (!state.access || !is_wanted(LOG_LEVEL_INFO))
        return;
    fields.used = 0;
    begin(&line, LOG_LEVEL_INFO);
    if (is_json())
        access_json(&line, access);
    else
        access_text(&line, access);
    if (log_sink_takes_fields())
        access_fields(&fields, access);
    emit(&line, &fields, LOG_LEVEL_INFO);
}
