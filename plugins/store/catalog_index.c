/*
 * Words and values of objects in the catalog (catalog_index.h). In each worker process, on the
 * thread that writes.
 */
#include "catalog_index.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "words.h"

struct indexing {
    struct connection *connection;
    const struct index_object *object;
    FILE *plain;
    FILE *marked;
    bool adds; /* else what is there is taken out */
};

int64_t
index_path(struct connection *connection, const char *pointer)
{
    sqlite3_stmt *statement = connection_query(connection, SQL_PATH, "s", pointer);
    int64_t number = 0;

    if (connection_step(connection, statement) == 1) {
        number = sqlite3_column_int64(statement, 0);
        sqlite3_reset(statement);
    }
    return number;
}

/* The length that is kept of a string: whole characters. */
static size_t
text_kept(const json_t *value)
{
    const char *text = json_string_value(value);
    size_t length = json_string_length(value);

    if (length <= INDEX_TEXT_MAX)
        return length;
    for (length = INDEX_TEXT_MAX; ((unsigned char)text[length] & 0xc0) == 0x80; length--)
        continue;
    return length;
}

static void
value_add(struct connection *connection, int64_t object, int64_t path, const json_t *value)
{
    sqlite3_stmt *statement = connection_query(connection, SQL_FIELD_ADD, "ii", object, path);

    if (statement == NULL)
        return;
    if (json_is_string(value))
        sqlite3_bind_text(statement, 3, json_string_value(value), (int)text_kept(value),
                          SQLITE_STATIC);
    else if (json_is_integer(value))
        sqlite3_bind_int64(statement, 3, json_integer_value(value));
    else if (json_is_real(value))
        sqlite3_bind_double(statement, 3, json_real_value(value));
    else
        sqlite3_bind_text(statement, 3, json_is_true(value) ? "true" : "false", -1, SQLITE_STATIC);
    connection_step(connection, statement);
}

static bool
value_found(const struct field_value *field, void *closure)
{
    struct indexing *indexing = closure;
    struct connection *connection = indexing->connection;
    int64_t path = index_path(connection, field->pointer);
    char mark[WORDS_MARK_SIZE];

    if (path == 0 && indexing->adds &&
        connection_run(connection, SQL_PATH_ADD, "s", field->pointer))
        path = connection_rowid(connection);
    if (indexing->adds)
        value_add(connection, indexing->object->number, path, field->value);
    words_mark(mark, path);
    words_plain(indexing->plain, field->value);
    words_marked(indexing->marked, field->value, mark, connection_tokenizer(connection));
    return !connection->failed;
}

static void
words_name(FILE *file, const char *name)
{
    if (*name != '\0')
        fprintf(file, "%s" WORDS_BETWEEN, name);
}

/* All words of the object as one text, the caller's; NULL: failed. */
static char *
index_words(struct indexing *indexing)
{
    char *plain = NULL, *marked = NULL, *text = NULL;
    size_t plain_size, marked_size;
    bool good = false;

    indexing->plain = open_memstream(&plain, &plain_size);
    indexing->marked = open_memstream(&marked, &marked_size);
    if (indexing->plain != NULL && indexing->marked != NULL) {
        words_name(indexing->plain, indexing->object->id);
        words_name(indexing->plain, indexing->object->type);
        good = fields_walk(indexing->object->attributes, value_found, indexing);
    }
    if (indexing->plain != NULL)
        good = fclose(indexing->plain) == 0 && good;
    if (indexing->marked != NULL)
        good = fclose(indexing->marked) == 0 && good;
    if (good && asprintf(&text, "%s%s", plain, marked) < 0)
        text = NULL;
    free(plain);
    free(marked);
    return text;
}

static void
index_change(struct connection *connection, const struct index_object *object, bool adds)
{
    struct indexing indexing = {.connection = connection, .object = object, .adds = adds};
    char *text = NULL;

    if (connection_tokenizer(connection) != NULL) {
        text = index_words(&indexing);
        if (text == NULL)
            connection_fail(connection, "memory is short");
    }
    connection_run(connection, adds ? SQL_WORDS_ADD : SQL_WORDS_REMOVE, "is", object->number, text);
    free(text);
}

void
index_add(struct connection *connection, const struct index_object *object)
{
    index_change(connection, object, true);
}

void
index_remove(struct connection *connection, const struct index_object *object)
{
    index_change(connection, object, false);
    connection_run(connection, SQL_FIELDS_REMOVE, "i", object->number);
}

/* Adds the next object after `after`, and gives its number; 0: there is none. */
static int64_t
index_next(struct connection *connection, int64_t after)
{
    sqlite3_stmt *statement = connection_query(connection, SQL_OBJECT_AFTER, "i", after);
    struct index_object object = {.number = 0};
    json_t *attributes;
    char *id, *type;

    if (connection_step(connection, statement) != 1)
        return 0;
    object.number = sqlite3_column_int64(statement, CATALOG_NUMBER);
    object.id = id = strdup((const char *)sqlite3_column_text(statement, CATALOG_ID));
    object.type = type = strdup((const char *)sqlite3_column_text(statement, CATALOG_TYPE));
    object.attributes = attributes = catalog_json(connection, statement, CATALOG_ATTRIBUTES);
    sqlite3_reset(statement);
    if (id == NULL || type == NULL)
        connection_fail(connection, "memory is short");
    else
        index_add(connection, &object);
    json_decref(attributes);
    free(type);
    free(id);
    return connection->failed ? 0 : object.number;
}

void
index_fill(struct connection *connection)
{
    int64_t number = 0;

    while ((number = index_next(connection, number)) != 0)
        continue;
}
