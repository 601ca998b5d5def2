/*
 * Where the bytes of elements go. Called by the commands retrieve and call. The bytes pass through
 * one buffer, whatever the element's size.
 */
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "progress.h"
#include "terminal.h"

enum { SINK_BUFFER = 64 * 1024 };

/* ------------------------------------------------------------------ open, commit, close */

static int
sink_open_path(sink *to, const char *output)
{
    char reason[REASON_MAX];
    struct stat status;
    bool there = stat(output, &status) == 0;
    char *directory;

    /* A file behind a symbolic link is replaced, not the link. */
    to->path = there ? realpath(output, NULL) : strdup(output);
    if (to->path == NULL)
        return complain(EXIT_USAGE, "%s: %s", output, strerror(errno));
    if (there && !S_ISREG(status.st_mode)) {
        to->fd = open(output, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        to->terminal = to->fd >= 0 && isatty(to->fd);
        return to->fd >= 0 ? EXIT_DONE
                           : complain(EXIT_USAGE, "cannot write %s: %s", output, strerror(errno));
    }
    directory = strdup(to->path);
    to->file = directory != NULL ? partial_new(dirname(directory), reason, sizeof(reason)) : NULL;
    free(directory);
    if (to->file == NULL)
        return complain(EXIT_USAGE, "%s", reason);
    if (there)
        fchmod(partial_fd(to->file), status.st_mode & 0777);
    return EXIT_DONE;
}

int
sink_open(sink *to, const char *output)
{
    int status;

    memset(to, 0, sizeof(*to));
    to->fd = -1;
    if (output == NULL || strcmp(output, "-") == 0) {
        to->terminal = isatty(STDOUT_FILENO);
        return EXIT_DONE;
    }
    status = sink_open_path(to, output);
    if (status != EXIT_DONE)
        sink_close(to);
    return status;
}

int
sink_commit(sink *to)
{
    char reason[REASON_MAX];
    const char *slash;

    if (to->path == NULL) {
        if (to->cut_length > 0)
            terminal_write(stdout, to->cut, to->cut_length, "\n\t", false);
        if (fflush(stdout) == 0 && !ferror(stdout))
            return EXIT_DONE;
        return complain(EXIT_USAGE, "cannot write to standard output: %s", strerror(errno));
    }
    if (to->file == NULL)
        return EXIT_DONE;
    slash = strrchr(to->path, '/');
    if (partial_publish(to->file, slash != NULL ? slash + 1 : to->path, true, reason,
                        sizeof(reason)))
        return EXIT_DONE;
    return complain(EXIT_USAGE, "%s: %s", to->path, reason);
}

void
sink_close(sink *to)
{
    partial_free(&to->file);
    if (to->fd >= 0)
        close(to->fd);
    free(to->path);
    memset(to, 0, sizeof(*to));
    to->fd = -1;
}

/* ------------------------------------------------------------------ bytes */

bool
sink_write_all(int fd, const void *data, size_t size)
{
    const char *at = data;
    ssize_t count;

    while (size > 0) {
        count = write(fd, at, size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return false;
        at += count;
        size -= (size_t)count;
    }
    return true;
}

/* To a terminal: a character may be cut in two by the pieces, and is put together again. */
static bool
sink_show(sink *to, const unsigned char *data, size_t size)
{
    static unsigned char joined[SINK_BUFFER + 4];
    size_t used, length = to->cut_length + size;

    memcpy(joined, to->cut, to->cut_length);
    memcpy(joined + to->cut_length, data, size);
    used = terminal_write(stdout, joined, length, "\n\t", true);
    to->cut_length = length - used;
    memcpy(to->cut, joined + used, to->cut_length);
    return !ferror(stdout);
}

static bool
sink_write(sink *to, int fd, const unsigned char *data, size_t size)
{
    if (fd >= 0)
        return sink_write_all(fd, data, size);
    return to->terminal ? sink_show(to, data, size) : fwrite(data, 1, size, stdout) == size;
}

static int
sink_pump(sink *to, int fd, session *from, doip_message *message, progress *bar)
{
    static unsigned char buffer[SINK_BUFFER];
    ssize_t count;

    while ((count = doip_message_read(message, buffer, sizeof(buffer))) > 0) {
        if (!sink_write(to, fd, buffer, (size_t)count)) {
            progress_end(bar);
            return complain(EXIT_USAGE, "cannot write %s: %s",
                            to->path != NULL ? to->path : "to standard output", strerror(errno));
        }
        progress_add(bar, count);
    }
    progress_end(bar);
    return count == 0 ? EXIT_DONE : session_broken(from, message);
}

int
sink_receive(sink *to, session *from, doip_message *message, const char *name, int64_t total)
{
    int fd = to->file != NULL ? partial_fd(to->file) : to->fd;
    progress bar;

    progress_begin(&bar, name, total, to->terminal);
    return sink_pump(to, fd, from, message, &bar);
}

int
sink_receive_fd(int fd, const char *path, session *from, doip_message *message, const char *name,
                int64_t total)
{
    sink to = {.path = (char *)path, .fd = fd};
    progress bar;

    progress_begin(&bar, name, total, false);
    return sink_pump(&to, fd, from, message, &bar);
}
