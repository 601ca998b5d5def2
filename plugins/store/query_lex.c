/*
 * The lexer of the store's query language (query.h). Pure functions, any thread.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "query_impl.h"

/* The place of `at`, counted in characters from 1. */
static size_t
lexer_place(const struct lexer *lexer, const char *at)
{
    size_t place = 1;

    for (const char *c = lexer->start; c < at; c++)
        place += ((unsigned char)*c & 0xc0) != 0x80;
    return place;
}

bool
lexer_fail(struct lexer *lexer, const char *at, const char *format, ...)
{
    char what[300];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    snprintf(lexer->reason, lexer->size, "The query is malformed at character %zu: %s.",
             lexer_place(lexer, at), what);
    lexer->kind = TOKEN_BROKEN;
    return false;
}

bool
lexer_short(struct lexer *lexer)
{
    snprintf(lexer->reason, lexer->size, "Memory is short.");
    lexer->memory_short = true;
    lexer->kind = TOKEN_BROKEN;
    return false;
}

int
lexer_cut(const char *text, int most)
{
    int length = (int)strnlen(text, (size_t)most + 1);

    if (length <= most)
        return length;
    for (length = most; length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80; length--)
        ;
    return length;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void
lexer_blanks(struct lexer *lexer)
{
    while (is_blank(*lexer->next))
        lexer->next++;
}

/* A character of a text as it is; the two that stand for wildcards in it become blanks. */
static char
plain(char c)
{
    return c == QUERY_ANY || c == QUERY_ONE ? ' ' : c;
}

/* "…": what follows the closing quote must be something else. */
static void
lexer_quoted(struct lexer *lexer, const char *stops)
{
    size_t length = 0;

    for (lexer->next++; *lexer->next != '"'; lexer->next++) {
        if (*lexer->next == '\\' && lexer->next[1] != '\0')
            lexer->next++;
        if (*lexer->next == '\0') {
            lexer_fail(lexer, lexer->at, "this quote is never closed");
            return;
        }
        lexer->text[length++] = plain(*lexer->next);
    }
    lexer->next++;
    lexer->text[length] = '\0';
    lexer->kind = TOKEN_QUOTED;
    if (*lexer->next != '\0' && !is_blank(*lexer->next) && strchr(stops, *lexer->next) == NULL)
        lexer_fail(lexer, lexer->next, "expected a blank after the closing quote");
}

/* What a word can't hold: a pointer has ~ for its own escapes. */
static bool
is_reserved(const struct lexer *lexer, char c)
{
    return strchr("()[]{}\"^", c) != NULL || (c == '~' && *lexer->at != '/');
}

static void
lexer_word(struct lexer *lexer, const char *stops)
{
    size_t length = 0;
    char c;

    lexer->kind = TOKEN_WORD;
    for (; (c = *lexer->next) != '\0' && !is_blank(c) && strchr(stops, c) == NULL; lexer->next++) {
        if (is_reserved(lexer, c)) {
            lexer_fail(lexer, lexer->next, "'%c' has no meaning here (put the text in quotes)", c);
            return;
        }
        if (c == '\\' && lexer->next[1] == '\0') {
            lexer_fail(lexer, lexer->next, "expected a character after the backslash");
            return;
        }
        if (c == '\\')
            lexer->text[length++] = plain(*++lexer->next);
        else
            lexer->text[length++] = c == '*' ? QUERY_ANY : c == '?' ? QUERY_ONE : plain(c);
    }
    lexer->text[length] = '\0';
}

/* An operator of letters, or of two signs, which stands alone. */
static bool
lexer_operator(struct lexer *lexer)
{
    static const struct {
        const char *word;
        enum token_kind kind;
    } words[] = {{"AND", TOKEN_AND},
                 {"&&", TOKEN_AND},
                 {"OR", TOKEN_OR},
                 {"||", TOKEN_OR},
                 {"NOT", TOKEN_NOT}};

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        size_t length = strlen(words[i].word);
        char after = strncmp(lexer->at, words[i].word, length) == 0 ? lexer->at[length] : 'x';

        if (after == '\0' || is_blank(after) || after == '(' || after == ')') {
            lexer->next += length;
            lexer->kind = words[i].kind;
            return true;
        }
    }
    return false;
}

/* A sign that is a token by itself. */
static bool
lexer_sign(struct lexer *lexer)
{
    static const struct {
        char sign;
        enum token_kind kind;
    } signs[] = {{'(', TOKEN_OPEN}, {')', TOKEN_CLOSE}, {'+', TOKEN_PLUS}, {'-', TOKEN_NOT},
                 {'!', TOKEN_NOT},  {'[', TOKEN_RANGE}, {'{', TOKEN_RANGE}};

    for (size_t i = 0; i < sizeof(signs) / sizeof(*signs); i++) {
        if (*lexer->at == signs[i].sign) {
            lexer->next++;
            lexer->kind = signs[i].kind;
            return true;
        }
    }
    return false;
}

void
lexer_next(struct lexer *lexer, bool value)
{
    if (!value)
        lexer_blanks(lexer);
    lexer->at = lexer->next;
    lexer->text[0] = '\0';
    if (*lexer->at == '\0' || (value && is_blank(*lexer->at)))
        lexer->kind = TOKEN_END;
    else if (value && strchr("([{", *lexer->at) == NULL && *lexer->at != '"')
        lexer_word(lexer, ")");
    else if (*lexer->at == '"')
        lexer_quoted(lexer, ")");
    else if (!value && strncmp(lexer->at, "*:*", 3) == 0) {
        lexer->next += 3;
        lexer->kind = TOKEN_ALL;
    } else if (!lexer_operator(lexer) && !lexer_sign(lexer)) {
        lexer_word(lexer, "):");
        if (lexer->kind == TOKEN_WORD && *lexer->next == ':') {
            lexer->next++;
            lexer->kind = TOKEN_FIELD;
        }
    }
}

/* ------------------------------------------------------------------ ranges */

void
lexer_bound(struct lexer *lexer)
{
    lexer_blanks(lexer);
    lexer->at = lexer->next;
    if (*lexer->at == '\0' || strchr("]}", *lexer->at) != NULL)
        lexer_fail(lexer, lexer->at, "expected a bound of the range, or '*'");
    else if (*lexer->at == '"')
        lexer_quoted(lexer, "]}");
    else
        lexer_word(lexer, "]}");
}

bool
lexer_to(struct lexer *lexer)
{
    lexer_blanks(lexer);
    if (strncmp(lexer->next, "TO", 2) != 0 || !is_blank(lexer->next[2]))
        return lexer_fail(lexer, lexer->next, "expected 'TO' between the bounds of the range");
    lexer->next += 2;
    return true;
}

char
lexer_closing(struct lexer *lexer)
{
    lexer_blanks(lexer);
    if (*lexer->next == ']' || *lexer->next == '}')
        return *lexer->next++;
    lexer_fail(lexer, lexer->next, "expected ']' or '}' at the end of the range");
    return '\0';
}
