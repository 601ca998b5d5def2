/*
 * The client: sends requests, and reads their answers in the same order (include/doip/client.h).
 * Used by the command `doip`, by tests and by whoever links libdoip; one thread at a time per
 * client.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <doip/client.h>

#include "connect.h"

/* A search over a whole repository answers in one JSON segment of any length, so the bound only
 * keeps a mad server from filling memory. */
#define CLIENT_JSON_LIMIT ((size_t)1 << 30)

enum { CLIENT_CONNECT_MS = 10000, CLIENT_WAIT_MS = 60000 };

/* A request that was sent and not yet answered. */
struct pending {
    struct pending *next;
    char *id; /* its requestId, NULL for none */
};

struct doip_client {
    SSL_CTX *context;
    doip_stream *stream;
    doip_reader *reader;
    doip_writer *writer;
    doip_message *message;        /* the current response */
    bool awaited;                 /* its head has not come yet: a wait was too short */
    struct pending *first, *last; /* oldest first */
    char reason[512];
};

static int
client_fail(doip_client *client, int error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(client->reason, sizeof(client->reason), format, arguments);
    va_end(arguments);
    return error;
}

/* ------------------------------------------------------------------ connecting */

static bool
client_trusts(const doip_client_options *options, int port, doip_stream *stream, char *reason,
              size_t size)
{
    SSL *ssl = doip_tls_ssl(stream);
    X509 *certificate = SSL_get1_peer_certificate(ssl);
    long result = SSL_get_verify_result(ssl);
    bool chain = result == X509_V_OK;
    bool trusted = false;
    char pin[65];

    if (certificate != NULL && doip_certificate_pin(certificate, pin))
        trusted = options->trust != NULL
                      ? options->trust(options->host, port, pin, chain, options->closure)
                      : chain;
    if (!trusted)
        snprintf(reason, size, "the certificate of %s port %d is not trusted: %s", options->host,
                 port, chain ? "its key was refused" : X509_verify_cert_error_string(result));
    X509_free(certificate);
    return trusted;
}

static bool
client_open(doip_client *client, const doip_client_options *options, char *reason, size_t size)
{
    int port = options->port != 0 ? options->port : DOIP_DEFAULT_PORT;
    int64_t deadline =
        connect_now() + (options->connect_ms > 0 ? options->connect_ms : CLIENT_CONNECT_MS);
    int wait = options->wait_ms > 0 ? options->wait_ms : CLIENT_WAIT_MS;
    int fd;

    client->context = connect_context(options, reason, size);
    if (client->context == NULL)
        return false;
    fd = connect_socket(options->host, port, deadline, reason, size);
    if (fd < 0)
        return false;
    client->stream = connect_tls(client->context, fd, options->host, port, deadline, reason, size);
    if (client->stream == NULL || !client_trusts(options, port, client->stream, reason, size))
        return false;
    doip_stream_set_waits(client->stream, wait, wait);
    client->reader = doip_reader_new(client->stream, CLIENT_JSON_LIMIT);
    client->writer = doip_writer_new(client->stream);
    if (client->reader != NULL && client->writer != NULL)
        return true;
    snprintf(reason, size, "out of memory");
    return false;
}

doip_client *
doip_client_connect(const doip_client_options *options, char *reason, size_t size)
{
    doip_client *client = calloc(1, sizeof(*client));

    if (client == NULL)
        snprintf(reason, size, "out of memory");
    else if (!client_open(client, options, reason, size))
        doip_client_free(&client);
    return client;
}

static void
client_pop(doip_client *client)
{
    struct pending *gone = client->first;

    if (gone == NULL)
        return;
    client->first = gone->next;
    if (client->first == NULL)
        client->last = NULL;
    free(gone->id);
    free(gone);
}

/* Says close_notify only where nothing is left half-sent: an upload that was given up must look
 * broken to the server. */
void
doip_client_free(doip_client **client)
{
    doip_client *gone = *client;

    *client = NULL;
    if (gone == NULL)
        return;
    if (gone->writer != NULL && gone->first == NULL && doip_writer_buffered(gone->writer) == 0)
        doip_stream_finish(gone->stream);
    while (gone->first != NULL)
        client_pop(gone);
    doip_message_free(&gone->message);
    doip_writer_free(&gone->writer);
    doip_reader_free(&gone->reader);
    doip_stream_free(&gone->stream);
    SSL_CTX_free(gone->context);
    free(gone);
}

/* ------------------------------------------------------------------ sending */

static bool
client_push(doip_client *client, const json_t *head)
{
    const char *id = json_string_value(json_object_get(head, "requestId"));
    struct pending *request = calloc(1, sizeof(*request));

    if (request != NULL && id != NULL)
        request->id = strdup(id);
    if (request == NULL || (id != NULL && request->id == NULL)) {
        free(request);
        return false;
    }
    if (client->last != NULL)
        client->last->next = request;
    else
        client->first = request;
    client->last = request;
    return true;
}

/* The result of a write, with its reason kept: the stream knows more than the writer where the
 * connection failed. */
