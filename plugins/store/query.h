/*
 * The store's query language: text to a tree. Knows no catalog. Pure functions, any thread.
 *
 *   query  = [ or ]
 *   or     = and { ("OR" | "||") and }
 *   and    = clause { ["AND" | "&&"] clause }
 *   clause = { "NOT" | "!" | "-" | "+" } term
 *   term   = "*:*" | "(" or ")" | value | field ":" value | field ":" "(" or ")"
 *   value  = word | '"' characters '"' | ("[" | "{") bound "TO" bound ("]" | "}")
 *   bound  = "*" | word | '"' characters '"'
 *
 * In a word, * stands for any characters and ? for one. A backslash takes the next character as it
 * is. What Lucene gives a meaning beyond this (boosts, fuzziness) is refused, never misread.
 */
#ifndef STORE_QUERY_H
#define STORE_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum query_column {
    QUERY_ID,
    QUERY_TYPE,
    QUERY_CREATED_BY,
    QUERY_MODIFIED_BY,
    QUERY_CREATED_ON,
    QUERY_MODIFIED_ON,
    QUERY_VERSION,
    QUERY_COLUMNS,                 /* so many columns of an object; beside them: */
    QUERY_POINTER = QUERY_COLUMNS, /* a place in its attributes */
    QUERY_ANYWHERE                 /* its words */
};

struct query_field {
    enum query_column column;
    char *pointer; /* of QUERY_POINTER: below attributes, array indexes as "_" */
};

/* Sets *field (whose pointer is the caller's) by its name; false: there is none of that name, or, with
 * errno ENOMEM, memory is short. */
bool query_field_parse(const char *name, struct query_field *field);
/* Columns that hold numbers. */
bool query_is_number(enum query_column column);

enum query_kind {
    QUERY_ALL,
    QUERY_AND,
    QUERY_OR,
    QUERY_NOT,    /* its one child does not match */
    QUERY_WORDS,  /* anywhere, or at a pointer: the words of the text, next to each other */
    QUERY_MATCH,  /* a column of text is the text */
    QUERY_RANGE,  /* a column of text, or a pointer, has a value between the bounds */
    QUERY_NUMBER, /* a column of numbers is between from and to */
    QUERY_EXISTS, /* the field has a value */
};

/* Wildcards in the text of QUERY_WORDS and QUERY_MATCH: characters that no text has there. */
#define QUERY_ANY '\1'
#define QUERY_ONE '\2'

struct query_bound {
    char *text;    /* NULL: open */
    bool excluded; /* the value itself does not match */
};

struct query {
    enum query_kind kind;
    struct query_field field;
    char *text;
    struct query_bound low, high;
    int64_t from, to;
    struct query **children;
    size_t count;
};

/* NULL with what is wrong, and at which character, in `reason`, and errno EINVAL; ENOMEM where
 * memory is short. */
struct query *query_parse(const char *text, char *reason, size_t size);
void query_free(struct query **query);

#endif
