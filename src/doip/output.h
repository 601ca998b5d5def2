/*
 * What commands print: readable text, or JSON with -j. Nothing a server sends moves the terminal
 * (terminal.h).
 */
#ifndef CLIENT_OUTPUT_H
#define CLIENT_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>

/* A value on stdout: as JSON on one line, or as indented text. */
void output_value(const json_t *value, bool json);

/* Flushes stdout: `status`, or EXIT_USAGE where it could not be written (said). */
int output_end(int status);

#endif
