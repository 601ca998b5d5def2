/*
 * Objects in the catalog (catalog.h): writing them, and the table of their elements' bytes. In each
 * worker process, from any thread.
 */
#include <doip/json.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "catalog.h"
#include "copies.h"

static int64_t
now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_REALTIME, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* The `attributes` of an object or an element, a new reference, without the one named `kept`, which
 * is the store's own; NULL where it has none. */
static json_t *
attributes_given(struct connection *connection, const json_t *object, const char *kept)
{
    json_t *attributes = json_object_get(object, "attributes");
    json_t *copy;

    if (json_object_get(attributes, kept) == NULL)
        return json_incref(attributes);
    copy = copy_shallow(attributes);
    if (json_object_del(copy, kept) != 0)
        connection_fail(connection, "memory is short");
    return copy;
}

/* The same as text, the caller's. */
static char *
attributes_text(struct connection *connection, const json_t *attributes)
{
    char *text = attributes == NULL ? NULL : doip_json_text(attributes, NULL);

    if (attributes != NULL && text == NULL)
        connection_fail(connection, "memory is short");
    return text;
}

/* An object's elements on their way in. */
struct putting {
    struct connection *connection;
    int64_t number;
    int64_t last;  /* ordinal of its elements; -1: not looked at yet */
    json_t *blobs; /* with a use for each, which the elements take out */
};

static int64_t
putting_next(struct putting *putting)
{
    sqlite3_stmt *statement;

    if (putting->last < 0) {
        statement = connection_query(putting->connection, SQL_ELEMENT_LAST, "i", putting->number);
        if (connection_step(putting->connection, statement) == 1) {
            putting->last = sqlite3_column_int64(statement, 0);
            sqlite3_reset(statement);
        }
    }
    return ++putting->last;
}

/* What is not given stays as it is; false: there is no such element. */
static bool
element_change(const struct putting *putting, const char *id, const char *type,
               const char *attributes, int64_t blob)
{
    struct connection *connection = putting->connection;

    if (blob != 0)
        connection_run(connection, SQL_BLOB_LEAVE, "is", putting->number, id);
    return connection_run(connection, SQL_ELEMENT_CHANGE, "isssn", putting->number, id, type,
                          attributes, blob) &&
           connection_changes(connection) > 0;
}

static void
element_put(struct putting *putting, const json_t *element, bool fresh)
{
    struct connection *connection = putting->connection;
    const char *id = json_string_value(json_object_get(element, "id"));
    const char *type = json_string_value(json_object_get(element, "type"));
    int64_t blob = json_integer_value(json_object_get(putting->blobs, id));
    json_t *given = attributes_given(connection, element, CATALOG_DIGEST);
    char *attributes = attributes_text(connection, given);

    if (blob != 0)
        json_object_del(putting->blobs, id);
    if (fresh || !element_change(putting, id, type, attributes, blob))
        connection_run(connection, SQL_ELEMENT_ADD, "iisssn", putting->number,
                       putting_next(putting), id, type, attributes, blob);
    json_decref(given);
    free(attributes);
}

/* The uses of blobs that no element took are given back. */
static void
catalog_put_elements(struct connection *connection, int64_t number, const json_t *object,
                     json_t *blobs, bool fresh)
{
    struct putting putting = {connection, number, fresh ? 0 : -1, blobs};
    const json_t *elements = json_object_get(object, "elements");
    json_t *element, *blob;
    const char *id;
    size_t i;

    json_array_foreach(elements, i, element) element_put(&putting, element, fresh);
    json_object_foreach(blobs, id, blob) catalog_use(connection, json_integer_value(blob), -1);
}

