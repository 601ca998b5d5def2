/*
 * Objects in the catalog (catalog.h): writing them, and the table of their elements' bytes. In each
 * worker process, from any thread.
 */
#include <doip/json.h>
#include <stdlib.h>
#include <time.h>

#include "catalog.h"
#include "words.h"

static int64_t
now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_REALTIME, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* The `attributes` of an object or an element as text, the caller's, without the one named `kept`,
 * which is the store's own; NULL where it has none. */
static char *
attributes_text(struct connection *connection, const json_t *object, const char *kept)
{
    json_t *attributes = json_incref(json_object_get(object, "attributes"));
    char *text = NULL;

    if (attributes == NULL)
        return NULL;
    if (json_object_get(attributes, kept) != NULL) {
        json_t *copy = json_copy(attributes);

        json_decref(attributes);
        attributes = copy;
        json_object_del(attributes, kept);
    }
    if (attributes != NULL)
        text = doip_json_text(attributes, NULL);
    json_decref(attributes);
    if (text == NULL)
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
    attributes = catalog_json(connection, statement, CATALOG_ATTRIBUTES);
    text = words_text((const char *)sqlite3_column_text(statement, CATALOG_ID),
                      (const char *)sqlite3_column_text(statement, CATALOG_TYPE),
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
    char *attributes = attributes_text(connection, element, CATALOG_DIGEST);

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
    char *attributes = attributes_text(connection, object, CATALOG_METADATA);
    int64_t number = 0;

    if (connection_run(connection, SQL_OBJECT_ADD, "sssis", id, type, attributes, now(), client)) {
        number = connection_rowid(connection);
        catalog_words(connection, number, SQL_WORDS_ADD);
        catalog_put_elements(connection, number, object, blobs);
    }
    free(attributes);
    return number;
}

static void
catalog_drop_elements(struct connection *connection, int64_t number, const json_t *drop)
{
    json_t *id;
    size_t i;

    json_array_foreach(drop, i, id)
        connection_run(connection, SQL_ELEMENT_REMOVE, "is", number, json_string_value(id));
}

void
catalog_change(struct connection *connection, int64_t number, const json_t *object,
               const json_t *blobs, const json_t *drop, const char *client)
{
    const char *type = json_string_value(json_object_get(object, "type"));
    char *attributes = attributes_text(connection, object, CATALOG_METADATA);
    bool words = type != NULL || attributes != NULL;

    if (words)
        catalog_words(connection, number, SQL_WORDS_REMOVE);
    connection_run(connection, SQL_OBJECT_CHANGE, "issis", number, type, attributes, now(), client);
    if (words)
        catalog_words(connection, number, SQL_WORDS_ADD);
    catalog_drop_elements(connection, number, drop);
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
        catalog_sha256(statement, 1, &list[count++].blob);
    }
    sqlite3_reset(statement);
    return count;
}

void
catalog_forget(struct connection *connection, int64_t number)
{
    connection_run(connection, SQL_BLOB_REMOVE, "i", number);
}
