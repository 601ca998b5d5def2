/*
 * One line of the log, built in place: bounded, escaped, whole. Internal to log.c and its unit
 * test.
 */
#ifndef DOIPD_LOG_LINE_H
#define DOIPD_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* PIPE_BUF: a line of at most that many bytes goes into a pipe whole or not at all. */
#define LOG_LINE_MAX 4096

struct log_line {
    char data[LOG_LINE_MAX];
    size_t used; /* at most LOG_LINE_MAX - 1: the newline always fits */
};

enum log_escape {
    LOG_ESCAPE_TEXT,   /* control characters and invalid UTF-8 as \n, \x1b */
    LOG_ESCAPE_QUOTED, /* the same, and " and \ */
    LOG_ESCAPE_JSON,   /* inside a JSON string */
};

void log_line_add(struct log_line *line, const char *text);
void log_line_number(struct log_line *line, const char *before, uint64_t number);
/* Adds text of which nothing is known, in at most `most` bytes; "..." ends it where that was
 * not enough. */
void log_line_escaped(struct log_line *line, const char *text, enum log_escape how, size_t most);
/* Text as it is where that is one plain word, else in quotes; "-" for NULL. */
void log_line_field(struct log_line *line, const char *name, const char *text, size_t most);
/* `,"name":"text"`, null for NULL. */
void log_line_json(struct log_line *line, const char *name, const char *text, size_t most);

#endif
