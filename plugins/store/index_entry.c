/*
 * Objects in the index (index_entry.h). In each worker process, on the thread that fills it.
 */
#include "index_entry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acl.h"
#include "catalog.h"
#include "memory_file.h"
#include "words.h"

/* An object on its way in. */
struct entry {
    struct connection *connection;
    int64_t number;
    FILE *plain;
    FILE *marked;
};

static const char *
column_text(sqlite3_stmt *row, int column)
{
    return (const char *)sqlite3_column_text(row, column);
}

/* ------------------------------------------------------------------ values */

int64_t
entry_path(struct connection *connection, const char *pointer)
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

    if (length <= ENTRY_TEXT_MAX)
        return length;
    for (length = ENTRY_TEXT_MAX; ((unsigned char)text[length] & 0xc0) == 0x80; length--)
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
    struct entry *entry = closure;
    struct connection *connection = entry->connection;
    int64_t path = entry_path(connection, field->pointer);
    char mark[WORDS_MARK_SIZE];

    if (path == 0 && connection_run(connection, SQL_PATH_ADD, "s", field->pointer))
        path = connection_rowid(connection);
    value_add(connection, entry->number, path, field->value);
    words_mark(mark, path);
    words_plain(entry->plain, field->value);
    words_marked(entry->marked, field->value, mark, connection_tokenizer(connection));
    return !connection->failed;
}

/* ------------------------------------------------------------------ words */

static void
words_name(FILE *file, const char *name)
{
    if (*name != '\0')
        fprintf(file, "%s" WORDS_BETWEEN, name);
}

/* All words of the object as one text, the caller's; NULL: failed. */
static char *
entry_words(struct entry *entry, sqlite3_stmt *row, const json_t *attributes, const char *more)
{
    char *plain = NULL, *marked = NULL, *text = NULL;
    size_t plain_size, marked_size;
    bool good = false;

    entry->plain = memory_file(&plain, &plain_size);
    entry->marked = memory_file(&marked, &marked_size);
    if (entry->plain != NULL && entry->marked != NULL) {
        words_name(entry->plain, column_text(row, CATALOG_ID));
        words_name(entry->plain, column_text(row, CATALOG_TYPE));
        good = fields_walk(attributes, value_found, entry);
    }
    if (entry->plain != NULL)
        good = fclose(entry->plain) == 0 && good;
    if (entry->marked != NULL)
        good = fclose(entry->marked) == 0 && good;
    if (good && asprintf(&text, "%s%s%s", plain, marked, more == NULL ? "" : more) < 0)
        text = NULL;
    free(plain);
    free(marked);
    return text;
}

/* ------------------------------------------------------------------ entries */

/* The number of those who may read the object, which is counted there. */
static int64_t
entry_audience(struct connection *connection, sqlite3_stmt *row, const json_t *attributes)
{
    const struct acl_object object = {.type = column_text(row, CATALOG_TYPE),
                                      .creator = column_text(row, CATALOG_CREATED_BY),
                                      .acl = json_object_get(attributes, ACL_ATTRIBUTE)};
    char *text = acl_audience(&object);
    sqlite3_stmt *statement;
    int64_t number = 0;

    if (text == NULL)
        connection_fail(connection, "memory is short");
    statement = connection_query(connection, SQL_AUDIENCE, "s", text);
    if (connection_step(connection, statement) == 1) {
        number = sqlite3_column_int64(statement, 0);
        sqlite3_reset(statement);
    } else if (connection_run(connection, SQL_AUDIENCE_ADD, "s", text)) {
        number = connection_rowid(connection);
    }
    connection_run(connection, SQL_AUDIENCE_ENTER, "i", number);
    free(text);
    return number;
}

static void
entry_row(struct connection *connection, sqlite3_stmt *row, const json_t *attributes)
{
    connection_run(
        connection, SQL_ENTRY_ADD, "issiisisi", sqlite3_column_int64(row, CATALOG_NUMBER),
        column_text(row, CATALOG_ID), column_text(row, CATALOG_TYPE),
        sqlite3_column_int64(row, CATALOG_VERSION), sqlite3_column_int64(row, CATALOG_CREATED_ON),
        column_text(row, CATALOG_CREATED_BY), sqlite3_column_int64(row, CATALOG_MODIFIED_ON),
        column_text(row, CATALOG_MODIFIED_BY), entry_audience(connection, row, attributes));
}

void
entry_add(struct connection *connection, sqlite3_stmt *row, const json_t *attributes,
          const char *more)
{
    struct entry entry = {.connection = connection,
                          .number = sqlite3_column_int64(row, CATALOG_NUMBER)};
    char *text = NULL;

    entry_row(connection, row, attributes);
    if (connection_tokenizer(connection) != NULL) {
        text = entry_words(&entry, row, attributes, more);
        if (text == NULL)
            connection_fail(connection, "memory is short");
    }
    connection_run(connection, SQL_WORDS_ADD, "is", entry.number, text);
    free(text);
}

bool
entry_remove(struct connection *connection, int64_t number)
{
    connection_run(connection, SQL_WORDS_REMOVE, "i", number);
    connection_run(connection, SQL_FIELDS_REMOVE, "i", number);
    connection_run(connection, SQL_AUDIENCE_LEAVE, "i", number);
    connection_run(connection, SQL_AUDIENCE_CLOSE, "i", number);
    return connection_run(connection, SQL_ENTRY_REMOVE, "i", number) &&
           connection_changes(connection) > 0;
}
