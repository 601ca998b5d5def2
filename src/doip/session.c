/*
 * A connection to the service, as the commands use it. Called by the commands; one session per run
 * of `doip`.
 */
#include "session.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "output.h"
#include "signer.h"
#include "trust.h"

/* ------------------------------------------------------------------ who is asking */

/* Reads a line without echo. Signals of the keyboard wait until the echo is back: a terminal must not stay mute. */
static char *
session_read_silently(FILE *terminal, const struct termios *before, char *line, int size)
{
    struct termios silent = *before;
    sigset_t keyboard, mask;
    char *got;

    sigemptyset(&keyboard);
    sigaddset(&keyboard, SIGINT);
    sigaddset(&keyboard, SIGQUIT);
    sigaddset(&keyboard, SIGTSTP);
    sigaddset(&keyboard, SIGTERM);
    sigprocmask(SIG_BLOCK, &keyboard, &mask);
    silent.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(fileno(terminal), TCSAFLUSH, &silent);
    got = fgets(line, size, terminal);
    tcsetattr(fileno(terminal), TCSAFLUSH, before);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    return got;
}

static char *
session_prompt(const char *user, char *reason, size_t size)
{
    FILE *terminal = fopen("/dev/tty", "r+e");
    struct termios before;
    char line[1024];
    char *got;

    if (terminal == NULL || tcgetattr(fileno(terminal), &before) < 0) {
        snprintf(reason, size,
                 "there is no terminal to ask for a password on: use --password-file");
        if (terminal != NULL)
            fclose(terminal);
        return NULL;
    }
    fprintf(terminal, "Password of %s: ", user);
    fflush(terminal);
    got = session_read_silently(terminal, &before, line, sizeof(line));
    fputc('\n', terminal);
    fclose(terminal);
    line[got != NULL ? strcspn(line, "\r\n") : 0] = '\0';
    got = strdup(line);
    explicit_bzero(line, sizeof(line));
    return got;
}

static json_t *
session_password(const options *given, char *reason, size_t size)
{
    char *password = given->password_file != NULL
                         ? argument_secret(given->password_file, reason, size)
                         : session_prompt(given->user, reason, size);
    json_t *authentication = NULL;

    if (password == NULL)
        return NULL;
    authentication = json_pack("{s:s*, s:s}", "username", given->user, "password", password);
    if (authentication == NULL)
        snprintf(reason, size, "the user's name and the password have to be UTF-8");
    explicit_bzero(password, strlen(password));
    free(password);
    return authentication;
}

static json_t *
session_token(const options *given, char *reason, size_t size)
{
    char *token = given->token[0] == '@' ? argument_secret(given->token + 1, reason, size)
                                         : strdup(given->token);
    json_t *authentication = token != NULL ? json_pack("{s:s}", "token", token) : NULL;

    if (token != NULL && authentication == NULL)
        snprintf(reason, size, "the token has to be UTF-8");
    free(token);
    return authentication;
}

/* False with the reason; true with NULL where nothing was asked for. */
static bool
session_authentication(session *to, char *reason, size_t size)
{
    if (options_signs(to->given))
        return (to->signer = signer_load(to->given->key, reason, size)) != NULL;
    if (to->given->token != NULL)
        to->authentication = session_token(to->given, reason, size);
    else if (to->given->user != NULL || to->given->password_file != NULL)
        to->authentication = session_password(to->given, reason, size);
    else
        return true;
    return to->authentication != NULL;
}

/* ------------------------------------------------------------------ open and close */

int
session_open(session *to, const options *given)
{
    trust policy = {.given = given};
    char reason[REASON_MAX] = "out of memory";
    int64_t seconds = 60;
    doip_client_options wanted = {.host = given->host,
                                  .port = given->port,
                                  .ca = given->ca,
                                  .certificate = given->certificate,
                                  .key = given->certificate != NULL ? given->key : NULL,
                                  .trust = trust_decide,
                                  .closure = &policy};

    memset(to, 0, sizeof(*to));
    to->given = given;
    if (given->timeout != NULL &&
        !argument_number(given->timeout, 1000000, &seconds, reason, sizeof(reason)))
        return complain(EXIT_USAGE, "--timeout: %s", reason);
    if (!session_authentication(to, reason, sizeof(reason)))
        return complain(EXIT_USAGE, "%s", reason);
    wanted.wait_ms = seconds > 0 ? (int)seconds * 1000 : 1;
    to->client = doip_client_connect(&wanted, reason, sizeof(reason));
    if (to->client == NULL)
        return complain(EXIT_BROKEN, "%s", policy.reason[0] != '\0' ? policy.reason : reason);
    return EXIT_DONE;
}

void
session_close(session *to)
{
    doip_client_free(&to->client);
    json_decref(to->authentication);
    EVP_PKEY_free(to->signer);
    free(to->service);
    memset(to, 0, sizeof(*to));
}

/* ------------------------------------------------------------------ requests */

/* What proves who is asking (a new reference, NULL for nothing); false after saying why there is
 * none. */
static bool
session_proof(const session *to, json_t **proof)
{
    char reason[REASON_MAX], *token;

    *proof = json_incref(to->authentication);
    if (to->signer == NULL)
        return true;
    token = signer_token(to->signer, to->given->client_id, to->service, time(NULL), reason,
                         sizeof(reason));
    if (token == NULL)
        complain(EXIT_USAGE, "%s", reason);
    else
        *proof = json_pack("{s:s}", "token", token);
    free(token);
    return *proof != NULL;
}

