/*
 * Text that came from elsewhere, on its way to a terminal.
 */
#ifndef CLIENT_TERMINAL_H
#define CLIENT_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* The UTF-8 character at `at`: its length with *code set; 0 where there is none (broken, or cut off
 * at the end). */
size_t terminal_decode(const unsigned char *at, size_t left, unsigned int *code);

/* True where the bytes at `at` begin a character that more bytes could complete. */
bool terminal_is_cut(const unsigned char *at, size_t left);

/* True for what must not reach a terminal: C0 and C1 controls, DEL, and what reverses the direction
 * of writing. */
bool terminal_is_control(unsigned int code);

/*
 * Writes text with control characters as \xNN or \u{N}, but those in `keep` ("\n\t"). Returns the
 * bytes used: all, but for a character cut off at the end where `more` says that text follows.
 */
size_t terminal_write(FILE *out, const void *text, size_t length, const char *keep, bool more);

/* JSON text, whose only dangerous characters stand inside strings: they become \uNNNN, so that it
 * stays the same JSON. */
void terminal_write_json(FILE *out, const char *text, size_t length);

#endif
