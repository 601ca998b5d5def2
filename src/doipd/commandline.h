/*
 * The command line of doipd: read into one struct by main(), before anything else. One process,
 * one thread.
 */
#ifndef DOIPD_COMMANDLINE_H
#define DOIPD_COMMANDLINE_H

#include <stdbool.h>
#include <stdio.h>

struct commandline {
    const char *file;       /* -c, or the default; NULL with -n */
    bool none;              /* -n */
    bool foreground;        /* -f */
    bool test;              /* -t */
    bool print;             /* -T */
    bool check_certificate; /* --check-certificate */
    bool hash_password;     /* --hash-password */
    bool version;           /* -V */
    bool help;              /* -h */
    const char **overrides; /* of each -o, NULL-ended; the strings are those of argv */
};

/*
 * 0, or the exit status 2 (1: memory is short) after saying on stderr what is wrong. Either way *out ends with
 * commandline_fini(). Leaves getopt's state as new, so that it can be called again.
 */
int commandline_parse(int argc, char **argv, struct commandline *out);
void commandline_fini(struct commandline *commandline);

/* The usage, for -h (stdout). */
void commandline_usage(FILE *file);

#endif
