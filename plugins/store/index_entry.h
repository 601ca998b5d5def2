/*
 * What makes an object findable: its row, its words, and the values in its attributes. index_fill.c
 * keeps it, listing.c asks for pointers. On a connection to the index inside a transaction;
 * failures are latched there.
 */
#ifndef STORE_INDEX_ENTRY_H
#define STORE_INDEX_ENTRY_H

#include "connection.h"

/* The columns of SQL_INDEX_STATE. */
enum { INDEX_NUMBER, INDEX_CHANGE, INDEX_CATALOG, INDEX_ENTRIES, INDEX_TEXT };

/* Strings are kept up to this length for ranges and sorting. */
#define ENTRY_TEXT_MAX 200

/* Takes in the object of the row at hand (SQL_OBJECT_COLUMNS), with its attributes, and more text;
 * both may be NULL. */
void entry_add(struct connection *connection, sqlite3_stmt *row, const json_t *attributes,
               const char *more);
/* Takes it out; false: it was not in. */
bool entry_remove(struct connection *connection, int64_t number);
/* The number of a pointer, 0 where no object ever had it. */
int64_t entry_path(struct connection *connection, const char *pointer);

#endif
