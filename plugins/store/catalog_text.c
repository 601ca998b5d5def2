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

/* Times, lengths and versions. */
static void
text_number(struct text *text, const char *name, sqlite3_stmt *row, int column)
{
    sqlite3_int64 value = sqlite3_column_int64(row, column);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    char digits[24], *end = digits + sizeof(digits), *at = end;

    do
        *--at = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (value < 0)
        *--at = '-';
    text_put(name, strlen(name), text);
    text_put(at, (size_t)(end - at), text);
}

/* Nothing where the column is NULL. */
static void
text_string(struct text *text, const char *name, sqlite3_stmt *row, int column)
{
    const char *string = (const char *)sqlite3_column_text(row, column);

    if (string == NULL)
        return;
    text_put(name, strlen(name), text);
    if (doip_json_write_string(string, (size_t)sqlite3_column_bytes(row, column), text_put, text) !=
        0)
        text->failed = true;
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

/* False: they came in another order than theirs. */
static bool
text_listed(struct text *text, struct connection *connection, int64_t number, enum sql which)
{
    sqlite3_stmt *row = connection_query(connection, which, "i", number);
    int64_t last = INT64_MIN;

    while (connection_step(connection, row) == 1) {
        if (sqlite3_column_int64(row, CATALOG_ELEMENT_ORDINAL) < last)
            return false;
        if (last == INT64_MIN)
            text_literal(text, ",\"elements\":[");
        else
            text_literal(text, ",");
        last = sqlite3_column_int64(row, CATALOG_ELEMENT_ORDINAL);
        text_element(text, connection, row);
    }
    if (last != INT64_MIN)
        text_literal(text, "]");
    return true;
}

/* What sorts costs SQLite more than all else here, and few objects have anything to be sorted. */
static void
text_elements(struct text *text, struct connection *connection, int64_t number)
{
    size_t start = text->length;

    if (!text_listed(text, connection, number, SQL_ELEMENTS_UNSORTED)) {
        text->length = start;
        text_listed(text, connection, number, SQL_ELEMENTS);
    }
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
    if (elements && sqlite3_column_int(row, CATALOG_HAS_ELEMENTS) != 0)
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

char *
catalog_id_text(struct connection *connection, sqlite3_stmt *row)
{
    struct text text = {.data = NULL};

    text_string(&text, "", row, CATALOG_ID);
    return text_end(&text, connection);
}
