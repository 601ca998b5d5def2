/*
 * What the files of `doip-store` share: the order that the command line gives, the commands, and how
 * they speak. doip-store(1) is the manual. One process, one thread (and the repository's janitor).
 */
#ifndef STORE_TOOL_H
#define STORE_TOOL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "repository.h"

enum { EXIT_GOOD, EXIT_WRONG, EXIT_MISUSE };

/* What the command line asks for. */
struct order {
    const char *root;
    const char *place; /* the other directory, where the command has one */
    bool json;
    bool quick;
    bool merge;
    bool copy;
};

/* Each gives the exit status, and has said why. */
int command_verify(const struct order *order);
int command_gc(const struct order *order);
int command_stats(const struct order *order);
int command_backup(const struct order *order);
int command_export(const struct order *order);
int command_import(const struct order *order);

/* One line on stderr; gives `status`. */
int complain(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Text that may be anything, so that it can't move the cursor of a terminal. */
void say_text(FILE *out, const char *text);
/* What a command found out: as one line of JSON, or readable. `result` is taken over. The exit
 * status: `status`, or EXIT_WRONG where it can't be printed. */
int say_result(json_t *result, bool json, int status);

/* How far a command is: drawn on stderr where that is a terminal, twice a second. */
struct progress {
    const char *what;
    uint64_t total; /* in bytes; 0: not known */
    uint64_t done;
    int64_t drawn;
    bool shown;
};

void progress_add(struct progress *progress, uint64_t bytes);
/* Takes it off the screen. */
void progress_clear(struct progress *progress);

#endif