json_t *
session_head(session *to, const char *operation, const char *target, json_t *attributes)
{
    char id[16];
    json_t *head, *proof;

    if (!session_proof(to, &proof)) {
        json_decref(attributes);
        return NULL;
    }
    snprintf(id, sizeof(id), "%u", ++to->requests);
    head = json_pack("{s:s, s:s*, s:s*, s:s, s:o*, s:o*}", "requestId", id, "clientId",
                     to->given->client_id, "targetId", target, "operationId", operation,
                     "attributes", attributes, "authentication", proof);
    if (head == NULL)
        complain(EXIT_USAGE, "an identifier on the command line is not UTF-8 text");
    return head;
}

int
session_begin(session *to, json_t *head)
{
    int error = doip_client_send(to->client, head);

    json_decref(head);
    return error;
}

static const char *
session_status_text(const char *status)
{
    static const char *const texts[][2] = {
        {DOIP_STATUS_INVALID, "the request was invalid"},
        {DOIP_STATUS_UNAUTHENTICATED, "not authenticated"},
        {DOIP_STATUS_FORBIDDEN, "not permitted"},
        {DOIP_STATUS_UNKNOWN_OBJECT, "no such object"},
        {DOIP_STATUS_DUPLICATE, "the identifier is in use"},
        {DOIP_STATUS_DECLINED, "the service declines the operation"},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strcmp(texts[i][0], status) == 0)
            return texts[i][1];
    }
    return "the service failed";
}

static int
session_failed(session *to)
{
    const char *why = doip_client_reason(to->client);

    return complain(EXIT_BROKEN, "%s port %d: %s", to->given->host, to->given->port,
                    why[0] != '\0' ? why : "the connection failed");
}

static int
session_reply(session *to, bool written, doip_message **message, json_t **answer)
{
    const char *status, *text;

    *message = doip_client_reply(to->client, answer);
    if (*message == NULL)
        return session_failed(to);
    if (!doip_reply_ok(*answer, &status, &text))
        return complain(EXIT_REFUSED, "%s: %s", status,
                        text[0] != '\0' ? text : session_status_text(status));
    if (!written)
        return complain(EXIT_BROKEN, "%s port %d: the connection broke while sending",
                        to->given->host, to->given->port);
    return EXIT_DONE;
}

int
session_answer(session *to, int error, doip_message **message, json_t **answer)
{
    if (error == 0)
        error = doip_client_send_end(to->client);
    return session_reply(to, error == 0, message, answer);
}

int
session_ask(session *to, json_t *head, doip_message **message, json_t **answer)
{
    const json_t *input = json_object_get(head, "input");
    bool complete = input != NULL && !json_is_null(input);
    int error;

    if (head == NULL)
        return EXIT_USAGE;
    error = session_begin(to, head);
    return complete ? session_reply(to, error == 0, message, answer)
                    : session_answer(to, error, message, answer);
}

/* ------------------------------------------------------------------ answers */

int
session_broken(session *to, doip_message *message)
{
    const char *why = doip_message_reason(message);

    return complain(EXIT_BROKEN, "%s port %d: the answer is broken: %s", to->given->host,
                    to->given->port, why[0] != '\0' ? why : "not what was asked for");
}

int
session_value(session *to, doip_message *message, json_t **value)
{
    *value = doip_message_next(message) == DOIP_SEGMENT_JSON ? doip_message_json(message) : NULL;
    if (*value == NULL)
        return session_broken(to, message);
    /* The value lives until the next move; the end is no move in the compact form, but may be one
     * in the full form. */
    json_incref(*value);
    if (doip_message_end(message) != 0) {
        json_decref(*value);
        return session_broken(to, message);
    }
    return EXIT_DONE;
}

int
session_print(session *to, doip_message *message,
              int (*bytes)(session *to, doip_message *message, void *closure), void *closure)
{
    int status = EXIT_DONE;
    json_t *value;

    while (status == EXIT_DONE) {
        switch (doip_message_next(message)) {
        case DOIP_SEGMENT_END:
            return output_end(EXIT_DONE);
        case DOIP_SEGMENT_JSON:
            value = doip_message_json(message);
            if (value == NULL)
                return session_broken(to, message);
            output_value(value, to->given->json);
            break;
        case DOIP_SEGMENT_BYTES:
            if (bytes != NULL)
                status = bytes(to, message, closure);
            break;
        case DOIP_SEGMENT_ERROR:
        default:
            return session_broken(to, message);
        }
    }
    return status;
}

int
session_service(session *to, const char **id)
{
    doip_message *message;
    json_t *answer, *info;
    const char *text;
    int status = EXIT_DONE;

    if (to->service == NULL) {
        status = session_ask(to, session_head(to, DOIP_OP_HELLO, NULL, NULL), &message, &answer);
        if (status == EXIT_DONE)
            status = session_value(to, message, &info);
        if (status != EXIT_DONE)
            return status;
        text = json_string_value(json_object_get(info, "id"));
        to->service = text != NULL ? strdup(text) : NULL;
        json_decref(info);
        if (to->service == NULL)
            return complain(EXIT_BROKEN, "the service does not tell its id");
    }
    *id = to->service;
    return status;
}
