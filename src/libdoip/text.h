/*
 * Text of unknown origin, looked at and made fit to be passed on. Internal to libdoip; pure functions, any thread.
 */
#ifndef DOIP_TEXT_H
#define DOIP_TEXT_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes of the UTF-8 character at `text` (1 to 4), 0 where there is none: overlong forms and
 * surrogates are none. */
size_t text_character(const char *text, size_t left);

/* Sixteen bytes are looked at together: this is where most of a small answer's text goes through. */
enum { TEXT_STEP = 16, TEXT_HALF = sizeof(uint64_t) };
typedef signed char text_bytes __attribute__((vector_size(TEXT_STEP)));

/* How many of the sixteen bytes at `text` are plain before the first that is not. */
static inline size_t
text_plain_of_step(const char *text)
{
    uint64_t odd[TEXT_STEP / TEXT_HALF];
    text_bytes each;

    memcpy(&each, text, sizeof each);
    /* Bytes from 0x80 on are negative. */
    each = (each < 0x20) | (each == '"') | (each == '\\');
    memcpy(odd, &each, sizeof odd);
    if (odd[0] != 0)
        return (size_t)__builtin_ctzll(le64toh(odd[0])) / 8;
    return odd[1] != 0 ? TEXT_HALF + (size_t)__builtin_ctzll(le64toh(odd[1])) / 8 : TEXT_STEP;
}

/* Bytes at `text` that JSON has in strings as they are, and that are ASCII: up to the first control
 * character, quote, backslash or byte from 0x80 on. */
static inline size_t
text_plain(const char *text, size_t length)
{
    char last[TEXT_STEP] = {0};
    size_t run = 0, step = TEXT_STEP;

    for (; step == TEXT_STEP && length - run >= TEXT_STEP; run += step)
        step = text_plain_of_step(text + run);
    if (step < TEXT_STEP)
        return run;
    /* The zeros behind the rest are not plain. */
    memcpy(last, text + run, length - run);
    return run + text_plain_of_step(last);
}

/* The same, with all of UTF-8; *valid becomes false where it ends in what is none. */
size_t text_run(const char *text, size_t length, bool *valid);

/* Makes `text` valid UTF-8 in place: a byte that belongs to no character becomes '?', a character
 * cut off by the end goes. */
void text_make_valid(char *text);

/* The same, and control characters become '?' too: for texts that quote a peer's bytes. */
void text_make_printable(char *text);

#endif
