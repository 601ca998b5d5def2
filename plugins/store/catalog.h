/*
 * The catalog: what objects there are, and what they point to. Every call works on a connection
 * inside a transaction and latches failures there (connection.h). Only repository.c and its kin
 * (whole.c, results.c, sweep.c) and the tool (tool/) call it.
 */
#ifndef STORE_CATALOG_H
#define STORE_CATALOG_H

#include "blobs.h"
#include "connection.h"

/* What the store keeps among the attributes of every object, and of every element with data. What
 * clients send there is passed over. */
#define CATALOG_METADATA "metadata"
#define CATALOG_DIGEST "sha256"

/* The columns of SQL_OBJECT_COLUMNS; the last is in SQL_OBJECT_WHOLE only. */
enum {
    CATALOG_NUMBER,
    CATALOG_ID,
    CATALOG_TYPE,
    CATALOG_ATTRIBUTES,
    CATALOG_VERSION,
    CATALOG_CREATED_ON,
    CATALOG_CREATED_BY,
    CATALOG_MODIFIED_ON,
    CATALOG_MODIFIED_BY,
    CATALOG_HAS_ELEMENTS
};

/* The columns of SQL_ELEMENT_COLUMNS. */
enum {
    CATALOG_ELEMENT_ID,
    CATALOG_ELEMENT_TYPE,
    CATALOG_ELEMENT_ATTRIBUTES,
    CATALOG_ELEMENT_LENGTH,
    CATALOG_ELEMENT_SHA256,
    CATALOG_ELEMENT_BLOB,
    CATALOG_ELEMENT_ORDINAL
};

/* A column of JSON text; NULL where it is NULL, or does not parse (latched). */
json_t *catalog_json(struct connection *connection, sqlite3_stmt *statement, int column);
/* Sets the SHA-256 and the name of *blob from a column, all else to zero. */
void catalog_sha256(sqlite3_stmt *statement, int column, struct blob *blob);

/* The number of the object and its version; 0 where there is none (or the connection failed). */
int64_t catalog_find(struct connection *connection, const char *id, int64_t *version);

/* The object's row (the columns above), until it is reset or the transaction ends; NULL where there
 * is none (or failed). */
sqlite3_stmt *catalog_row(struct connection *connection, const char *id);
sqlite3_stmt *catalog_row_numbered(struct connection *connection, int64_t number);
/* What decides about who may, borrowed from the row and from *attributes, which is the caller's. */
struct acl_object catalog_acl(struct connection *connection, sqlite3_stmt *row,
                              json_t **attributes);
/* The default serialization of the object in a row, with its elements or without, or of the element
 * in one: JSON text, the caller's; NULL: failed. It is not looked at whether what is kept as text is
 * whole: who reads or sends it must. */
char *catalog_text(struct connection *connection, sqlite3_stmt *row, bool elements);
char *catalog_element_text(struct connection *connection, sqlite3_stmt *row);
/* The id of the object in a row, likewise. */
char *catalog_id_text(struct connection *connection, sqlite3_stmt *row);

/* The same as a tree, a new reference; NULL where there is none (or failed). */
json_t *catalog_object(struct connection *connection, int64_t number);
/* The same without its elements. */
json_t *catalog_head(struct connection *connection, int64_t number);
/* One element, as it stands in the object: likewise. *data: it has data, *blob is it. */
json_t *catalog_element(struct connection *connection, int64_t number, const char *id, bool *data,
                        struct blob *blob);

/* The elements that have data. */
struct catalog_data {
    char *id;
    char *type; /* NULL: none */
    struct blob blob;
};
bool catalog_data(struct connection *connection, int64_t number, struct catalog_data **list,
                  size_t *count);
void catalog_data_free(struct catalog_data **list, size_t count);

/* A new object, which is told when that is, or what `object` gives to the one of that number.
 * `blobs` maps element ids to numbers of catalog_blob(), with a use for each; what an element takes
 * leaves it. `drop` (may be NULL) lists ids of elements to be removed first. */
void catalog_add(struct connection *connection, const char *id, const json_t *object, json_t *blobs,
                 const char *client, int64_t *time);
void catalog_change(struct connection *connection, int64_t number, const json_t *object,
                    json_t *blobs, const json_t *drop, const char *client);
void catalog_remove(struct connection *connection, int64_t number);

/* The bytes staged for an element; NULL: none. */
typedef const struct blob *(*catalog_staged)(const char *element, void *closure);
/* What catalog_object() gives for an object that was made so, a new reference. */
json_t *catalog_made(struct connection *connection, const char *id, const json_t *given,
                     int64_t time, const char *client, catalog_staged staged, void *closure);

/* The number of those bytes, with one use more (`use`): they are garbage where they have none. They
 * are kept here where `data` gives them, else they are a file. */
int64_t catalog_blob(struct connection *connection, const struct blob *blob, const char *data,
                     bool use);
/* So many uses more. */
void catalog_use(struct connection *connection, int64_t blob, int64_t more);
/* The length of all bytes together, each counted once. */
uint64_t catalog_usage(struct connection *connection);
/* The length of the object's elements, without those whose ids `besides` says. */
uint64_t catalog_length(struct connection *connection, int64_t number,
                        bool (*besides)(const char *id, void *closure), void *closure);
/* Bytes that are kept here, the caller's; NULL: they are a file (or the connection failed). */
char *catalog_small(struct connection *connection, const struct blob *blob);
/* Bytes that nothing points to: how many of `most` there were. */
struct catalog_garbage {
    struct blob blob;
    bool small; /* they are in the catalog, and may be a file, too */
};
size_t catalog_garbage(struct connection *connection, struct catalog_garbage *list, size_t most);
void catalog_forget(struct connection *connection, const struct catalog_garbage *garbage);

/* Takes the number of an object that was found; 0 to go on. */
typedef int (*catalog_found)(int64_t number, void *closure);

/* What is asked, and by whom. */
struct catalog_asking {
    const struct query *query;
    const struct repository_page *page;
    const struct acl_rules *rules;
    const struct acl_client *client; /* NULL: one who may read everything */
};

/* On a connection to the index: how many objects match of those that the client may read; those of
 * the page go to `found` (listing.c). OK, REFUSED, or FAILED when it failed or `found` did. */
int catalog_search(struct connection *connection, const struct catalog_asking *asking,
                   catalog_found found, void *closure, uint64_t *size, struct failure *failure);

#endif
