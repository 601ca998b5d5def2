/*
 * Names for files that a server had a say in. Called by the command `doip` before anything is
 * opened; no state.
 */
#include "names.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "terminal.h"

/* `%` is among them, so that different names stay different. */
static bool
name_must_hide(unsigned int code, bool first)
{
    return code == '/' || code == '\\' || code == '%' || terminal_is_control(code) ||
           (first && (code == '.' || code == '-'));
}

/* The character at `at` (`length` bytes) as it is, or as %XX for each byte. */
static size_t
name_put(char *safe, const unsigned char *at, size_t length, bool hide)
{
    if (!hide) {
        memcpy(safe, at, length);
        return length;
    }
    for (size_t i = 0; i < length; i++)
        snprintf(safe + 3 * i, 4, "%%%02X", at[i]);
    return 3 * length;
}

void
name_safe(const char *name, char safe[NAME_SAFE_MAX + 1])
{
    const unsigned char *at = (const unsigned char *)name;
    size_t left = strlen(name), used = 0, length;
    unsigned int code;
    bool hide;

    while (left > 0) {
        length = terminal_decode(at, left, &code);
        hide = length == 0 || name_must_hide(code, used == 0);
        length = length > 0 ? length : 1;
        if (used + (hide ? 3 * length : length) > NAME_SAFE_MAX)
            break;
        used += name_put(safe + used, at, length, hide);
        at += length;
        left -= length;
    }
    if (used == 0)
        safe[used++] = '_';
    safe[used] = '\0';
}