void
catalog_add(struct connection *connection, const char *id, const json_t *object, json_t *blobs,
            const char *client, int64_t *time)
{
    const char *type = json_string_value(json_object_get(object, "type"));
    json_t *given = attributes_given(connection, object, CATALOG_METADATA);
    char *attributes = attributes_text(connection, given);

    *time = now();
    if (connection_run(connection, SQL_OBJECT_ADD, "sssis", id, type, attributes, *time, client))
        catalog_put_elements(connection, connection_rowid(connection), object, blobs, true);
    json_decref(given);
    free(attributes);
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
catalog_change(struct connection *connection, int64_t number, const json_t *object, json_t *blobs,
               const json_t *drop, const char *client)
{
    const char *type = json_string_value(json_object_get(object, "type"));
    json_t *given = attributes_given(connection, object, CATALOG_METADATA);
    char *attributes = attributes_text(connection, given);

    connection_run(connection, SQL_OBJECT_CHANGE, "issis", number, type, attributes, now(), client);
    catalog_drop_elements(connection, number, drop);
    catalog_put_elements(connection, number, object, blobs, false);
    json_decref(given);
    free(attributes);
}

void
catalog_remove(struct connection *connection, int64_t number)
{
    connection_run(connection, SQL_ELEMENTS_REMOVE, "i", number);
    connection_run(connection, SQL_OBJECT_REMOVE, "i", number);
}

/* ------------------------------------------------------------------ blobs */

static int64_t
blob_find(struct connection *connection, const struct blob *blob)
{
    sqlite3_stmt *statement = connection_query(connection, SQL_BLOB_FIND, "h", blob->sha256);
    int64_t number = 0;

    if (connection_step(connection, statement) == 1) {
        number = sqlite3_column_int64(statement, 0);
        sqlite3_reset(statement);
    }
    return number;
}

void
catalog_use(struct connection *connection, int64_t blob, int64_t more)
{
    connection_run(connection, SQL_BLOB_USE, "ii", blob, more);
}

int64_t
catalog_blob(struct connection *connection, const struct blob *blob, const char *data, bool use)
{
    int64_t number = blob_find(connection, blob);

    if (number == 0)
        return connection_run(connection, SQL_BLOB_ADD, "hiib", blob->sha256, (int64_t)blob->length,
                              (int64_t)use, data, (size_t)blob->length)
                   ? connection_rowid(connection)
                   : 0;
    if (data != NULL)
        connection_run(connection, SQL_BLOB_AGAIN, "ib", number, data, (size_t)blob->length);
    if (use)
        catalog_use(connection, number, 1);
    return number;
}

char *
catalog_small(struct connection *connection, const struct blob *blob)
{
    sqlite3_stmt *statement = connection_query(connection, SQL_SMALL, "i", blob->number);
    char *data = NULL;

    if (connection_step(connection, statement) != 1)
        return NULL;
    if ((uint64_t)sqlite3_column_bytes(statement, 0) != blob->length)
        connection_fail(connection,
                        "the bytes of an element are damaged: not all of them are there");
    else if ((data = malloc(blob->length + 1)) == NULL)
        connection_fail(connection, "memory is short");
    else if (blob->length > 0)
        memcpy(data, sqlite3_column_blob(statement, 0), blob->length);
    sqlite3_reset(statement);
    return data;
}

size_t
catalog_garbage(struct connection *connection, struct catalog_garbage *list, size_t most)
{
    sqlite3_stmt *statement = connection_query(connection, SQL_GARBAGE, "i", (int64_t)most);
    size_t count = 0;

    while (count < most && connection_step(connection, statement) == 1) {
        struct catalog_garbage *garbage = &list[count++];

        catalog_sha256(statement, 1, &garbage->blob);
        garbage->blob.number = sqlite3_column_int64(statement, 0);
        garbage->small = sqlite3_column_int(statement, 2) != 0;
        garbage->blob.length = (uint64_t)sqlite3_column_int64(statement, 3);
    }
    sqlite3_reset(statement);
    return count;
}

void
catalog_forget(struct connection *connection, const struct catalog_garbage *garbage)
{
    connection_run(connection, SQL_BLOB_REMOVE, "i", garbage->blob.number);
}
