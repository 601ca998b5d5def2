/*
 * The parsers for what is written on the command line. Each gives false with a reason for the user.
 */
#ifndef CLIENT_ARGUMENTS_H
#define CLIENT_ARGUMENTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ARGUMENT_HOST_MAX = 256 };

/* HOST, HOST:PORT, [ADDRESS], [ADDRESS]:PORT or a bare IPv6 address; *port stays where none is
 * given. */
bool argument_server(const char *text, char host[ARGUMENT_HOST_MAX], int *port, char *reason,
                     size_t size);

/* ID=FILE[;type=MIME], cut at the first `=` and the last `;type=`. */
typedef struct argument_element {
    char *id;
    char *file; /* "-": standard input */
    char *type; /* NULL where not given */
} argument_element;

bool argument_element_parse(const char *text, argument_element *element, char *reason, size_t size);
void argument_element_fini(argument_element *element);

/* A-B, A- or -B, both ends inclusive; -1 for one that is missing. */
bool argument_range(const char *text, int64_t *start, int64_t *end, char *reason, size_t size);

/* Digits only, up to `most`. */
bool argument_number(const char *text, int64_t most, int64_t *number, char *reason, size_t size);

/* 64 hex digits in either case, maybe with colons between, as lower-case digits without. */
bool argument_pin(const char *text, char pin[65], char *reason, size_t size);

/* JSON, or @FILE holding JSON (@-: standard input). NULL with the reason. */
json_t *argument_json(const char *text, char *reason, size_t size);

/* The first line of a file ("-": standard input), for a password or token. The caller frees it;
 * NULL with the reason. */
char *argument_secret(const char *path, char *reason, size_t size);

#endif