static int
client_wrote(doip_client *client, int error)
{
    const char *why = doip_writer_reason(client->writer);

    if (error >= 0)
        return 0;
    if (why[0] == '\0')
        why = doip_stream_reason(client->stream);
    return client_fail(client, error, "%s", why[0] != '\0' ? why : doip_error_text(error));
}

int
doip_client_send(doip_client *client, const json_t *head)
{
    const json_t *input = json_object_get(head, "input");
    int error;

    if (!client_push(client, head))
        return client_fail(client, DOIP_E_SYSTEM, "out of memory");
    error = client_wrote(client, doip_writer_json(client->writer, head));
    if (error != 0 || input == NULL || json_is_null(input))
        return error;
    return doip_client_send_end(client);
}

doip_writer *
doip_client_writer(doip_client *client)
{
    return client->writer;
}

int
doip_client_send_end(doip_client *client)
{
    int error = doip_writer_empty(client->writer);

    if (error == 0)
        error = doip_writer_flush(client->writer);
    return client_wrote(client, error);
}

/* ------------------------------------------------------------------ answers */

static bool
client_waits(int error)
{
    return error == DOIP_E_AGAIN || error == DOIP_E_TIMEOUT;
}

/* What is left of the last answer lies before the next one. False where it can't be read away, now or ever: it stays current. */
static bool
client_skip(doip_client *client)
{
    uint64_t budget = UINT64_MAX;
    int error = 0;

    if (client->message != NULL)
        error = doip_message_discard(client->message, &budget);
    if (error != 0) {
        const char *why = doip_reader_reason(client->reader);

        client_fail(client, error, "%s", why[0] != '\0' ? why : doip_error_text(error));
        return false;
    }
    doip_message_free(&client->message);
    return true;
}

/* Makes the next answer's message the current one; one whose head is still awaited already is. */
static bool
client_turn(doip_client *client)
{
    if (client->awaited)
        return true;
    if (!client_skip(client))
        return false;
    client->message = doip_message_new(client->reader, "output");
    client->awaited = client->message != NULL;
    if (!client->awaited)
        client_fail(client, DOIP_E_SYSTEM, "out of memory");
    return client->awaited;
}

static doip_message *
client_no_head(doip_client *client, int result)
{
    const char *why = doip_message_reason(client->message);

    /* Where a write failed first, that is what happened. */
    if (client->reason[0] != '\0')
        return NULL;
    if (result == 0)
        client_fail(client, DOIP_E_BROKEN, "the server ended the connection without an answer");
    else if (result == DOIP_E_TIMEOUT)
        client_fail(client, result, "timed out waiting for the server's answer");
    else
        client_fail(client, result, "no answer: %s",
                    why[0] != '\0' ? why : doip_error_text(result));
    return NULL;
}

/* Answers come in the order of the requests. One without a requestId is for the oldest: the server
 * could not read its id. */
static bool
client_matches(doip_client *client, const json_t *head)
{
    const char *got = json_string_value(json_object_get(head, "requestId"));
    const char *due = client->first != NULL ? client->first->id : NULL;
    bool matches = got == NULL || due == NULL || strcmp(got, due) == 0;

    if (!matches)
        client_fail(client, DOIP_E_CONTENT,
                    "the answer is for another request (%.64s) than the one sent (%.64s)", got,
                    due);
    return matches;
}

doip_message *
doip_client_reply(doip_client *client, json_t **head)
{
    int result;

    *head = NULL;
    client->reason[0] = '\0';
    if (doip_writer_buffered(client->writer) > 0)
        client_wrote(client, doip_writer_flush(client->writer));
    /* A server that refuses an upload answers, and closes before it has read all: our write failed, but its answer waits. */
    if (doip_writer_reason(client->writer)[0] != '\0' && client->reason[0] == '\0')
        client_fail(client, DOIP_E_BROKEN, "%s", doip_writer_reason(client->writer));
    if (!client_turn(client))
        return NULL;
    result = doip_message_head(client->message, head);
    client->awaited = client_waits(result);
    if (result != 1)
        return client_no_head(client, result);
    if (!client_matches(client, *head))
        return NULL;
    client_pop(client);
    client->reason[0] = '\0';
    return client->message;
}

/* ------------------------------------------------------------------ looking */

/* Where each family of servers puts an error's text (protocol section 4). */
static const char *
reply_message(const json_t *head)
{
    const json_t *output = json_object_get(head, "output");
    const char *text =
        json_string_value(json_object_get(json_object_get(head, "attributes"), "message"));

    if (text == NULL)
        text = json_string_value(json_object_get(output, "message"));
    if (text == NULL)
        text = json_string_value(json_object_get(output, "reason"));
    if (text == NULL)
        text = json_string_value(output);
    return text != NULL ? text : "";
}

bool
doip_reply_ok(const json_t *head, const char **status, const char **message)
{
    const char *text = json_string_value(json_object_get(head, "status"));
    bool good = text != NULL && strcmp(text, DOIP_STATUS_OK) == 0;

    *status = text != NULL ? text : "no status";
    *message = good ? "" : reply_message(head);
    return good;
}

doip_stream *
doip_client_stream(doip_client *client)
{
    return client->stream;
}

const char *
doip_client_reason(const doip_client *client)
{
    return client->reason;
}
