/*
 * What makes objects findable: their words, and the values in their attributes. catalog_write.c
 * keeps it, schema.c fills it anew, listing.c asks for pointers. On a connection inside a
 * transaction; failures are latched there.
 */
#ifndef STORE_CATALOG_INDEX_H
#define STORE_CATALOG_INDEX_H

#include "connection.h"

/* Strings are kept up to this length for ranges and sorting. */
#define INDEX_TEXT_MAX 200

/* The object as it stands in the catalog, or is about to. `attributes` may be NULL. */
struct index_object {
    int64_t number;
    const char *id;
    const char *type;
    const json_t *attributes;
};

void index_add(struct connection *connection, const struct index_object *object);
void index_remove(struct connection *connection, const struct index_object *object);
/* The number of a pointer, 0 where no object ever had it. */
int64_t index_path(struct connection *connection, const char *pointer);
/* Fills it from the objects that there are. */
void index_fill(struct connection *connection);

#endif
