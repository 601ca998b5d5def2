/*
 * Text that came from elsewhere, on its way to a terminal: whatever a server sends, it can't move
 * the cursor, rename the window or hide what was written. Called by everything in `doip` that
 * prints; no state.
 */
#include "terminal.h"

#include <string.h>

static size_t
terminal_length(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        return 2;
    if (first >= 0xe0 && first <= 0xef)
        return 3;
    return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

size_t
terminal_decode(const unsigned char *at, size_t left, unsigned int *code)
{
    static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    static const unsigned int least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = left > 0 ? terminal_length(at[0]) : 0;

    if (length == 0 || length > left)
        return 0;
    *code = at[0] & masks[length];
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (at[i] & 0x3f);
    }
    if (*code < least[length] || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff))
        return 0;
    return length;
}

bool
terminal_is_cut(const unsigned char *at, size_t left)
{
    if (left == 0 || terminal_length(at[0]) <= left)
        return false;
    for (size_t i = 1; i < left; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return false;
    }
    return true;
}

bool
terminal_is_control(unsigned int code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x200e && code <= 0x200f) ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) ||
           code == 0x61c || code == 0xfeff;
}

size_t
terminal_write(FILE *out, const void *text, size_t length, const char *keep, bool more)
{
    const unsigned char *at = text;
    size_t used = 0, size;
    unsigned int code;

    while (used < length) {
        size = terminal_decode(at + used, length - used, &code);
        if (size == 0 && more && terminal_is_cut(at + used, length - used))
            break;
        if (size == 0 || (size == 1 && terminal_is_control(code) &&
                          (code == 0 || strchr(keep, (int)code) == NULL)))
            fprintf(out, "\\x%02x", at[used]);
        else if (size > 1 && terminal_is_control(code))
            fprintf(out, "\\u{%x}", code);
        else
            fwrite(at + used, 1, size, out);
        used += size > 0 ? size : 1;
    }
    return used;
}

void
terminal_write_json(FILE *out, const char *text, size_t length)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t size;
    unsigned int code;

    for (size_t used = 0; used < length; used += size) {
        size = terminal_decode(at + used, length - used, &code);
        if (size == 0)
            size = 1;
        else if (terminal_is_control(code))
            fprintf(out, "\\u%04x", code);
        else
            fwrite(at + used, 1, size, out);
    }
}
