/*
 * The store's query language: text to a list of terms that must all match. Knows no catalog. Pure
 * functions, any thread.
 *
 *   query  = [ term { ["AND"] term } ]
 *   term   = "*:*" | text | field ":" text          field: id, type
 *   text   = word | '"' characters '"'              a backslash takes the next character as it is
 *
 * What Lucene gives a meaning and this version does not (OR, NOT, + and - before a term,
 * parentheses, brackets, wildcards, ranges, other fields) is refused, never misread.
 */
#ifndef STORE_QUERY_H
#define STORE_QUERY_H

#include <stddef.h>

enum query_kind {
    QUERY_TEXT, /* the words of the text, next to each other, anywhere in the object */
    QUERY_ID,   /* the id is exactly the text */
    QUERY_TYPE, /* the type is exactly the text */
};

struct query_term {
    enum query_kind kind;
    char *text;
};

/* No terms: every object matches. */
struct query {
    struct query_term *terms;
    size_t count;
};

/* NULL with what is wrong, and at which character, in `reason`. */
struct query *query_parse(const char *text, char *reason, size_t size);
void query_free(struct query **query);

#endif
