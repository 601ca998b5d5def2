/*
 * Going into the background: see background.h. Runs before the master does anything.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "background.h"
#include "log.h"
#include "master.h"

static int ready_pipe = -1;

/* Part of a reason may come from a worker: it moves no terminal. */
static void
printable(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}

/* The typed command: what comes through the pipe is the reason; nothing but a single newline means ready. */
static _Noreturn void
wait_for_service(int fd)
{
    char text[4096];
    size_t length = 0;
    ssize_t n;

    while (length < sizeof text - 1 && ((n = read(fd, text + length, sizeof text - 1 - length)) > 0 || (n < 0 && errno == EINTR)))
        length += n > 0 ? (size_t)n : 0;
    text[length] = '\0';
    if (strcmp(text, "\n") == 0)
        _exit(EXIT_GOOD);
    printable(text);
    fprintf(stderr, "doipd: %s\n", length > 0 ? text : "ended before it was ready; see the log");
    _exit(EXIT_BAD);
}

static void
detach(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    setsid();
    if (chdir("/") < 0 || null < 0)
        return;
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO); /* or whoever waits for its end would wait for the service's */
}

bool
background_enter(void)
{
    int ends[2];
    pid_t child;

    fflush(NULL);
    if (pipe2(ends, O_CLOEXEC) < 0 || (child = fork()) < 0)
        return false;
    if (child > 0) {
        close(ends[1]);
        wait_for_service(ends[0]);
    }
    close(ends[0]);
    ready_pipe = ends[1];
    detach();
    return true;
}

void
background_forget(void)
{
    if (ready_pipe >= 0)
        close(ready_pipe);
    ready_pipe = -1;
}

void
background_tell(const char *reason)
{
    const char *text = reason != NULL ? reason : "\n";

    if (ready_pipe < 0)
        return;
    if (write(ready_pipe, text, strlen(text)) < 0)
        log_error(START_FAILED, "can't tell whoever started this: %s", strerror(errno));
    background_forget();
}
