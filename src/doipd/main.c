/*
 * doipd: reads the command line and becomes what it asks for: a check, a print-out, or the master.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "background.h"
#include "check.h"
#include "check_certificate.h"
#include "commandline.h"
#include "crypto.h"
#include "hash_password.h"
#include "log.h"
#include "master.h"
#include "notify.h"
#include "passed.h"

static void
tell_on_stderr(const char *reason)
{
    if (reason != NULL)
        log_error(START_FAILED, "can't start: %s", reason);
}

static int
print_configuration(const struct config_source *source)
{
    char reason[2048];
    struct config *config = config_load(source, reason, sizeof reason);

    if (config == NULL) {
        fprintf(stderr, "doipd: %s\n", reason);
        return EXIT_BAD;
    }
    config_print(config, stdout);
    config_free(&config);
    return EXIT_GOOD;
}

static int
serve(struct config_source *source, bool foreground)
{
    char reason[2048];

    notify_begin();
    if (!passed_take(reason, sizeof reason)) {
        fprintf(stderr, "doipd: %s\n", reason);
        return EXIT_BAD;
    }
    source->listen = passed_listen();
    if (foreground)
        return master_run(source, true, tell_on_stderr);
    if (!background_enter()) {
        fprintf(stderr, "doipd: can't go into the background: %s\n", strerror(errno));
        return EXIT_BAD;
    }
    return master_run(source, false, background_tell);
}

/* The file by a path that outlives a change of directory; one that does not exist keeps its name for the error. */
static const char *
absolute(const char *file, char *room)
{
    return file != NULL && realpath(file, room) != NULL ? room : file;
}

static int
run(const struct commandline *commandline)
{
    char path[PATH_MAX];
    struct config_source source = {
        .file = absolute(commandline->none ? NULL : commandline->file, path),
        .overrides = commandline->overrides,
    };

    if (commandline->help) {
        commandline_usage(stdout);
        return EXIT_GOOD;
    }
    if (commandline->version) {
        printf("doipd %s (DOIP %s, handler ABI %u)\n", DOIP_VERSION, DOIP_PROTOCOL_VERSION, DOIP_ABI);
        return EXIT_GOOD;
    }
    if (commandline->hash_password)
        return hash_password_run();
    if (commandline->check_certificate)
        return check_certificate_run(&source);
    if (commandline->print)
        return print_configuration(&source);
    if (commandline->test)
        return check_run(&source);
    return serve(&source, commandline->foreground);
}

static int
prepare_openssl(void)
{
    if (crypto_begin())
        return EXIT_GOOD;
    fputs("doipd: can't start: memory is short for OpenSSL\n", stderr);
    return EXIT_BAD;
}

int
main(int argc, char **argv)
{
    struct commandline commandline;
    int status = commandline_parse(argc, argv, &commandline);

    if (status == 0)
        status = prepare_openssl();
    if (status == 0)
        status = run(&commandline);
    commandline_fini(&commandline);
    return status;
}
