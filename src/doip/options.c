/*
 * The command line, taken apart by getopt_long over one table, which also prints the help. Called
 * once, by main().
 */
#include "options.h"

#include <assert.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <doip/protocol.h>

#include "doip.h"

enum kind { KIND_TEXT, KIND_FLAG, KIND_LIST };

typedef struct option_spec {
    const char *name;
    char letter; /* 0: only the long form */
    enum kind kind;
    size_t offset; /* of its member in struct options */
    unsigned int commands;
    const char *value; /* for the help */
    const char *help;
} option_spec;

#define AT(member) offsetof(options, member)

static const option_spec option_table[] = {
    {"server", 's', KIND_TEXT, AT(server), COMMAND_ALL, "HOST:PORT",
     "the service (localhost:9000)"},
    {"client-id", 'c', KIND_TEXT, AT(client_id), COMMAND_ALL, "ID", "who is asking"},
    {"user", 'u', KIND_TEXT, AT(user), COMMAND_ALL, "NAME",
     "authenticate with a password, asked for on the terminal"},
    {"password-file", 0, KIND_TEXT, AT(password_file), COMMAND_ALL, "FILE",
     "the password is its first line (-: stdin)"},
    {"token", 0, KIND_TEXT, AT(token), COMMAND_ALL, "TOKEN",
     "authenticate with a token (@FILE: its first line)"},
    {"cert", 0, KIND_TEXT, AT(certificate), COMMAND_ALL, "FILE",
     "a client certificate and its chain, PEM"},
    {"key", 0, KIND_TEXT, AT(key), COMMAND_ALL, "FILE",
     "its private key (in the certificate's file); without --cert, signs tokens"},
    {"ca", 0, KIND_TEXT, AT(ca), COMMAND_ALL, "FILE", "trust only what these CAs vouch for"},
    {"pin", 0, KIND_TEXT, AT(pin), COMMAND_ALL, "HEX", "trust only the key with this SHA-256"},
    {"insecure", 'k', KIND_FLAG, AT(insecure), COMMAND_ALL, NULL, "trust any certificate"},
    {"timeout", 0, KIND_TEXT, AT(timeout), COMMAND_ALL, "SECONDS",
     "longest wait for the service (60)"},
    {"json", 'j', KIND_FLAG, AT(json), COMMAND_ALL, NULL, "print JSON"},
    {"help", 'h', KIND_FLAG, AT(help), COMMAND_ALL, NULL, "print help"},
    {"version", 'V', KIND_FLAG, AT(version), COMMAND_ALL, NULL, "print the version"},
    {"id", 0, KIND_TEXT, AT(id), COMMAND_CREATE, "ID", "the object's id (the service makes one)"},
    {"type", 0, KIND_TEXT, AT(type), COMMAND_CREATE | COMMAND_UPDATE, "TYPE", "the object's type"},
    {"attributes", 0, KIND_TEXT, AT(attributes), COMMAND_CREATE | COMMAND_UPDATE, "JSON|@FILE",
     "the object's attributes"},
    {"element", 0, KIND_LIST, AT(elements), COMMAND_CREATE | COMMAND_UPDATE | COMMAND_RETRIEVE,
     "ID=FILE[;type=MIME]", "an element's bytes (-: stdin); of retrieve: the ID alone"},
    {"range", 0, KIND_TEXT, AT(range), COMMAND_RETRIEVE, "FIRST-LAST",
     "only these bytes, counted from 0"},
    {"all", 0, KIND_FLAG, AT(all), COMMAND_RETRIEVE, NULL,
     "the object and all its elements, into -o DIRECTORY"},
    {"output", 'o', KIND_TEXT, AT(output), COMMAND_RETRIEVE | COMMAND_CALL, "FILE",
     "where bytes go (stdout)"},
    {"page", 0, KIND_TEXT, AT(page), COMMAND_SEARCH, "N", "which page, counted from 0"},
    {"page-size", 0, KIND_TEXT, AT(page_size), COMMAND_SEARCH, "N",
     "results on a page (all); 0 only counts"},
    {"sort", 0, KIND_TEXT, AT(sort), COMMAND_SEARCH, "FIELDS",
     "\"field\" or \"field DESC\", separated by commas"},
    {"ids", 0, KIND_FLAG, AT(ids), COMMAND_SEARCH, NULL, "only the objects' ids"},
    {"input", 0, KIND_LIST, AT(inputs), COMMAND_CALL, "JSON|@FILE",
     "a JSON segment of input; may be repeated"},
};

enum { OPTION_COUNT = sizeof(option_table) / sizeof(option_table[0]) };
_Static_assert(OPTION_COUNT <= 64, "a bit of `seen` for each");

