/*
 * `doip-store`: looks after the repository of the handler `store`, beside the service or without
 * it. Here the command line is taken apart. doip-store(1) is the manual.
 */
#include <getopt.h>
#include <locale.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

enum { OPTION_QUICK = 1, OPTION_MERGE = 2, OPTION_COPY = 4 };

struct command {
    const char *name;
    int options; /* that it takes, beside those of all */
    bool place;  /* it takes a second directory */
    const char *usage;
    const char *help;
    int (*run)(const struct order *order);
};

static const struct command commands[] = {
    {"verify", OPTION_QUICK, false, "ROOT [--quick]",
     "re-read everything, and name what is damaged or missing", command_verify},
    {"gc", 0, false, "ROOT", "remove now what nothing points to", command_gc},
    {"stats", 0, false, "ROOT", "how much there is of what", command_stats},
    {"backup", OPTION_COPY, true, "ROOT DIRECTORY [--copy]",
     "make or renew a copy that doipd can serve", command_backup},
    {"export", 0, true, "ROOT DIRECTORY", "write a portable dump: JSON lines and files",
     command_export},
    {"import", OPTION_MERGE, true, "ROOT DIRECTORY [--merge]", "read such a dump", command_import},
};

enum { COMMANDS = sizeof(commands) / sizeof(*commands) };

static const struct option long_options[] = {
    {"help", no_argument, NULL, 'h'},
    {"json", no_argument, NULL, 'j'},
    {"version", no_argument, NULL, 'V'},
    {"quick", no_argument, NULL, 'q'},
    {"merge", no_argument, NULL, 'm'},
    {"copy", no_argument, NULL, 'c'},
    {NULL, 0, NULL, 0},
};

static int
help(void)
{
    puts("usage: doip-store COMMAND ROOT [ARGUMENTS] [OPTIONS]\n\n"
         "ROOT is the directory that handler.store.options.root names. The service may run.\n");
    for (int i = 0; i < COMMANDS; i++)
        printf("  %-7s %-25s %s\n", commands[i].name, commands[i].usage, commands[i].help);
    puts("\nOptions:\n"
         "  -j, --json      print JSON\n"
         "  -h, --help      print this\n"
         "  -V, --version   print the version\n"
         "  --quick         of verify: sizes only, not the bytes\n"
         "  --copy          of backup: no hard links\n"
         "  --merge         of import: into a repository that is not empty\n\n"
         "Exit status: 0 all is well, 1 something is wrong or failed, 2 wrong usage.");
    return fflush(stdout) == 0 ? EXIT_GOOD : EXIT_WRONG;
}

static const struct command *
command_find(const char *name)
{
    for (int i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

/* What root makes, the service could not write to: then it is for the owner to do. */
static bool
is_for_us(const char *root)
{
    const struct passwd *owner;
    struct stat status;

    if (geteuid() != 0 || stat(root, &status) != 0 || status.st_uid == 0)
        return true;
    owner = getpwuid(status.st_uid);
    if (owner == NULL)
        complain(EXIT_WRONG, "%s belongs to the user with number %u: run this as that user", root,
                 status.st_uid);
    else
        complain(EXIT_WRONG, "%s belongs to %s: run this as that user, with runuser -u %s --", root,
                 owner->pw_name, owner->pw_name);
    return false;
}

static int
run(const struct command *command, struct order *order, int options, int count, char **words)
{
    if (count != (command->place ? 2 : 1))
        return complain(EXIT_MISUSE, "usage: doip-store %s %s", command->name, command->usage);
    if ((options & ~command->options) != 0)
        return complain(EXIT_MISUSE, "--%s is not an option of %s",
                        options & ~command->options & OPTION_QUICK   ? "quick"
                        : options & ~command->options & OPTION_MERGE ? "merge"
                                                                     : "copy",
                        command->name);
    order->root = words[0];
    order->place = command->place ? words[1] : NULL;
    order->quick = options & OPTION_QUICK;
    order->merge = options & OPTION_MERGE;
    order->copy = options & OPTION_COPY;
    return is_for_us(order->root) ? command->run(order) : EXIT_WRONG;
}

int
main(int argc, char **argv)
{
    const struct command *command;
    struct order order = {.json = false};
    int option, options = 0;

    umask(077);
    while ((option = getopt_long(argc, argv, "hjV", long_options, NULL)) != -1) {
        switch (option) {
        case 'h':
            return help();
        case 'V':
            puts("doip-store " DOIP_VERSION);
            return EXIT_GOOD;
        case 'j':
            order.json = true;
            break;
        case 'q':
            options |= OPTION_QUICK;
            break;
        case 'm':
            options |= OPTION_MERGE;
            break;
        case 'c':
            options |= OPTION_COPY;
            break;
        default:
            return EXIT_MISUSE; /* getopt_long has said why */
        }
    }
    if (optind == argc)
        return complain(EXIT_MISUSE, "which command? See `doip-store --help`");
    command = command_find(argv[optind]);
    if (command == NULL)
        return complain(EXIT_MISUSE, "there is no command %s; see `doip-store --help`",
                        argv[optind]);
    return run(command, &order, options, argc - optind - 1, argv + optind + 1);
}
