/*
 * Objects in the catalog (catalog.h): reading them as JSON. In each worker process, from any
 * thread.
 */
#include "catalog.h"

#include <doip/json.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ columns */

static const char *
column_text(sqlite3_stmt *statement, int column)
{
    return (const char *)sqlite3_column_text(statement, column);
}

/* Puts a text column into `object` under `key`, unless it is NULL. */
static bool
column_string(sqlite3_stmt *statement, int column, json_t *object, const char *key)
{
    const char *text = column_text(statement, column);

    return text == NULL ||
           json_object_set_new(
               object, key,
               json_stringn_nocheck(text, (size_t)sqlite3_column_bytes(statement, column))) == 0;
}

json_t *
catalog_json(struct connection *connection, sqlite3_stmt *statement, int column)
{
    const char *text = column_text(statement, column);
    char reason[128], message[256];
    json_t *value;

    if (text == NULL)
        return NULL;
    value = doip_json_parse(text, (size_t)sqlite3_column_bytes(statement, column), reason,
                            sizeof(reason));
    if (value == NULL) {
        snprintf(message, sizeof(message), "attributes of an object are damaged: %s", reason);
        connection_fail(connection, errno == ENOMEM ? "memory is short" : message);
    }
    return value;
}

/* Puts a column of JSON text into `object` as its attributes, with one more that the store keeps
 * (`value` is taken over; NULL: none). */
static bool
column_attributes(struct connection *connection, sqlite3_stmt *statement, int column,
                  json_t *object, const char *key, json_t *value)
{
    json_t *attributes = catalog_json(connection, statement, column);

    if (attributes == NULL && value == NULL)
        return !connection->failed;
    if (attributes == NULL)
        attributes = json_object();
    if (value != NULL && json_object_set_new(attributes, key, value) != 0) {
        json_decref(attributes);
        return false;
    }
    return json_object_set_new(object, "attributes", attributes) == 0;
}

void
catalog_sha256(sqlite3_stmt *statement, int column, struct blob *blob)
{
    memset(blob, 0, sizeof(*blob));
    if (sqlite3_column_bytes(statement, column) == (int)sizeof(blob->sha256))
        memcpy(blob->sha256, sqlite3_column_blob(statement, column), sizeof(blob->sha256));
    blob_name(blob);
}

/* ------------------------------------------------------------------ reading */

enum { ELEMENT_ID, ELEMENT_TYPE, ELEMENT_ATTRIBUTES, ELEMENT_LENGTH, ELEMENT_SHA256, ELEMENT_BLOB };

int64_t
catalog_find(struct connection *connection, const char *id, int64_t *version)
{
    sqlite3_stmt *statement = connection_query(connection, SQL_FIND, "s", id);
    int64_t number = 0;

    if (connection_step(connection, statement) == 1) {
        number = sqlite3_column_int64(statement, 0);
        *version = sqlite3_column_int64(statement, 1);
        sqlite3_reset(statement);
    }
    return number;
}

/* Gives what a serialization that could not be finished leaves: NULL, and a reason. */
static json_t *
serialization(struct connection *connection, json_t *value, bool good)
{
    if (good && value != NULL)
        return value;
    connection_fail(connection, "memory is short");
    json_decref(value);
    return NULL;
}

static json_t *
element_json(struct connection *connection, sqlite3_stmt *statement)
{
    json_t *element = json_object(), *digest = NULL;
    bool good = element != NULL && column_string(statement, ELEMENT_ID, element, "id") &&
                column_string(statement, ELEMENT_TYPE, element, "type");

    if (good && sqlite3_column_type(statement, ELEMENT_LENGTH) != SQLITE_NULL) {
        struct blob blob;

        catalog_sha256(statement, ELEMENT_SHA256, &blob);
        digest = json_string(blob.name);
        good =
            digest != NULL &&
            json_object_set_new(element, "length",
                                json_integer(sqlite3_column_int64(statement, ELEMENT_LENGTH))) == 0;
    }
    if (good)
        good = column_attributes(connection, statement, ELEMENT_ATTRIBUTES, element, CATALOG_DIGEST,
                                 digest);
    else
        json_decref(digest);
    return serialization(connection, element, good);
}

static bool
object_elements(struct connection *connection, int64_t number, json_t *object)
{
    sqlite3_stmt *statement = connection_query(connection, SQL_ELEMENTS, "i", number);
    json_t *elements = json_array();
    int row;

    while ((row = connection_step(connection, statement)) == 1) {
        if (json_array_append_new(elements, element_json(connection, statement)) != 0)
            connection_fail(connection, "memory is short");
    }
    if (row == 0 && json_array_size(elements) > 0)
        return json_object_set_new(object, "elements", elements) == 0;
    json_decref(elements);
    return row == 0;
}

