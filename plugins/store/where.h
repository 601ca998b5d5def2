/*
 * A query's tree, answered: the set of the objects that match. Each leaf of the tree is a walk over
 * an index that has all it needs (or a question to FTS5); what stands between them is done with
 * sets. Only listing.c calls it, on a connection to the index inside a transaction, whose tokenizer,
 * pointers and vocabulary it asks.
 */
#ifndef STORE_WHERE_H
#define STORE_WHERE_H

#include <stdio.h>

#include "connection.h"
#include "query.h"
#include "set.h"

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

struct where {
    struct connection *connection;
    int64_t most;      /* no object has a greater number */
    char refusal[200]; /* what a client must be told; "" for nothing */
};

/* The set of the tree, the caller's; NULL: failed (latched), or refused. */
struct set *where_set(struct where *where, const struct query *query);

/* Adds the numbers that the statement gives to the set; ends the statement. */
void where_run(struct where *where, struct statement *statement, struct set *set);

/* True where words are all that the tree asks for; then match_text() is enough. */
bool match_only(const struct query *query);
/* What FTS5 is asked for such a tree, the caller's; NULL: failed, or refused. */
char *match_text(struct statement *statement, const struct query *query);
/* A number at a pointer, which is more than a word. */
bool where_is_number(const struct query *query);
/* Whether it is a number as JSON has them, so that 1891 is 1891.0 and 0x10 is none. */
bool walk_number(const char *text, double *number);
/* The name of a column in `entry`. */
const char *walk_column(enum query_column column);

/*
 * A walk over the objects that have a value in a field: rows of a number and the value, in the
 * order of their values, and those of one value in the order of their numbers; either way round.
 * Values at a pointer are walked in two parts, numbers and then texts, which sort behind them.
 */
struct walk {
    const struct query_field *field;
    const struct query *range; /* a leaf that says which values of that field; NULL: all */
    enum { WALK_ANYHOW, WALK_UP, WALK_DOWN } order;
    const char *among; /* a JSON array of numbers: of these objects only; NULL: of all */
};
enum { WALK_PARTS = 2 };

/* Writes a part of it; false: that is empty, and nothing was written. */
bool walk_write(struct statement *statement, const struct walk *walk, int part);

#endif
