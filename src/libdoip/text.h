/*
 * Text of unknown origin, looked at and made fit to be passed on. Internal to libdoip; pure functions, any thread.
 */
#ifndef DOIP_TEXT_H
#define DOIP_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the UTF-8 character at `text` (1 to 4), 0 where there is none: overlong forms and
 * surrogates are none. */
size_t text_character(const char *text, size_t left);

/* Bytes at `text` that JSON has in strings as they are, and that are ASCII: up to the first control
 * character, quote, backslash or byte from 0x80 on. */
size_t text_plain(const char *text, size_t length);
/* The same, with all of UTF-8; *valid becomes false where it ends in what is none. */
size_t text_run(const char *text, size_t length, bool *valid);

/* Makes `text` valid UTF-8 in place: a byte that belongs to no character becomes '?', a character
 * cut off by the end goes. */
void text_make_valid(char *text);

/* The same, and control characters become '?' too: for texts that quote a peer's bytes. */
void text_make_printable(char *text);

#endif
