/*
 * Reals as JSON writes them. Internal to libdoip; pure, any thread.
 */
#ifndef DOIP_JSON_REAL_H
#define DOIP_JSON_REAL_H

#include <stddef.h>

#define JSON_REAL_SIZE 40

/*
 * Writes the shortest decimal that reads back as `value`, and of several the nearest to it; with
 * '.' or 'e' in it, so that it stays a real. The same in every locale. Returns the length, without
 * a NUL; 0 for what JSON can't say (infinite, not a number).
 */
size_t json_real_text(double value, char text[JSON_REAL_SIZE]);

#endif
