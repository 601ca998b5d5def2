/*
 * An example of a handler that authenticates: it answers no operation, but knows tokens that somebody has given out, and whose they are.
 * doip-handler(3) walks through it. One that asks an LDAP server or a token service looks the same, but for known_token().
 *
 * Its file has a line for each token: the SHA-256 of the token in hexadecimal digits (so that who reads the file can't use it), the client's
 * id, and its groups; lines that begin with # are comments:
 *
 *   printf %s TOKEN | sha256sum          makes the first word of
 *   2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b 20.500.123/alice staff
 *
 * It is read once in each worker; SIGHUP reads it again. Its functions run in doipd's workers, in several threads at once.
 */
#include <doip/handler.h>

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGEST = 32, LINE = 4096, TOKENS_MOST = 100000 };

struct token {
    unsigned char digest[DIGEST];
    char *client;
    json_t *groups; /* array of strings */
};

/* What open() makes of the file. It is only read, so threads may share it. */
struct tokens {
    struct token *items;
    size_t count;
};

/* ------------------------------------------------------------------ the file */

static bool
read_digest(const char *text, unsigned char *digest)
{
    for (size_t i = 0; i < DIGEST; i++)
        if (sscanf(text + 2 * i, "%2hhx", &digest[i]) != 1) /* NOLINT(cert-err34-c): two digits fit */
            return false;
    return true;
}

/* A line's words into the list; false where they are none. */
static bool
add_line(struct tokens *tokens, char *line)
{
    struct token token = {.groups = json_array()};
    char *rest, *word = strtok_r(line, " \t\r\n", &rest);
    struct token *grown = reallocarray(tokens->items, tokens->count + 1, sizeof token);
    bool good = grown != NULL && strlen(word) == 2 * DIGEST &&
                strspn(word, "0123456789abcdefABCDEF") == 2 * DIGEST &&
                read_digest(word, token.digest);

    if (grown != NULL)
        tokens->items = grown;
    word = strtok_r(NULL, " \t\r\n", &rest);
    if (good && word != NULL)
        token.client = strdup(word);
    while ((word = strtok_r(NULL, " \t\r\n", &rest)) != NULL)
        good = json_array_append_new(token.groups, json_string(word)) == 0 && good;
    if (!good || token.client == NULL) {
        free(token.client);
        json_decref(token.groups);
        return false;
    }
    tokens->items[tokens->count++] = token;
    return true;
}

static doip_result
read_lines(struct tokens *tokens, FILE *file, const char *path, const doip_options *options)
{
    char line[LINE];
    int number = 0;

    while (fgets(line, sizeof line, file) != NULL) {
        number++;
        if (line[strspn(line, " \t\r\n")] == '\0' || line[0] == '#')
            continue;
        if (tokens->count == TOKENS_MOST)
            return doip_open_fail(options, "%s:%d: more than %d tokens", path, number, TOKENS_MOST);
        if (!add_line(tokens, line))
            return doip_open_fail(
                options,
                "%s:%d: must be the SHA-256 of a token as 64 hexadecimal digits, and a client's id",
                path, number);
    }
    return DOIP_OK;
}

static void
tokens_close(void *state)
{
    struct tokens *tokens = state;

    for (size_t i = 0; i < tokens->count; i++) {
        json_decref(tokens->items[i].groups);
        free(tokens->items[i].client);
    }
    free(tokens->items);
    free(tokens);
}

static doip_result
tokens_open(const doip_options *options, void **state)
{
    const char *path = doip_option_string(options, "file");
    FILE *file = fopen(path, "re");
    struct tokens *tokens;
    doip_result result;

    if (file == NULL)
        return doip_open_fail(options, "file: can't read %s: %s", path, strerror(errno));
    tokens = calloc(1, sizeof *tokens);
    result = tokens != NULL ? read_lines(tokens, file, path, options)
                            : doip_open_fail(options, "out of memory");
    fclose(file);
    if (result == DOIP_OK)
        *state = tokens;
    else if (tokens != NULL)
        tokens_close(tokens);
    return result;
}

/* ------------------------------------------------------------------ who it is */

static const struct token *
known_token(const struct tokens *tokens, const char *text)
{
    unsigned char digest[EVP_MAX_MD_SIZE];

    if (EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL) != 1)
        return NULL;
    for (size_t i = 0; i < tokens->count; i++)
        if (memcmp(tokens->items[i].digest, digest, DIGEST) == 0)
            return &tokens->items[i];
    return NULL;
}

/* Called for requests whose credentials are of no user in doipd's configuration. */
static doip_result
authenticate(doip_request *request, const json_t *authentication)
{
    const char *text = json_string_value(json_object_get(authentication, "token"));
    const struct token *token;

    if (text == NULL)
        return DOIP_DECLINED; /* a password, say: another handler may know it */
    token = known_token(doip_state(request), text);
    if (token == NULL)
        return DOIP_DECLINED; /* and so with tokens: only who gave it out could call it wrong */
    doip_request_set_client(request, token->client, token->groups);
    return DOIP_OK;
}

/* ------------------------------------------------------------------ the descriptor */

static const doip_option options_table[] = {
    {"file", DOIP_OPTION_STRING, "/etc/doipd/tokens", "the tokens and whose they are"},
    {NULL, DOIP_OPTION_STRING, NULL, NULL},
};

DOIP_HANDLER(.name = "tokens", .version = "1.0", .flags = DOIP_THREAD_SAFE,
             .options = options_table, .open = tokens_open, .close = tokens_close,
             .authenticate = authenticate);
