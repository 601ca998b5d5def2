/*
 * Objects in the catalog (catalog.h): reading them as JSON, and writing them. In each worker
 * process, from any thread.
 */
#include "catalog.h"

#include <doip/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "words.h"

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

/* A column of JSON text; NULL where it is NULL, or does not parse (latched). */
static json_t *
column_json(struct connection *connection, sqlite3_stmt *statement, int column)
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
        connection_fail(connection, message);
    }
    return value;
}

/* Puts a column of JSON text into `object` as its attributes. */
static bool
column_attributes(struct connection *connection, sqlite3_stmt *statement, int column,
                  json_t *object)
{
    json_t *attributes = column_json(connection, statement, column);

    if (attributes == NULL)
        return !connection->failed;
    return json_object_set_new(object, "attributes", attributes) == 0;
}

static void
column_blob(sqlite3_stmt *statement, int column, struct blob *blob)
{
    memset(blob, 0, sizeof(*blob));
    if (sqlite3_column_bytes(statement, column) == (int)sizeof(blob->sha256))
        memcpy(blob->sha256, sqlite3_column_blob(statement, column), sizeof(blob->sha256));
    blob_name(blob);
}

/* ------------------------------------------------------------------ reading */

enum { OBJECT_NUMBER, OBJECT_ID, OBJECT_TYPE, OBJECT_ATTRIBUTES };
enum { ELEMENT_ID, ELEMENT_TYPE, ELEMENT_ATTRIBUTES, ELEMENT_LENGTH, ELEMENT_SHA256 };

