/*
 * The commands of `doip`. Each gets the options and its own arguments, and returns the exit status.
 */
#ifndef CLIENT_COMMANDS_H
#define CLIENT_COMMANDS_H

#include "options.h"

int command_hello(const options *given, char **arguments);
int command_list(const options *given, char **arguments);
int command_create(const options *given, char **arguments);
int command_retrieve(const options *given, char **arguments);
int command_update(const options *given, char **arguments);
int command_delete(const options *given, char **arguments);
int command_search(const options *given, char **arguments);
int command_call(const options *given, char **arguments);

#endif
