/*
 * What the two halves of the scanner share: words (config_scan.c), and files, comments and
 * includes (config_source.c). Internal to them.
 */
#ifndef DOIPD_CONFIG_SCAN_H
#define DOIPD_CONFIG_SCAN_H

#include "config_impl.h"

#define LEVELS_MAX 16

/* One open bracket, or (the first) none. */
struct level {
    char closing; /* what would close it */
    char name[NAME_MAX_BYTES + 1];
    int index; /* of the element, in a list */
    struct config_place place;
};

/* The file being read. */
struct source {
    const char *file;
    const char *at;
    const char *end;
    int line;
};

struct scan {
    struct config_text *text;
    struct source source;
    struct level levels[LEVELS_MAX];
    int depth;
    int includes;
    size_t string_end; /* offset behind the last word, if that was a string; else 0 */
    char *reason;
    size_t size;
};

/* Passes one word on, which begins with c. False with the reason. */
bool config_scan_word(struct scan *scan, char c);
/* Moves from a string's opening quote behind its closing one. */
bool config_scan_skip_string(struct scan *scan);
/* Sets the reason, with the key that is being read; returns false. */
bool config_scan_fail(struct scan *scan, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
#define scan_fail_here(scan, ...) \
    config_scan_fail((scan), (scan)->source.file, (scan)->source.line, __VA_ARGS__)

#endif
