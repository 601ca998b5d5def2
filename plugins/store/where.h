/*
 * A query's tree as SQL: a condition on `o.number` and on the columns of `object o`, and what is to
 * be bound to it. Only listing.c calls it, on a connection inside a transaction, whose tokenizer,
 * pointers and vocabulary it asks.
 */
#ifndef STORE_WHERE_H
#define STORE_WHERE_H

#include <stdio.h>

#include "connection.h"
#include "query.h"

struct bound {
    char *text; /* NULL: the number, or the real */
    int64_t number;
    double real;
    bool is_real;
};

/* SQL text with the values of its parameters, in their order. */
struct statement {
    struct connection *connection;
    FILE *file;
    char *text; /* after statement_close() */
    size_t size;
    struct bound *bounds;
    size_t count;
    char refusal[200]; /* what a client must be told; "" for nothing */
};

bool statement_open(struct statement *statement, struct connection *connection);
/* Each writes a parameter's "?". */
void statement_text(struct statement *statement, const char *text);
void statement_number(struct statement *statement, int64_t number);
void statement_real(struct statement *statement, double real);
/* Prepared and bound; NULL: failed (latched). The caller finalizes it, then frees the statement. */
sqlite3_stmt *statement_close(struct statement *statement);
void statement_free(struct statement *statement);

/* The condition of the tree. */
void where_condition(struct statement *statement, const struct query *query);
/* True where words are all that the tree asks for; then match_text() is enough. */
bool match_only(const struct query *query);
/* What FTS5 is asked for such a tree, the caller's; NULL: failed, or refused. */
char *match_text(struct statement *statement, const struct query *query);
/* A number at a pointer, which is more than a word. */
bool where_is_number(const struct query *query);
/* The name of a column. */
const char *where_column(enum query_column column);

#endif
