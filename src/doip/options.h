/*
 * The command line, taken apart. Values stay as they were written: the commands parse them with
 * arguments.h.
 */
#ifndef CLIENT_OPTIONS_H
#define CLIENT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "arguments.h"

/* The commands, as bits: an option says which of them take it. */
enum {
    COMMAND_HELLO = 1 << 0,
    COMMAND_LIST = 1 << 1,
    COMMAND_CREATE = 1 << 2,
    COMMAND_RETRIEVE = 1 << 3,
    COMMAND_UPDATE = 1 << 4,
    COMMAND_DELETE = 1 << 5,
    COMMAND_SEARCH = 1 << 6,
    COMMAND_CALL = 1 << 7,
    COMMAND_ALL = (1 << 8) - 1
};

/* A list of borrowed strings. */
typedef struct option_list {
    const char **items;
    size_t count;
} option_list;

typedef struct options {
    char host[ARGUMENT_HOST_MAX];
    int port;
    const char *server, *client_id, *user, *password_file, *token;
    const char *certificate, *key, *ca, *pin, *timeout;
    const char *id, *type, *attributes, *range, *output, *page, *page_size, *sort;
    option_list elements, inputs;
    bool insecure, json, all, ids, help, version;
    unsigned long long seen; /* which rows of the table were given, as bits */
    char **words;            /* what is no option: the command and its arguments */
    int count;
} options;

/* Reads the command line (which it reorders); false after saying what is wrong. options_fini() in
 * either case. */
bool options_parse(options *given, int argc, char **argv);
void options_fini(options *given);

/* Whether tokens are to be signed with the key: it belongs to no certificate. */
bool options_signs(const options *given);

/* The name of an option that was given but `command` does not take; NULL for none. */
const char *options_stranger(const options *given, unsigned int command);

/* The options that a set of commands takes but not all do (or those that all take), one per line on
 * stdout. */
void options_print(unsigned int commands, bool common);

#endif
