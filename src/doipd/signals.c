/*
 * The master's signals: see signals.h.
 */
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "signals.h"

static int held = -1;

bool
signals_take(void)
{
    static const int wanted[] = {SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    /* Whoever started this may have ignored it, and then nobody would ever hear of a child's end. */
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        sigaddset(&set, wanted[i]);
    sigprocmask(SIG_SETMASK, &set, NULL);
    held = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return held >= 0;
}

int
signals_fd(void)
{
    return held;
}

int
signals_next(void)
{
    struct signalfd_siginfo info;

    return read(held, &info, sizeof info) == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}

void
signals_forget(void)
{
    close(held);
    held = -1;
}
