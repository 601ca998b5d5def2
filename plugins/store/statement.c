/*
 * SQL that is composed piece by piece (where.h). In each worker process, from any thread.
 */
#include <stdlib.h>
#include <string.h>

#include "memory_file.h"
#include "where.h"

bool
statement_open(struct statement *statement, struct connection *connection)
{
    *statement = (struct statement){.connection = connection};
    statement->file = memory_file(&statement->text, &statement->size);
    if (statement->file == NULL)
        connection_fail(connection, "memory is short");
    return statement->file != NULL;
}

static void
statement_bound(struct statement *statement, const struct bound *bound)
{
    struct bound *grown = realloc(statement->bounds, (statement->count + 1) * sizeof(*grown));

    if (grown == NULL) {
        free(bound->text);
        connection_fail(statement->connection, "memory is short");
        return;
    }
    statement->bounds = grown;
    grown[statement->count++] = *bound;
    fputs("?", statement->file);
}

void
statement_text(struct statement *statement, const char *text)
{
    const struct bound bound = {.text = strdup(text)};

    if (bound.text == NULL)
        connection_fail(statement->connection, "memory is short");
    else
        statement_bound(statement, &bound); /* -fanalyzer: the text is among the bounds then */
}

void
statement_number(struct statement *statement, int64_t number)
{
    statement_bound(statement, &(struct bound){.number = number});
}

void
statement_real(struct statement *statement, double real)
{
    statement_bound(statement, &(struct bound){.real = real, .is_real = true});
}

sqlite3_stmt *
statement_close(struct statement *statement)
{
    sqlite3_stmt *prepared = NULL;

    if (fclose(statement->file) != 0)
        connection_fail(statement->connection, "memory is short");
    statement->file = NULL;
    if (statement->refusal[0] == '\0')
        prepared = connection_prepare(statement->connection, statement->text);
    for (size_t i = 0; prepared != NULL && i < statement->count; i++) {
        const struct bound *bound = &statement->bounds[i];

        if (bound->text != NULL)
            sqlite3_bind_text(prepared, (int)i + 1, bound->text, -1, SQLITE_STATIC);
        else if (bound->is_real)
            sqlite3_bind_double(prepared, (int)i + 1, bound->real);
        else
            sqlite3_bind_int64(prepared, (int)i + 1, bound->number);
    }
    return prepared;
}

void
statement_free(struct statement *statement)
{
    if (statement->file != NULL)
        fclose(statement->file);
    for (size_t i = 0; i < statement->count; i++)
        free(statement->bounds[i].text);
    free(statement->bounds);
    free(statement->text);
    *statement = (struct statement){.file = NULL};
}