/* What the store itself knows of the object; NULL: memory is short. */
static json_t *
object_metadata(sqlite3_stmt *statement)
{
    json_t *metadata = json_object();

    if (json_object_set_new(metadata, "createdOn",
                            json_integer(sqlite3_column_int64(statement, CATALOG_CREATED_ON))) ==
            0 &&
        column_string(statement, CATALOG_CREATED_BY, metadata, "createdBy") &&
        json_object_set_new(metadata, "modifiedOn",
                            json_integer(sqlite3_column_int64(statement, CATALOG_MODIFIED_ON))) ==
            0 &&
        column_string(statement, CATALOG_MODIFIED_BY, metadata, "modifiedBy") &&
        json_object_set_new(metadata, "version",
                            json_integer(sqlite3_column_int64(statement, CATALOG_VERSION))) == 0)
        return metadata;
    json_decref(metadata);
    return NULL;
}

static bool
object_attributes(struct connection *connection, sqlite3_stmt *statement, json_t *object)
{
    json_t *metadata = object_metadata(statement);

    return metadata != NULL && column_attributes(connection, statement, CATALOG_ATTRIBUTES, object,
                                                 CATALOG_METADATA, metadata);
}

json_t *
catalog_head(struct connection *connection, int64_t number)
{
    sqlite3_stmt *statement = connection_query(connection, SQL_OBJECT, "i", number);
    json_t *object;
    bool good;

    if (connection_step(connection, statement) != 1)
        return NULL;
    object = json_object();
    good = object != NULL && column_string(statement, CATALOG_ID, object, "id") &&
           column_string(statement, CATALOG_TYPE, object, "type") &&
           object_attributes(connection, statement, object);
    sqlite3_reset(statement);
    return serialization(connection, object, good);
}

json_t *
catalog_object(struct connection *connection, int64_t number)
{
    json_t *object = catalog_head(connection, number);

    return object == NULL
               ? NULL
               : serialization(connection, object, object_elements(connection, number, object));
}

static void
element_blob(sqlite3_stmt *statement, struct blob *blob)
{
    catalog_sha256(statement, ELEMENT_SHA256, blob);
    blob->length = (uint64_t)sqlite3_column_int64(statement, ELEMENT_LENGTH);
    blob->number = sqlite3_column_int64(statement, ELEMENT_BLOB);
}

json_t *
catalog_element(struct connection *connection, int64_t number, const char *id, bool *data,
                struct blob *blob)
{
    sqlite3_stmt *statement = connection_query(connection, SQL_ELEMENT, "is", number, id);
    json_t *element;

    if (connection_step(connection, statement) != 1)
        return NULL;
    element = element_json(connection, statement);
    *data = sqlite3_column_type(statement, ELEMENT_SHA256) != SQLITE_NULL;
    element_blob(statement, blob);
    sqlite3_reset(statement);
    return element;
}

static bool
data_named(sqlite3_stmt *statement, struct catalog_data *data)
{
    const char *type = column_text(statement, ELEMENT_TYPE);

    data->id = strdup(column_text(statement, ELEMENT_ID));
    data->type = type == NULL ? NULL : strdup(type);
    if (data->id != NULL && (type == NULL || data->type != NULL))
        return true;
    free(data->id);
    free(data->type);
    return false;
}

bool
catalog_data(struct connection *connection, int64_t number, struct catalog_data **list,
             size_t *count)
{
    sqlite3_stmt *statement = connection_query(connection, SQL_ELEMENTS, "i", number);

    *list = NULL;
    *count = 0;
    while (connection_step(connection, statement) == 1) {
        struct catalog_data *grown;

        if (sqlite3_column_type(statement, ELEMENT_SHA256) == SQLITE_NULL)
            continue;
        grown = realloc(*list, (*count + 1) * sizeof(**list));
        if (grown != NULL)
            *list = grown;
        if (grown == NULL || !data_named(statement, &grown[*count]))
            connection_fail(connection, "memory is short");
        else
            element_blob(statement, &grown[(*count)++].blob);
    }
    return !connection->failed;
}

void
catalog_data_free(struct catalog_data **list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free((*list)[i].id);
        free((*list)[i].type);
    }
    free(*list);
    *list = NULL;
}

/* ------------------------------------------------------------------ sizes */

uint64_t
catalog_usage(struct connection *connection)
{
    sqlite3_stmt *statement = connection_query(connection, SQL_USAGE, "");
    uint64_t bytes = 0;

    if (connection_step(connection, statement) == 1) {
        bytes = (uint64_t)sqlite3_column_int64(statement, 0);
        sqlite3_reset(statement);
    }
    return bytes;
}

uint64_t
catalog_length(struct connection *connection, int64_t number,
               bool (*besides)(const char *id, void *closure), void *closure)
{
    sqlite3_stmt *statement = connection_query(connection, SQL_ELEMENTS, "i", number);
    uint64_t length = 0;

    while (connection_step(connection, statement) == 1) {
        if (!besides(column_text(statement, ELEMENT_ID), closure))
            length += (uint64_t)sqlite3_column_int64(statement, ELEMENT_LENGTH);
    }
    return length;
}
