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

/* NULL where it does not parse (latched). */
static json_t *
catalog_parse(struct connection *connection, const char *text, size_t length)
{
    char reason[128], message[256];
    json_t *value = doip_json_parse(text, length, reason, sizeof(reason));

    if (value == NULL) {
        snprintf(message, sizeof(message), "attributes of an object are damaged: %s", reason);
        connection_fail(connection, errno == ENOMEM ? "memory is short" : message);
    }
    return value;
}

json_t *
catalog_json(struct connection *connection, sqlite3_stmt *statement, int column)
{
    const char *text = column_text(statement, column);

    return text == NULL
               ? NULL
               : catalog_parse(connection, text, (size_t)sqlite3_column_bytes(statement, column));
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

sqlite3_stmt *
catalog_row(struct connection *connection, const char *id)
{
    sqlite3_stmt *row = connection_query(connection, SQL_OBJECT_NAMED, "s", id);

    return connection_step(connection, row) == 1 ? row : NULL;
}

sqlite3_stmt *
catalog_row_numbered(struct connection *connection, int64_t number)
{
    sqlite3_stmt *row = connection_query(connection, SQL_OBJECT, "i", number);

    return connection_step(connection, row) == 1 ? row : NULL;
}

struct acl_object
catalog_acl(struct connection *connection, sqlite3_stmt *row, json_t **attributes)
{
    const char *text = column_text(row, CATALOG_ATTRIBUTES);

    *attributes = NULL;
    if (text != NULL && strstr(text, "\"" ACL_ATTRIBUTE "\"") != NULL)
        *attributes = catalog_json(connection, row, CATALOG_ATTRIBUTES);
    return (struct acl_object){.type = column_text(row, CATALOG_TYPE),
                               .creator = column_text(row, CATALOG_CREATED_BY),
                               .acl = json_object_get(*attributes, ACL_ATTRIBUTE)};
}

/* A tree of the text, which is taken over. */
static json_t *
catalog_tree(struct connection *connection, char *text)
{
    json_t *value = text == NULL ? NULL : catalog_parse(connection, text, strlen(text));

    free(text);
    return value;
}

static json_t *
catalog_numbered(struct connection *connection, int64_t number, bool elements)
{
    sqlite3_stmt *row = catalog_row_numbered(connection, number);
    json_t *object;

    if (row == NULL)
        return NULL;
    object = catalog_tree(connection, catalog_text(connection, row, elements));
    sqlite3_reset(row);
    return object;
}

json_t *
catalog_head(struct connection *connection, int64_t number)
{
    return catalog_numbered(connection, number, false);
}

json_t *
catalog_object(struct connection *connection, int64_t number)
{
    return catalog_numbered(connection, number, true);
}

static void
element_blob(sqlite3_stmt *statement, struct blob *blob)
{
    catalog_sha256(statement, CATALOG_ELEMENT_SHA256, blob);
    blob->length = (uint64_t)sqlite3_column_int64(statement, CATALOG_ELEMENT_LENGTH);
    blob->number = sqlite3_column_int64(statement, CATALOG_ELEMENT_BLOB);
}

json_t *
catalog_element(struct connection *connection, int64_t number, const char *id, bool *data,
                struct blob *blob)
{
    sqlite3_stmt *statement = connection_query(connection, SQL_ELEMENT, "is", number, id);
    json_t *element;

    if (connection_step(connection, statement) != 1)
        return NULL;
    element = catalog_tree(connection, catalog_element_text(connection, statement));
    *data = sqlite3_column_type(statement, CATALOG_ELEMENT_SHA256) != SQLITE_NULL;
    element_blob(statement, blob);
    sqlite3_reset(statement);
    return element;
}

static bool
data_named(sqlite3_stmt *statement, struct catalog_data *data)
{
    const char *type = column_text(statement, CATALOG_ELEMENT_TYPE);

    data->id = strdup(column_text(statement, CATALOG_ELEMENT_ID));
    data->type = type == NULL ? NULL : strdup(type);
    /* -fanalyzer: both stay with *data, which the caller frees */
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

        if (sqlite3_column_type(statement, CATALOG_ELEMENT_SHA256) == SQLITE_NULL)
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
        if (!besides(column_text(statement, CATALOG_ELEMENT_ID), closure))
            length += (uint64_t)sqlite3_column_int64(statement, CATALOG_ELEMENT_LENGTH);
    }
    return length;
}
