/*
 * The log: see log.h. Each process has its own state, set up before it has threads; every call
 * may come from any thread. A line is built on the stack and leaves in one write(2); what can't
 * be written is dropped, so that a full or closed pipe never holds or ends the process.
 */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "log_line.h"

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

enum sink { SINK_FILE, SINK_PIPE, SINK_SOCKET, SINK_SYSLOG };

static struct {
    atomic_int level; /* may change while threads log */
    bool json;
    bool access;
    bool journal; /* stderr is the journal's */
    enum sink sink;
    int fd;
    char process[PROCESS_MAX];
} state = {.level = LOG_LEVEL_INFO,
           .access = true,
           .sink = SINK_PIPE,
           .fd = STDERR_FILENO,
           .process = "master"};

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

/* sd-daemon(3): JOURNAL_STREAM names the device and inode of a stream that goes to the journal. */
static bool
is_journal(const struct stat *status)
{
    const char *stream = getenv("JOURNAL_STREAM");
    uintmax_t device;
    uintmax_t inode;

    return stream != NULL && sscanf(stream, "%ju:%ju", &device, &inode) == 2 &&
           status->st_dev == device && status->st_ino == inode;
}

/*
 * stderr as a pipe is opened anew: a description of our own can be non-blocking without making
 * it so for whoever shares stderr.
 */
static int
open_pipe(void)
{
    int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

    return fd < 0 ? STDERR_FILENO : fd;
}

static void
setup_stderr(void)
{
    struct stat status = {0};

    if (fstat(STDERR_FILENO, &status) != 0)
        return;
    state.journal = is_journal(&status);
    state.sink = S_ISFIFO(status.st_mode)   ? SINK_PIPE
                 : S_ISSOCK(status.st_mode) ? SINK_SOCKET
                                            : SINK_FILE;
    if (state.sink == SINK_PIPE)
        state.fd = open_pipe();
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
    if (state.fd != STDERR_FILENO)
        close(state.fd);
    log_change(level, json, access);
    state.journal = false;
    state.sink = SINK_PIPE;
    state.fd = STDERR_FILENO;
    if (to_stderr) {
        setup_stderr();
        return;
    }
    state.sink = SINK_SYSLOG;
    openlog("doipd", LOG_PID | LOG_NDELAY, LOG_DAEMON);
}

void
log_set_process(const char *process)
{
    snprintf(state.process, sizeof(state.process), "%s", process);
}

/* A blocking descriptor (what stderr is before log_setup(), or where it can't be opened anew)
 * is given a short time to take the line. */
static bool
takes_more(void)
{
    struct pollfd wait = {.fd = state.fd, .events = POLLOUT};

    return poll(&wait, 1, 100) == 1;
}

/* write(2), without the SIGPIPE of a pipe that nobody reads. */
static void
write_pipe(const char *data, size_t size)
{
    static const struct timespec at_once = {0, 0};
    sigset_t pipe_signal;
    sigset_t pending;
    sigset_t before;

    if (state.fd == STDERR_FILENO && !takes_more())
        return;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    if (write(state.fd, data, size) < 0 && errno == EPIPE && sigismember(&pending, SIGPIPE) == 0)
        sigtimedwait(&pipe_signal, NULL, &at_once);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Sends a finished line; errno stays as it was, for callers who log on their way. */
static void
emit(struct log_line *line, int level)
{
    int saved = errno;
    ssize_t ignored = 0;

    line->data[line->used] = '\n';
    switch (state.sink) {
    case SINK_SYSLOG:
        syslog(levels[level].priority, "%.*s", (int)line->used, line->data);
        break;
    case SINK_SOCKET:
        ignored = send(state.fd, line->data, line->used + 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        break;
    case SINK_PIPE:
        write_pipe(line->data, line->used + 1);
        break;
    case SINK_FILE:
        ignored = write(state.fd, line->data, line->used + 1);
        break;
    }
    (void)ignored;
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
    if (state.sink != SINK_SYSLOG && !state.journal) {
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

static void
begin(struct log_line *line, int level)
{
    line->used = 0;
    if (state.journal) {
        log_line_number(line, "<", (uint64_t)levels[level].priority);
        log_line_add(line, ">");
    }
    if (state.json)
        begin_json(line, level);
    else
        begin_text(line, level);
}

void
log_write(int level, const char *format, ...)
{
    char message[MESSAGE_MAX];
    struct log_line line;
    va_list arguments;

    if (level < 0 || level > LOG_LEVEL_DEBUG || !is_wanted(level))
        return;
    va_start(arguments, format);
    if (vsnprintf(message, sizeof(message), format, arguments) < 0)
        snprintf(message, sizeof(message), "%s", format);
    va_end(arguments);
    begin(&line, level);
    if (state.json) {
        log_line_json(&line, "message", message, MESSAGE_MAX);
        log_line_add(&line, "}");
    } else {
        log_line_escaped(&line, message, LOG_ESCAPE_TEXT, MESSAGE_MAX);
    }
    emit(&line, level);
}

/* The fields of an access line, each listed once. */
#define STRINGS(X)                      \
    X(peer, "peer", WORD_MAX)           \
    X(client, "client", WORD_MAX)       \
    X(operation, "operation", WORD_MAX) \
    X(target, "target", ID_MAX)         \
    X(status, "status", WORD_MAX)       \
    X(message, "reason", REASON_MAX)    \
    X(tls, "tls", WORD_MAX)
#define NUMBERS(X) \
    X(bytes_in)    \
    X(bytes_out)   \
    X(number)

static void
access_text(struct log_line *line, const struct log_access *access)
{
    log_line_add(line, "access");
#define X(member, name, most) log_line_field(line, name, access->member, most);
    STRINGS(X)
#undef X
#define X(member) log_line_number(line, " " #member "=", access->member);
    NUMBERS(X)
#undef X
    log_line_number(line, " microseconds=", (uint64_t)access->microseconds);
}

static void
access_json(struct log_line *line, const struct log_access *access)
{
    log_line_json(line, "message", "access", WORD_MAX);
#define X(member, name, most) log_line_json(line, name, access->member, most);
    STRINGS(X)
#undef X
#define X(member) log_line_number(line, ",\"" #member "\":", access->member);
    NUMBERS(X)
#undef X
    log_line_number(line, ",\"microseconds\":", (uint64_t)access->microseconds);
    log_line_add(line, "}");
}

void
log_access(const struct log_access *access)
{
    struct log_line line;

    if (!state.access || !is_wanted(LOG_LEVEL_INFO))
        return;
    begin(&line, LOG_LEVEL_INFO);
    if (state.json)
        access_json(&line, access);
    else
        access_text(&line, access);
    emit(&line, LOG_LEVEL_INFO);
}
