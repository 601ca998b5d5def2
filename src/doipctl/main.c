/*
 * doipctl: asks and commands a doipd on this host, over its control socket. One process, one thread.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "ask.h"
#include "doip/terminal.h"
#include "doipd/config.h"
#include "show.h"

#ifndef DOIPD_CONFIG_FILE
#define DOIPD_CONFIG_FILE "/etc/doipd/doipd.conf"
#endif

enum { EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_NO_SERVICE = 3 };

struct command {
    const char *name;
    const char *argument;               /* its name in the usage; NULL: takes none */
    void (*show)(const json_t *report); /* NULL: what comes is text */
    const char *help;
};

static const struct command commands[] = {
    {"status", NULL, show_status, "how the service is"},
    {"workers", NULL, show_workers, "its processes, and what they are at"},
    {"connections", NULL, show_connections, "who is connected"},
    {"handlers", NULL, show_handlers, "which handlers it has, and how often they were called"},
    {"metrics", NULL, NULL, "all counters, as text for Prometheus"},
    {"reload", NULL, NULL, "have it take up its configuration, and wait for the outcome"},
    {"stop", NULL, NULL, "have it end when its connections are done, and wait for that"},
    {"log-level", "LEVEL", NULL, "log from this level on, until the next reload"},
    {.name = NULL},
};

struct options {
    const char *file;
    const char *socket;
    bool json;
    const struct command *command;
    const char *argument;
};

static void
usage(FILE *file)
{
    fputs("usage: doipctl [-c FILE | -s SOCKET] [-j] COMMAND [ARGUMENT]\n"
          "  -c FILE    the configuration that doipd was started with (default: " DOIPD_CONFIG_FILE
          ")\n"
          "  -s SOCKET  its control socket\n"
          "  -j         JSON instead of tables\n"
          "  -V, -h     print the version, or this, and exit\n",
          file);
    for (const struct command *at = commands; at->name != NULL; at++)
        fprintf(file, "  %s%s%-*s  %s\n", at->name, at->argument != NULL ? " " : "",
                (int)(16 - strlen(at->name) - (at->argument != NULL)),
                at->argument != NULL ? at->argument : "", at->help);
}

static int __attribute__((format(printf, 2, 3))) complain(int status, const char *format, ...)
{
    va_list ap;
    char *text = NULL;
    int length;

    va_start(ap, format);
    length = vasprintf(&text, format, ap);
    va_end(ap);
    fputs("doipctl: ", stderr);
    if (length >= 0)
        terminal_write(stderr, text, (size_t)length, "", false);
    fputc('\n', stderr);
    free(text);
    return status;
}

/* ------------------------------------------------------------------ the command line */

static int
take_command(struct options *options, int argc, char **argv)
{
    if (optind >= argc)
        return complain(EXIT_USAGE, "which command? see doipctl -h");
    for (const struct command *at = commands; at->name != NULL; at++)
        if (strcmp(at->name, argv[optind]) == 0)
            options->command = at;
    if (options->command == NULL)
        return complain(EXIT_USAGE, "there is no command %s; see doipctl -h", argv[optind]);
    if (argc - optind - 1 != (options->command->argument != NULL))
        return complain(EXIT_USAGE, "%s takes %s; see doipctl -h", argv[optind],
                        options->command->argument != NULL ? options->command->argument
                                                           : "no argument");
    options->argument = argv[optind + 1];
    return 0;
}

static _Noreturn void
print_version(void)
{
    printf("doipctl %s\n", DOIP_VERSION);
    exit(EXIT_SUCCESS);
}

static int
parse(struct options *options, int argc, char **argv)
{
    int option;

    while ((option = getopt(argc, argv, "+:c:s:jVh")) != -1) {
        if (option == 'c')
            options->file = optarg;
        else if (option == 's')
            options->socket = optarg;
        else if (option == 'j')
            options->json = true;
        else if (option == 'V')
            print_version();
        else if (option == 'h') {
            usage(stdout);
            exit(EXIT_SUCCESS);
        } else
            return complain(EXIT_USAGE,
                            option == ':' ? "-%c needs an argument; see doipctl -h"
                                          : "-%c is no option; see doipctl -h",
                            optopt);
    }
    if (options->file != NULL && options->socket != NULL)
        return complain(EXIT_USAGE, "-c and -s exclude each other");
    return take_command(options, argc, argv);
}

/* ------------------------------------------------------------------ the socket */

/* A caller who may not read the configuration, or has none, is told to name the socket. */
static bool
configured_place(const char *file, struct place *place, char *reason, size_t size)
{
    struct config_source source = {.file = file != NULL ? file
                                           : access(DOIPD_CONFIG_FILE, F_OK) == 0
                                               ? DOIPD_CONFIG_FILE
                                               : NULL};
    struct config *config = config_load(&source, reason, size);

    if (config == NULL)
        return false;
    place->path = strdup(config->control.socket);
    place->user = strdup(config->user);
    config_free(&config);
    return place->path != NULL && place->user != NULL;
}

/* ------------------------------------------------------------------ what came */

static int
show_report(const struct options *options, const struct answer *answer)
{
    json_t *report = json_loadb(answer->text, answer->length, 0, NULL);

    if (report == NULL)
        return complain(EXIT_NO_SERVICE, "what the service said is no JSON");
    if (options->json) {
        json_dumpf(report, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_PRESERVE_ORDER);
        putchar('\n');
    } else {
        options->command->show(report);
    }
    json_decref(report);
    return EXIT_SUCCESS;
}

static int
show(const struct options *options, const struct answer *answer)
{
    int status = EXIT_SUCCESS;

    if (!answer->good)
        return complain(EXIT_REFUSED, "%s", answer->text);
    if (options->command->show != NULL)
        status = show_report(options, answer);
    else
        terminal_write(stdout, answer->text, answer->length, "\n", false);
    if (options->command->show == NULL && answer->length > 0 &&
        answer->text[answer->length - 1] != '\n')
        putchar('\n');
    if (fflush(stdout) != 0 || ferror(stdout))
        return complain(EXIT_REFUSED, "can't write the answer");
    return status;
}

static int
run(const struct options *options, const struct place *place)
{
    char line[256], reason[4200];
    struct answer answer;
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): parse() gives none without a command */
    int status, length = snprintf(line, sizeof line, "%s%s%s\n", options->command->name,
                                  options->argument != NULL ? " " : "",
                                  options->argument != NULL ? options->argument : "");

    if (length >= (int)sizeof line)
        return complain(EXIT_USAGE, "%s is too long", options->command->argument);
    if (!ask(place, line, &answer, reason, sizeof reason)) {
        free(answer.text);
        return complain(EXIT_NO_SERVICE, "%s", reason);
    }
    status = show(options, &answer);
    free(answer.text);
    return status;
}

int
main(int argc, char **argv)
{
    struct options options = {.file = NULL};
    struct place place = {.path = NULL};
    char reason[2048] = "memory is short";
    int status = parse(&options, argc, argv);

    if (status != 0)
        return status;
    place.any_server = options.socket != NULL;
    if (place.any_server)
        place.path = strdup(options.socket);
    else if (!configured_place(options.file, &place, reason, sizeof reason))
        status = complain(EXIT_NO_SERVICE, "can't find the control socket, name it with -s: %s",
                          reason);
    if (status == 0)
        status = run(&options, &place);
    free(place.path);
    free(place.user);
    return status;
}
