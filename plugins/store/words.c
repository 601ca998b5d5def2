/*
 * Tokens and words of objects (words.h). Any thread.
 */
#include "words.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ tokens */

struct tokenizer {
    fts5_tokenizer methods;
    Fts5Tokenizer *instance;
};

/* SQLite's own way to its full-text engine. */
static fts5_api *
tokenizer_api(sqlite3 *handle)
{
    sqlite3_stmt *statement = NULL;
    fts5_api *api = NULL;

    if (sqlite3_prepare_v2(handle, "SELECT fts5(?1)", -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_bind_pointer(statement, 1, &api, "fts5_api_ptr", NULL) == SQLITE_OK)
        sqlite3_step(statement);
    sqlite3_finalize(statement);
    return api;
}

struct tokenizer *
tokenizer_new(sqlite3 *handle)
{
    /* As the table has it (sql.h). */
    const char *arguments[] = {"remove_diacritics", "2"};
    struct tokenizer *tokenizer = calloc(1, sizeof(*tokenizer));
    fts5_api *api = tokenizer_api(handle);
    void *context = NULL;

    if (tokenizer != NULL && api != NULL &&
        api->xFindTokenizer(api, "unicode61", &context, &tokenizer->methods) == SQLITE_OK &&
        tokenizer->methods.xCreate(context, arguments, 2, &tokenizer->instance) == SQLITE_OK)
        return tokenizer;
    free(tokenizer);
    return NULL;
}

void
tokenizer_free(struct tokenizer **tokenizer)
{
    if (*tokenizer == NULL)
        return;
    (*tokenizer)->methods.xDelete((*tokenizer)->instance);
    free(*tokenizer);
    *tokenizer = NULL;
}

struct tokenizing {
    bool (*found)(const char *token, size_t size, void *closure);
    void *closure;
};

static int
token_found(void *closure, int flags, const char *token, int size, int start, int end)
{
    const struct tokenizing *tokenizing = closure;

    (void)flags;
    (void)start;
    (void)end;
    return tokenizing->found(token, (size_t)size, tokenizing->closure) ? SQLITE_OK : SQLITE_ERROR;
}

bool
tokenizer_run(struct tokenizer *tokenizer, const char *text,
              bool (*found)(const char *token, size_t size, void *closure), void *closure)
{
    struct tokenizing tokenizing = {found, closure};

    return tokenizer->methods.xTokenize(tokenizer->instance, &tokenizing, FTS5_TOKENIZE_DOCUMENT,
                                        text, (int)strlen(text), token_found) == SQLITE_OK;
}

/* ------------------------------------------------------------------ words of a value */

void
words_mark(char mark[WORDS_MARK_SIZE], int64_t path)
{
    snprintf(mark, WORDS_MARK_SIZE, WORDS_MARK "%lld" WORDS_MARK, (long long)path);
}

void
words_plain(FILE *file, const json_t *value)
{
    if (json_is_string(value) && json_string_length(value) > 0)
        fprintf(file, "%s" WORDS_BETWEEN, json_string_value(value));
    else if (json_is_integer(value))
        fprintf(file, "%" JSON_INTEGER_FORMAT WORDS_BETWEEN, json_integer_value(value));
    else if (json_is_real(value))
        fprintf(file, "%.15g" WORDS_BETWEEN, json_real_value(value));
}

struct marking {
    FILE *file;
    const char *mark;
};

static bool
marked_token(const char *token, size_t size, void *closure)
{
    const struct marking *marking = closure;

    return fprintf(marking->file, "%s%.*s ", marking->mark, (int)size, token) >= 0;
}

/* Negative numbers and fractions are found as values only: their digits would be another's. */
void
words_marked(FILE *file, const json_t *value, const char *mark, struct tokenizer *tokenizer)
{
    struct marking marking = {file, mark};

    if (json_is_string(value)) {
        tokenizer_run(tokenizer, json_string_value(value), marked_token, &marking);
        fputs(WORDS_BETWEEN, file);
    } else if (json_is_boolean(value)) {
        fprintf(file, "%s%s" WORDS_BETWEEN, mark, json_is_true(value) ? "true" : "false");
    } else if (json_is_integer(value) && json_integer_value(value) >= 0) {
        fprintf(file, "%s%" JSON_INTEGER_FORMAT WORDS_BETWEEN, mark, json_integer_value(value));
    }
}
