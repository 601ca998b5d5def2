/*
 * Names for files that a server had a say in.
 */
#ifndef CLIENT_NAMES_H
#define CLIENT_NAMES_H

#include <stddef.h>

enum { NAME_SAFE_MAX = 200 };

/*
 * `name` as a single path component that is neither hidden nor special nor an option, and shows
 * nothing strange: 1 to NAME_SAFE_MAX bytes and a NUL. Bytes that can't stay become %XX; names that
 * differ give names that differ, up to that length.
 */
void name_safe(const char *name, char safe[NAME_SAFE_MAX + 1]);

#endif
