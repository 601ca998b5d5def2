/*
 * Text of unknown origin looked at, and made fit to be passed on: messages that printf cut inside a
 * character, reasons that quote what a peer sent. Called by the rest of libdoip only; pure functions, in any
 * process and thread.
 */
#include "text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* How many bytes the character that begins with `lead` has, 0 for a byte that can't begin one. */
static size_t
character_size(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/* True when `second` may follow `lead`: what keeps overlong forms, surrogates and what lies beyond
 * U+10FFFF out. */
static bool
second_fits(unsigned char lead, unsigned char second)
{
    unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;

    return second >= low && second <= high;
}

/* Bytes at `text` that are a character's or its beginning, at most `left`; *whole says which. 0 for
 * junk. */
static size_t
character_prefix(const char *text, size_t left, bool *whole)
{
    const unsigned char *byte = (const unsigned char *)text;
    size_t size = left > 0 ? character_size(byte[0]) : 0;
    size_t i = 1;

    *whole = false;
    if (size == 0 || (size > 1 && left > 1 && !second_fits(byte[0], byte[1])))
        return 0;
    while (i < size && i < left && (byte[i] & 0xc0) == 0x80)
        i++;
    *whole = i == size;
    return *whole || i == left ? i : 0;
}

size_t
text_character(const char *text, size_t left)
{
    bool whole;
    size_t size = character_prefix(text, left, &whole);

    return whole ? size : 0;
}

size_t
text_run(const char *text, size_t length, bool *valid)
{
    size_t run = 0;

    for (;;) {
        run += text_plain(text + run, length - run);
        if (run == length || (unsigned char)text[run] < 0x80)
            return run;
        size_t size = text_character(text + run, length - run);
        if (size == 0) {
            *valid = false;
            return run;
        }
        run += size;
    }
}

void
text_make_valid(char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        bool whole;
        size_t size = character_prefix(text, left, &whole);

        if (size > 0 && !whole) {
            *text = '\0';
            return;
        }
        if (size == 0) {
            *text = '?';
            size = 1;
        }
        text += size;
        left -= size;
    }
}

void
text_make_printable(char *text)
{
    text_make_valid(text);
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}
