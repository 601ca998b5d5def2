/*
 * `doipd -t`: see check.h. A child does the work, so that a handler that crashes while it is loaded is found out and not believed.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "channel.h"
#include "check.h"
#include "handlers.h"
#include "identity.h"
#include "log.h"
#include "master.h"
#include "privileges.h"

static bool
check_all(const struct config_source *source, char *reason, size_t size)
{
    struct config *config = config_load(source, reason, size);
    bool by_root = geteuid() == 0, good;
    struct handler_set handlers;
    struct account account;
    SSL_CTX *tls;

    if (config != NULL && users_exposed(&config->users, reason, size))
        fprintf(stderr, "doipd: warning: %s\n", reason);
    if (config == NULL || !account_find(config, &account, reason, size))
        return false;
    tls = identity_context(config, false, reason, size);
    if (tls == NULL)
        return false;
    SSL_CTX_free(tls);
    good = privileges_drop(&account, reason, size) && handlers_load(&handlers, config, by_root, NULL, reason, size);
    if (good)
        handlers_close(&handlers, NULL);
    config_free(&config);
    return good;
}

static int
check_in_child(const struct config_source *source)
{
    char reason[CHANNEL_TEXT] = "";

    if (check_all(source, reason, sizeof reason))
        return EXIT_GOOD;
    fprintf(stderr, "doipd: %s\n", reason);
    return EXIT_BAD;
}

int
check_run(const struct config_source *source)
{
    pid_t child;
    int status;

    signal(SIGCHLD, SIG_DFL); /* or its end could not be waited for */
    fflush(NULL);
    child = fork();
    if (child == 0)
        _exit(check_in_child(source));
    if (child < 0 || waitpid(child, &status, 0) < 0) {
        fprintf(stderr, "doipd: can't check: %s\n", strerror(errno));
        return EXIT_BAD;
    }
    if (WIFSIGNALED(status))
        fprintf(stderr, "doipd: the check was killed by signal %d (%s), most likely by a handler being loaded\n",
                WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) == EXIT_GOOD)
        fprintf(stderr, "doipd: %s is good\n", source->file != NULL ? source->file : "the default configuration");
    return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_BAD;
}