int64_t
catalog_find(struct connection *connection, const char *id)
{
    sqlite3_stmt *statement = connection_query(connection, SQL_FIND, "s", id);
    int64_t number = 0;

    if (connection_step(connection, statement) == 1) {
        number = sqlite3_column_int64(statement, 0);
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
    json_t *element = json_object();
    bool good = element != NULL && column_string(statement, ELEMENT_ID, element, "id") &&
                column_string(statement, ELEMENT_TYPE, element, "type");

    if (good && sqlite3_column_type(statement, ELEMENT_LENGTH) != SQLITE_NULL)
        good =
            json_object_set_new(element, "length",
                                json_integer(sqlite3_column_int64(statement, ELEMENT_LENGTH))) == 0;
    return serialization(connection, element,
                         good &&
                             column_attributes(connection, statement, ELEMENT_ATTRIBUTES, element));
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

json_t *
catalog_object(struct connection *connection, int64_t number)
{
    sqlite3_stmt *statement = connection_query(connection, SQL_OBJECT, "i", number);
    json_t *object;
    bool good;

    if (connection_step(connection, statement) != 1)
        return NULL;
    object = json_object();
    good = object != NULL && column_string(statement, OBJECT_ID, object, "id") &&
           column_string(statement, OBJECT_TYPE, object, "type") &&
           column_attributes(connection, statement, OBJECT_ATTRIBUTES, object);
    sqlite3_reset(statement);
    return serialization(connection, object, good && object_elements(connection, number, object));
}

json_t *
catalog_id(struct connection *connection, int64_t number)
{
    sqlite3_stmt *statement = connection_query(connection, SQL_ID, "i", number);
    json_t *id;

    if (connection_step(connection, statement) != 1)
        return NULL;
    id =
        json_stringn_nocheck(column_text(statement, 0), (size_t)sqlite3_column_bytes(statement, 0));
    sqlite3_reset(statement);
    return serialization(connection, id, true);
}

static void
element_blob(sqlite3_stmt *statement, struct blob *blob)
{
    column_blob(statement, ELEMENT_SHA256, blob);
    blob->length = (uint64_t)sqlite3_column_int64(statement, ELEMENT_LENGTH);
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
        if (grown == NULL ||
            (grown[*count].id = strdup(column_text(statement, ELEMENT_ID))) == NULL)
            connection_fail(connection, "memory is short");
        else
            element_blob(statement, &grown[(*count)++].blob);
    }
    return !connection->failed;
}

void
catalog_data_free(struct catalog_data **list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free((*list)[i].id);
    free(*list);
    *list = NULL;
}

/* ------------------------------------------------------------------ writing */

static int64_t
now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_REALTIME, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* The object's `attributes` as text, the caller's; NULL where it has none. */
static char *
attributes_text(struct connection *connection, const json_t *object)
{
    const json_t *attributes = json_object_get(object, "attributes");
    char *text = NULL;

    if (attributes != NULL && (text = doip_json_text(attributes, NULL)) == NULL)
        connection_fail(connection, "memory is short");
    return text;
}

/* Puts the words of the object, as it stands in the catalog now, into the index, or takes them out.
 */
static void
catalog_words(struct connection *connection, int64_t number, enum sql how)
{
    sqlite3_stmt *statement = connection_query(connection, SQL_OBJECT, "i", number);
    json_t *attributes;
    char *text;

    if (connection_step(connection, statement) != 1)
        return;
    attributes = column_json(connection, statement, OBJECT_ATTRIBUTES);
    text = words_text(column_text(statement, OBJECT_ID), column_text(statement, OBJECT_TYPE),
                      attributes);
    sqlite3_reset(statement);
    if (text == NULL)
        connection_fail(connection, "memory is short");
    connection_run(connection, how, "is", number, text);
    json_decref(attributes);
    free(text);
}

/* Writes one element: what is not given stays as it is. */
static void
catalog_put_element(struct connection *connection, int64_t number, const json_t *element,
                    const json_t *blobs)
{
    const char *id = json_string_value(json_object_get(element, "id"));
    const char *type = json_string_value(json_object_get(element, "type"));
    int64_t blob = json_integer_value(json_object_get(blobs, id));
    char *attributes = attributes_text(connection, element);

    if (connection_run(connection, SQL_ELEMENT_CHANGE, "isssn", number, id, type, attributes,
                       blob) &&
        connection_changes(connection) == 0)
        connection_run(connection, SQL_ELEMENT_ADD, "isssn", number, id, type, attributes, blob);
    free(attributes);
}

static void
catalog_put_elements(struct connection *connection, int64_t number, const json_t *object,
                     const json_t *blobs)
{
    const json_t *elements = json_object_get(object, "elements");
    json_t *element;
    size_t i;

    json_array_foreach(elements, i, element)
        catalog_put_element(connection, number, element, blobs);
}

int64_t
catalog_add(struct connection *connection, const char *id, const json_t *object,
            const json_t *blobs, const char *client)
{
    const char *type = json_string_value(json_object_get(object, "type"));
    char *attributes = attributes_text(connection, object);
    int64_t number = 0;

    if (connection_run(connection, SQL_OBJECT_ADD, "sssis", id, type, attributes, now(), client)) {
        number = connection_rowid(connection);
        catalog_words(connection, number, SQL_WORDS_ADD);
        catalog_put_elements(connection, number, object, blobs);
    }
    free(attributes);
    return number;
}

void
catalog_change(struct connection *connection, int64_t number, const json_t *object,
               const json_t *blobs, const char *client)
{
    const char *type = json_string_value(json_object_get(object, "type"));
    char *attributes = attributes_text(connection, object);
    bool words = type != NULL || attributes != NULL;

    if (words)
        catalog_words(connection, number, SQL_WORDS_REMOVE);
    connection_run(connection, SQL_OBJECT_CHANGE, "issis", number, type, attributes, now(), client);
    if (words)
        catalog_words(connection, number, SQL_WORDS_ADD);
    catalog_put_elements(connection, number, object, blobs);
    free(attributes);
}

void
catalog_remove(struct connection *connection, int64_t number)
{
    catalog_words(connection, number, SQL_WORDS_REMOVE);
    connection_run(connection, SQL_ELEMENTS_REMOVE, "i", number);
    connection_run(connection, SQL_OBJECT_REMOVE, "i", number);
}

/* ------------------------------------------------------------------ blobs */

int64_t
catalog_blob(struct connection *connection, const struct blob *blob)
{
    sqlite3_stmt *statement;
    int64_t number = 0;

    connection_run(connection, SQL_BLOB_ADD, "hi", blob->sha256, (int64_t)blob->length);
    statement = connection_query(connection, SQL_BLOB_FIND, "h", blob->sha256);
    if (connection_step(connection, statement) == 1) {
        number = sqlite3_column_int64(statement, 0);
        sqlite3_reset(statement);
    }
    return number;
}

size_t
catalog_garbage(struct connection *connection, struct catalog_garbage *list, size_t most)
{
    sqlite3_stmt *statement = connection_query(connection, SQL_GARBAGE, "i", (int64_t)most);
    size_t count = 0;

    while (count < most && connection_step(connection, statement) == 1) {
        list[count].number = sqlite3_column_int64(statement, 0);
        column_blob(statement, 1, &list[count++].blob);
    }
    sqlite3_reset(statement);
    return count;
}

void
catalog_forget(struct connection *connection, int64_t number)
{
    connection_run(connection, SQL_BLOB_REMOVE, "i", number);
}
