/*
 * Objects in the catalog as JSON text (catalog.h). What is kept as text goes out as it is: making
 * trees of attributes, and text of them again, would be most of the cost of a Retrieve. In each
 * worker process, from any thread.
 */
#include <doip/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"

/* ------------------------------------------------------------------ text that grows */

struct text {
    char *data;
    size_t length;
    size_t size;
    bool failed; /* memory is short, or what should be written is no text */
};

/* Keeps a byte free for the end. */
static int
text_put(const char *data, size_t length, void *closure)
{
    struct text *text = closure;

    if (length >= text->size - text->length) {
        size_t size = 2 * text->size + length + 512;
        char *larger = realloc(text->data, size);

        if (larger == NULL) {
            text->failed = true;
            return -1;
        }
        text->data = larger;
        text->size = size;
    }
    memcpy(text->data + text->length, data, length);
    text->length += length;
    return 0;
}

#define text_literal(text, literal) text_put(literal, sizeof(literal) - 1, text)

/* The value is taken over. */
static void
text_value(struct text *text, json_t *value)
{
    if (doip_json_write(value, text_put, text) != 0)
        text->failed = true;
    json_decref(value);
}

static void
text_number(struct text *text, const char *name, sqlite3_stmt *row, int column)
{
    text_put(name, strlen(name), text);
    text_value(text, json_integer(sqlite3_column_int64(row, column)));
}

/* Nothing where the column is NULL. */
static void
text_string(struct text *text, const char *name, sqlite3_stmt *row, int column)
{
    const char *string = (const char *)sqlite3_column_text(row, column);

    if (string == NULL)
        return;
    text_put(name, strlen(name), text);
    text_value(text, json_stringn(string, (size_t)sqlite3_column_bytes(row, column)));
}

/* ------------------------------------------------------------------ attributes */

/* Names of what the store keeps among attributes, as they stand in text. */
#define QUOTED_METADATA "\"" CATALOG_METADATA "\""
#define QUOTED_DIGEST "\"" CATALOG_DIGEST "\""

/* The attributes in a column as they are to be sent, the caller's, where they have one of the
 * store's name. NULL: damaged (latched). */
static char *
attributes_again(struct connection *connection, sqlite3_stmt *row, int column, const char *quoted,
                 size_t *length)
{
    json_t *attributes = catalog_json(connection, row, column);
    char *text = NULL;

    if (attributes != NULL) {
        json_object_deln(attributes, quoted + 1, strlen(quoted) - 2);
        text = doip_json_text(attributes, length);
    }
    if (text == NULL)
        connection_fail(connection, "memory is short");
    json_decref(attributes);
    return text;
}

/* Writes the attributes in a column but for their closing brace, as one may follow that the store
 * keeps, which has the name `quoted`: true when a comma must come before it. */
static bool
text_attributes(struct text *text, struct connection *connection, sqlite3_stmt *row, int column,
                const char *quoted)
{
    const char *stored = (const char *)sqlite3_column_text(row, column);
    size_t length = (size_t)sqlite3_column_bytes(row, column);
    char *fresh = NULL;

    if (stored == NULL) {
        stored = "{}";
        length = 2;
    } else if (strstr(stored, quoted) != NULL) {
        stored = fresh = attributes_again(connection, row, column, quoted, &length);
    }
    if (stored != NULL && length >= 2)
        text_put(stored, length - 1, text);
    else
        text->failed = true;
    free(fresh);
    return length > 2;
}

/* What the store itself knows of the object. */
static void
text_metadata(struct text *text, sqlite3_stmt *row)
{
    text_literal(text, QUOTED_METADATA);
    text_number(text, ":{\"createdOn\":", row, CATALOG_CREATED_ON);
    text_string(text, ",\"createdBy\":", row, CATALOG_CREATED_BY);
    text_number(text, ",\"modifiedOn\":", row, CATALOG_MODIFIED_ON);
    text_string(text, ",\"modifiedBy\":", row, CATALOG_MODIFIED_BY);
    text_number(text, ",\"version\":", row, CATALOG_VERSION);
    text_literal(text, "}");
}

static void
text_digest(struct text *text, sqlite3_stmt *row)
{
    struct blob blob;

    catalog_sha256(row, CATALOG_ELEMENT_SHA256, &blob);
    text_literal(text, QUOTED_DIGEST ":\"");
    text_put(blob.name, strlen(blob.name), text);
    text_literal(text, "\"");
}

/* ------------------------------------------------------------------ objects and elements */

static void
text_element(struct text *text, struct connection *connection, sqlite3_stmt *row)
{
    bool data = sqlite3_column_type(row, CATALOG_ELEMENT_LENGTH) != SQLITE_NULL;

    text_string(text, "{\"id\":", row, CATALOG_ELEMENT_ID);
    text_string(text, ",\"type\":", row, CATALOG_ELEMENT_TYPE);
    if (data)
        text_number(text, ",\"length\":", row, CATALOG_ELEMENT_LENGTH);
    if (data || sqlite3_column_type(row, CATALOG_ELEMENT_ATTRIBUTES) != SQLITE_NULL) {
        text_literal(text, ",\"attributes\":");
        if (text_attributes(text, connection, row, CATALOG_ELEMENT_ATTRIBUTES, QUOTED_DIGEST) &&
            data)
            text_literal(text, ",");
        if (data)
            text_digest(text, row);
        text_literal(text, "}");
    }
    text_literal(text, "}");
}

static void
text_elements(struct text *text, struct connection *connection, int64_t number)
{
    sqlite3_stmt *row = connection_query(connection, SQL_ELEMENTS, "i", number);
    bool some = false;

    while (connection_step(connection, row) == 1) {
        if (some)
            text_literal(text, ",");
        else
            text_literal(text, ",\"elements\":[");
        text_element(text, connection, row);
        some = true;
    }
    if (some)
        text_literal(text, "]");
}

/* What was written, the caller's; NULL: failed. */
static char *
text_end(struct text *text, struct connection *connection)
{
    if (text->failed)
        connection_fail(connection, "an object is damaged in the catalog, or memory is short");
    if (text->failed || connection->failed) {
        free(text->data);
        return NULL;
    }
    text->data[text->length] = '\0';
    return text->data;
}

char *
catalog_text(struct connection *connection, sqlite3_stmt *row, bool elements)
{
    struct text text = {.data = NULL};

    text_string(&text, "{\"id\":", row, CATALOG_ID);
    text_string(&text, ",\"type\":", row, CATALOG_TYPE);
    text_literal(&text, ",\"attributes\":");
    if (text_attributes(&text, connection, row, CATALOG_ATTRIBUTES, QUOTED_METADATA))
        text_literal(&text, ",");
    text_metadata(&text, row);
    text_literal(&text, "}");
    if (elements)
        text_elements(&text, connection, sqlite3_column_int64(row, CATALOG_NUMBER));
    text_literal(&text, "}");
    return text_end(&text, connection);
}

char *
catalog_element_text(struct connection *connection, sqlite3_stmt *row)
{
    struct text text = {.data = NULL};

    text_element(&text, connection, row);
    return text_end(&text, connection);
}