/* getopt_long's two forms of the table; a long option gives its index + 256. */
static void
options_compile(struct option longs[OPTION_COUNT + 1], char shorts[2 * OPTION_COUNT + 1])
{
    const option_spec *spec;

    memset(longs, 0, (OPTION_COUNT + 1) * sizeof(longs[0]));
    for (int i = 0; i < OPTION_COUNT; i++) {
        spec = &option_table[i];
        longs[i].name = spec->name;
        longs[i].has_arg = spec->kind == KIND_FLAG ? no_argument : required_argument;
        longs[i].val = 256 + i;
        if (spec->letter != 0)
            *shorts++ = spec->letter;
        if (spec->letter != 0 && spec->kind != KIND_FLAG)
            *shorts++ = ':';
    }
    *shorts = '\0';
}

static const option_spec *
options_find(int code)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (code == 256 + i || (code < 256 && code == option_table[i].letter))
            return &option_table[i];
    }
    return NULL;
}

static void
options_set(options *given, const option_spec *spec, const char *value)
{
    char *member;
    option_list *list;

    assert(spec != NULL); /* getopt_long() was given the very same table */
    member = (char *)given + spec->offset;
    if (spec->kind == KIND_FLAG) {
        *(bool *)member = true;
    } else if (spec->kind == KIND_TEXT) {
        *(const char **)member = value;
    } else {
        list = (option_list *)member;
        list->items[list->count++] = value;
    }
    given->seen |= 1ull << (spec - option_table);
}

/* What can be wrong with the options that every command takes. */
static bool
options_check(options *given)
{
    char reason[REASON_MAX], pin[65];

    if (given->server != NULL &&
        !argument_server(given->server, given->host, &given->port, reason, sizeof(reason)))
        complain(EXIT_USAGE, "--server: %s", reason);
    else if (given->pin != NULL && !argument_pin(given->pin, pin, reason, sizeof(reason)))
        complain(EXIT_USAGE, "--pin: %s", reason);
    else if ((given->ca != NULL) + (given->pin != NULL) + given->insecure > 1)
        complain(EXIT_USAGE, "--ca, --pin and -k exclude one another");
    else if (options_signs(given) && given->client_id == NULL)
        complain(EXIT_USAGE, "--key needs --cert, or -c ID to sign tokens as");
    else if (options_signs(given) &&
             (given->token != NULL || given->user != NULL || given->password_file != NULL))
        complain(EXIT_USAGE, "--key without --cert signs tokens: no --token or password beside it");
    else if (given->token != NULL && (given->user != NULL || given->password_file != NULL))
        complain(EXIT_USAGE, "a token and a password exclude one another");
    else if (given->password_file != NULL && given->user == NULL && given->client_id == NULL)
        complain(EXIT_USAGE, "a password needs a name: -u NAME, or -c ID");
    else
        return true;
    return false;
}

bool
options_signs(const options *given)
{
    return given->key != NULL && given->certificate == NULL;
}

bool
options_parse(options *given, int argc, char **argv)
{
    struct option longs[OPTION_COUNT + 1];
    char shorts[2 * OPTION_COUNT + 1];
    int code;

    memset(given, 0, sizeof(*given));
    strcpy(given->host, "localhost");
    given->port = DOIP_DEFAULT_PORT;
    given->elements.items = calloc((size_t)argc + 1, sizeof(char *));
    given->inputs.items = calloc((size_t)argc + 1, sizeof(char *));
    if (given->elements.items == NULL || given->inputs.items == NULL) {
        complain(EXIT_USAGE, "out of memory");
        return false;
    }
    options_compile(longs, shorts);
    optind = 0; /* from the start, also when a test parses a second line */
    while ((code = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        if (code == '?')
            return false; /* getopt_long has said why */
        options_set(given, options_find(code), optarg);
    }
    given->words = argv + optind;
    given->count = argc - optind;
    return options_check(given);
}

void
options_fini(options *given)
{
    free(given->elements.items);
    free(given->inputs.items);
    memset(given, 0, sizeof(*given));
}

const char *
options_stranger(const options *given, unsigned int command)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        if ((given->seen >> i & 1) != 0 && (option_table[i].commands & command) == 0)
            return option_table[i].name;
    }
    return NULL;
}

void
options_print(unsigned int commands, bool common)
{
    const option_spec *spec;
    char left[64];

    for (int i = 0; i < OPTION_COUNT; i++) {
        spec = &option_table[i];
        if ((spec->commands == COMMAND_ALL) != common || (spec->commands & commands) == 0)
            continue;
        snprintf(left, sizeof(left), "%c%c%c --%s %s", spec->letter != 0 ? '-' : ' ',
                 spec->letter != 0 ? spec->letter : ' ', spec->letter != 0 ? ',' : ' ', spec->name,
                 spec->value != NULL ? spec->value : "");
        printf("  %-36s%s\n", left, spec->help);
    }
}
