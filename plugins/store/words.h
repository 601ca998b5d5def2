/*
 * What the full-text index knows of an object: its words, as one text. The words of its id, type
 * and attributes (strings and numbers); and again, each with a mark of where it stands, those of
 * every string, number and boolean in the attributes. Any thread, one tokenizer each.
 *
 * A change of what this gives needs a new SQL_INDEX_VERSION (sql.h).
 */
#ifndef STORE_WORDS_H
#define STORE_WORDS_H

#include <jansson.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Stands between two strings, as a token of its own: no phrase reaches from one into the next.
 * U+E000, for private use. */
#define WORDS_BETWEEN " \xee\x80\x80 "
/* A mark is the number of a pointer between two of these. U+E001. */
#define WORDS_MARK "\xee\x80\x81"
/* A token that no text has. U+E002. */
#define WORDS_NOTHING "\xee\x80\x82"

enum { WORDS_MARK_SIZE = 32 };
void words_mark(char mark[WORDS_MARK_SIZE], int64_t path);

/* Makes of a text what the index makes of it: lower case, without accents, cut into tokens. */
struct tokenizer;

/* NULL: SQLite can't do it. */
struct tokenizer *tokenizer_new(sqlite3 *handle);
void tokenizer_free(struct tokenizer **tokenizer);
/* Calls `found` with each token; false when that did, or memory is short. */
bool tokenizer_run(struct tokenizer *tokenizer, const char *text,
                   bool (*found)(const char *token, size_t size, void *closure), void *closure);

/* A value at a place in the attributes, as the catalog keeps it. */
struct field_value {
    const char *pointer; /* below attributes; array indexes as "_" */
    const json_t *value; /* a string, number or boolean */
};

/* Calls `found` with every string, number and boolean in the attributes; false when that did, or
 * memory is short. */
bool fields_walk(const json_t *attributes,
                 bool (*found)(const struct field_value *field, void *closure), void *closure);

/* Writes the words of a value: plain, and (with a tokenizer) marked. */
void words_plain(FILE *file, const json_t *value);
void words_marked(FILE *file, const json_t *value, const char *mark, struct tokenizer *tokenizer);

#endif
