/*
 * What the lexer (query_lex.c) and the parser (query_parse.c) of the query language share, and its
 * small change (query.c). Nobody else includes it.
 */
#ifndef STORE_QUERY_IMPL_H
#define STORE_QUERY_IMPL_H

#include "query.h"

enum token_kind {
    TOKEN_BROKEN, /* the reason is set */
    TOKEN_END,
    TOKEN_ALL, /* *:* */
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_AND,
    TOKEN_OR,
    TOKEN_NOT,
    TOKEN_PLUS,
    TOKEN_FIELD, /* with its colon */
    TOKEN_WORD,
    TOKEN_QUOTED,
    TOKEN_RANGE, /* [ or { */
};

struct lexer {
    const char *start;
    const char *next;
    /* the token at hand */
    enum token_kind kind;
    const char *at;
    char *text; /* unescaped; as long as the query at most */
    char *reason;
    size_t size;
    bool memory_short; /* which is why it is TOKEN_BROKEN */
};

/* Says what is wrong, and where; returns false. */
bool lexer_fail(struct lexer *lexer, const char *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same where memory is short, which is no fault of the query's. */
bool lexer_short(struct lexer *lexer);
/* How many bytes of a text in UTF-8 a reason shows (%.*s): `most`, or less where a character would be cut. */
int lexer_cut(const char *text, int most);
/* Moves to the next token. After a field, colons belong to the word (`value`). */
void lexer_next(struct lexer *lexer, bool value);
/* After TOKEN_RANGE: a bound, a TOKEN_WORD or TOKEN_QUOTED. */
void lexer_bound(struct lexer *lexer);
/* The word TO, and the closing bracket; 0: something else is there. */
bool lexer_to(struct lexer *lexer);
char lexer_closing(struct lexer *lexer);

/* A time in milliseconds since 1970, or as a date, whose first and last milliseconds it gives. */
bool query_time(const char *text, int64_t *first, int64_t *last);
bool query_integer(const char *text, int64_t *number);

#endif
