/*
 * The command-line client `doip`: finds the command and checks that its options and arguments are
 * its own. doip(1) is the manual.
 */
#include <stdio.h>
#include <string.h>

#include <doip/protocol.h>

#include "commands.h"
#include "doip.h"
#include "output.h"

typedef struct command {
    const char *name;
    unsigned int bit;
    int least, most; /* arguments */
    const char *arguments;
    const char *help;
    int (*run)(const options *given, char **arguments);
} command;

static const command commands[] = {
    {"hello", COMMAND_HELLO, 0, 0, "", "what the service is", command_hello},
    {"list", COMMAND_LIST, 0, 1, "[ID]", "the operations of the service, or of an object",
     command_list},
    {"create", COMMAND_CREATE, 0, 0,
     "[--id ID] --type TYPE [--attributes JSON|@FILE] [--element ID=FILE[;type=MIME]]...",
     "make an object", command_create},
    {"retrieve", COMMAND_RETRIEVE, 1, 1,
     "ID [--element ID [--range FIRST-LAST] [-o FILE] | --all -o DIRECTORY]",
     "fetch an object or its elements", command_retrieve},
    {"update", COMMAND_UPDATE, 1, 1,
     "ID [--type TYPE] [--attributes JSON|@FILE] [--element ID=FILE[;type=MIME]]...",
     "change an object", command_update},
    {"delete", COMMAND_DELETE, 1, 1, "ID", "delete an object", command_delete},
    {"search", COMMAND_SEARCH, 1, 1, "QUERY [--page N] [--page-size N] [--sort FIELDS] [--ids]",
     "find objects", command_search},
    {"call", COMMAND_CALL, 2, 2, "ID OPERATION [--input JSON|@FILE]... [-o FILE]",
     "any operation of any target", command_call},
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

static const command *
find(const char *name)
{
    for (int i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static int
help(const command *about)
{
    if (about != NULL) {
        printf("usage: doip [OPTIONS] %s %s\n\n%s\n\n", about->name, about->arguments, about->help);
        options_print(about->bit, false);
        printf("\nOptions of every command:\n");
    } else {
        printf("usage: doip [OPTIONS] COMMAND [ARGUMENTS]\n\n");
        for (int i = 0; i < COMMAND_COUNT; i++)
            printf("  %-12s%s\n", commands[i].name, commands[i].help);
        printf(
            "\n`doip COMMAND --help` shows a command's own options. Options of every command:\n");
    }
    options_print(COMMAND_ALL, true);
    return output_end(EXIT_DONE);
}

static int
run(const options *given)
{
    const command *chosen = given->count > 0 ? find(given->words[0]) : NULL;
    const char *stranger;
    int count = given->count - 1;

    if (given->version) {
        printf("doip %s, DOIP %s\n", DOIP_VERSION, DOIP_PROTOCOL_VERSION);
        return output_end(EXIT_DONE);
    }
    if (given->count > 0 && chosen == NULL)
        return complain(EXIT_USAGE, "there is no command %s; see `doip --help`", given->words[0]);
    if (given->help)
        return help(chosen);
    if (chosen == NULL)
        return complain(EXIT_USAGE, "which command? See `doip --help`");
    if (count < chosen->least || count > chosen->most)
        return complain(EXIT_USAGE, "usage: doip %s %s", chosen->name, chosen->arguments);
    stranger = options_stranger(given, chosen->bit);
    if (stranger != NULL)
        return complain(EXIT_USAGE, "--%s is not an option of %s", stranger, chosen->name);
    return chosen->run(given, given->words + 1);
}

int
main(int argc, char **argv)
{
    options given;
    int status = EXIT_USAGE;

    if (options_parse(&given, argc, argv))
        status = run(&given);
    options_fini(&given);
    return status;
}
