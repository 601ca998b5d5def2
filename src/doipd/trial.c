/*
 * The trial before a reload: see trial.h.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "channel.h"
#include "trial.h"

static _Noreturn void
load_and_tell(const struct config_source *source, int channel)
{
    char reason[CHANNEL_TEXT];

    /* It is one more copy of what the master has: a word is enough, and nothing is taken down. */
    if (config_load(source, reason, sizeof reason) != NULL)
        _exit(0);
    channel_send(channel, CHANNEL_FAILED, reason);
    _exit(1);
}

static bool
judge(pid_t child, int channel, char *reason, size_t size)
{
    char text[CHANNEL_TEXT];
    int status = 0;
    pid_t ended;

    do
        ended = waitpid(child, &status, 0);
    while (ended < 0 && errno == EINTR);
    if (ended == child && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (channel_receive(channel, text) == CHANNEL_FAILED)
        snprintf(reason, size, "%s", text);
    else if (WIFSIGNALED(status))
        snprintf(
            reason, size,
            "reading the configuration ended by signal %d (%s), most likely for want of memory",
            WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(reason, size,
                 "reading the configuration ended with status %d, most likely for want of memory",
                 WEXITSTATUS(status));
    return false;
}

bool
trial_load(const struct config_source *source, char *reason, size_t size)
{
    int ours, theirs;
    pid_t child = -1;
    bool good = false;

    if (!channel_open(&ours, &theirs)) {
        snprintf(reason, size, "can't try the configuration: %s", strerror(errno));
        return false;
    }
    child = fork();
    if (child == 0)
        load_and_tell(source, theirs);
    close(theirs);
    if (child < 0)
        snprintf(reason, size, "can't try the configuration: %s", strerror(errno));
    else
        good = judge(child, ours, reason, size);
    close(ours);
    return good;
}
