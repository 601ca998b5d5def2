/*
 * Where the log goes: see log_sink.h. A full or closed pipe drops lines.
 */
#include "log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "log_journal.h"

enum sink { SINK_FILE, SINK_PIPE, SINK_SOCKET, SINK_SYSLOG, SINK_JOURNAL };

static struct {
    bool journal; /* stderr is the journal's */
    enum sink sink;
    int fd;
    const char *journal_path;
} state = {.sink = SINK_PIPE, .fd = STDERR_FILENO, .journal_path = LOG_JOURNAL_SOCKET};

bool
log_sink_wants_time(void)
{
    return state.sink != SINK_SYSLOG && !state.journal;
}

bool
log_sink_wants_level(void)
{
    return state.journal && state.sink != SINK_JOURNAL;
}

bool
log_sink_takes_fields(void)
{
    return state.sink == SINK_JOURNAL;
}

int
log_sink_descriptor(void)
{
    return state.sink != SINK_SYSLOG && state.fd != STDERR_FILENO ? state.fd : -1;
}

void
log_sink_use_journal(const char *path)
{
    state.journal_path = path;
}

/* sd-daemon(3): JOURNAL_STREAM names the device and inode of a stream that goes to the journal. */
static bool
is_journal(const struct stat *status)
{
    const char *stream = getenv("JOURNAL_STREAM");
    uintmax_t device;
    uintmax_t inode;

    /* NOLINTNEXTLINE(cert-err34-c): what does not fit is no device or inode either */
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

/* Fields go to the journal's own socket; where that can't be reached, lines with their level go to stderr. */
static bool
open_journal(void)
{
    int fd = log_journal_open(state.journal_path);

    if (fd < 0)
        return false;
    state.sink = SINK_JOURNAL;
    state.fd = fd;
    return true;
}

static void
setup_stderr(void)
{
    struct stat status = {0};

    if (fstat(STDERR_FILENO, &status) != 0)
        return;
    state.journal = is_journal(&status);
    if (state.journal && open_journal())
        return;
    state.sink = S_ISFIFO(status.st_mode)   ? SINK_PIPE
                 : S_ISSOCK(status.st_mode) ? SINK_SOCKET
                                            : SINK_FILE;
    if (state.sink == SINK_PIPE)
        state.fd = open_pipe();
}

void
log_sink_setup(bool to_stderr)
{
    if (state.fd != STDERR_FILENO)
        close(state.fd);
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

/* A blocking descriptor (what stderr is before log_setup(), or where it can't be opened anew)
 * is given a short time to take the line. */
static bool
takes_more(void)
{
    struct pollfd wait = {.fd = state.fd, .events = POLLOUT};

    return poll(&wait, 1, 100) == 1;
}

/* write(2), without the SIGPIPE of a pipe that nobody reads. */
static bool
write_pipe(const char *data, size_t size)
{
    static const struct timespec at_once = {0, 0};
    sigset_t pipe_signal;
    sigset_t pending;
    sigset_t before;
    bool written;

    if (state.fd == STDERR_FILENO && !takes_more())
        return false;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    written = write(state.fd, data, size) >= 0;
    if (!written && errno == EPIPE && sigismember(&pending, SIGPIPE) == 0)
        sigtimedwait(&pipe_signal, NULL, &at_once);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return written;
}

bool
log_sink_put(struct log_line *line, const struct log_line *fields, int priority)
{
    line->data[line->used] = '\n';
    switch (state.sink) {
    case SINK_JOURNAL:
        return log_journal_send(state.fd, state.journal_path, line, fields);
    case SINK_SYSLOG:
        syslog(priority, "%.*s", (int)line->used, line->data);
        return true;
    case SINK_SOCKET:
        return send(state.fd, line->data, line->used + 1, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
    case SINK_PIPE:
        return write_pipe(line->data, line->used + 1);
    default:
        return write(state.fd, line->data, line->used + 1) >= 0;
    }
}
