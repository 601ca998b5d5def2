/*
 * What the full-text index knows of an object: the strings and numbers in its id, type and
 * attributes, as one text. Pure, any thread.
 */
#ifndef STORE_WORDS_H
#define STORE_WORDS_H

#include <jansson.h>

/* `attributes` may be NULL. The caller frees it with free(); NULL: memory is short. A change of
 * what this gives needs a new schema version (sql.h). */
char *words_text(const char *id, const char *type, const json_t *attributes);

/* Stands between two strings, as a token of its own: no phrase reaches from one into the next.
 * U+E000, for private use. */
#define WORDS_BETWEEN " \xee\x80\x80 "

#endif
