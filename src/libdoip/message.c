/*
 * Incoming messages over a reader: head, compact or full form, the latched error. Runs in the thread that owns the connection.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exchange.h"

struct doip_message {
    doip_reader *reader;
    const char *compact; /* the property that may hold the only segment */
    json_t *head;  /* NULL until asked for */
    json_t *only;  /* that property's value, borrowed from head; NULL in full form */
    json_t *value; /* the last JSON segment's value, ours; NULL until asked for */
    doip_segment kind;
    bool at_only;  /* the current segment is the compact form's */
    bool has_head; /* its segment is there */
    bool ended;
    int wait; /* what the last move gave, where it was AGAIN or TIMEOUT */
    int error;
    char *reason;
};

doip_message *
doip_message_new(doip_reader *reader, const char *compact)
{
    doip_message *message = calloc(1, sizeof *message);

    if (message == NULL)
        return NULL;
    message->reader = reader;
    message->compact = compact;
    return message;
}

void
doip_message_free(doip_message **message)
{
    if (*message != NULL) {
        json_decref((*message)->head);
        json_decref((*message)->value);
        free((*message)->reason);
        free(*message);
    }
    *message = NULL;
}

static int fail(doip_message *message, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* AGAIN and TIMEOUT pass; the first of all others stays. */
static int
fail(doip_message *message, int error, const char *format, ...)
{
    va_list ap;

    if (error == DOIP_E_AGAIN || message->error != 0)
        return error;
    if (error != DOIP_E_TIMEOUT)
        message->error = error;
    free(message->reason);
    va_start(ap, format);
    if (vasprintf(&message->reason, format, ap) < 0)
        message->reason = NULL;
    va_end(ap);
    return error;
}

static int
reader_failed(doip_message *message, int error)
{
    return fail(message, error, "%s", doip_reader_reason(message->reader));
}

/*
 * Moves the reader to its next segment. At a stream's end inside our message it gives an error by itself. A move that has to be
 * repeated leaves what is left of a bytes segment where it is; the end of the message leaves the last value.
 */
static int
move(doip_message *message)
{
    doip_segment kind;
    int n = doip_reader_next(message->reader, &kind);

    message->wait = n == DOIP_E_AGAIN || n == DOIP_E_TIMEOUT ? n : 0;
    if (n < 0 && message->kind != DOIP_SEGMENT_BYTES)
        message->kind = DOIP_SEGMENT_END;
    if (n < 0)
        return reader_failed(message, n);
    message->kind = kind;
    message->ended = n > 0 && kind == DOIP_SEGMENT_END;
    if (!message->ended) {
        json_decref(message->value);
        message->value = NULL;
    }
    return n;
}

static json_t *
parse(doip_message *message, const char *complaint)
{
    char reason[256];
    size_t length;
    const char *text = doip_reader_text(message->reader, &length);
    unsigned most = doip_reader_depth(message->reader);
    json_t *value = NULL;

    errno = EINVAL;
    if (text != NULL && most > 0 && doip_json_depth(text, length) > most)
        snprintf(reason, sizeof reason, "It is nested deeper than %u levels.", most);
    else if (text != NULL)
        value = doip_json_parse(text, length, reason, sizeof reason);
    if (value == NULL && errno == ENOMEM)
        fail(message, DOIP_E_MEMORY, "Memory is short.");
    else if (value == NULL)
        fail(message, DOIP_E_CONTENT, "%s %s", complaint, text != NULL ? reason : "");
    return value;
}

static int
take_head(doip_message *message)
{
    if (message->kind == DOIP_SEGMENT_JSON)
        message->head = parse(message, "Cannot parse the JSON object from the first segment.");
    if (message->error != 0)
        return message->error;
    if (!json_is_object(message->head))
        return fail(message, DOIP_E_CONTENT, "The first segment is not a JSON object.");
    message->only = json_object_get(message->head, message->compact);
    if (json_is_null(message->only))
        message->only = NULL;
    return 1;
}

int
message_begin(doip_message *message)
{
    int n = 1;

    if (message->error != 0)
        return message->error;
    if (!message->has_head)
        n = move(message);
    message->has_head = n > 0;
    return n;
}

int
doip_message_head(doip_message *message, json_t **head)
{
    int n = message_begin(message);

    if (n > 0 && message->head == NULL)
        n = take_head(message);
    if (n > 0)
        *head = message->head;
    return n;
}

static doip_segment
after_only(doip_message *message)
{
    if (move(message) < 0)
        return DOIP_SEGMENT_ERROR;
    message->at_only = false;
    message->only = NULL;
    if (message->kind == DOIP_SEGMENT_END)
        return DOIP_SEGMENT_END;
    fail(message, DOIP_E_CONTENT, "`%s` is followed by %s; a message has either the one or the other.",
         message->compact, doip_segment_name(message->kind));
    return DOIP_SEGMENT_ERROR;
}

doip_segment
doip_message_next(doip_message *message)
{
    if (message->error != 0)
        return DOIP_SEGMENT_ERROR;
    if (message->ended)
        return DOIP_SEGMENT_END;
    if (message->at_only)
        return after_only(message);
    if (message->only != NULL) {
        message->at_only = true;
        message->kind = DOIP_SEGMENT_JSON;
        return DOIP_SEGMENT_JSON;
    }
    return move(message) < 0 ? DOIP_SEGMENT_ERROR : message->kind;
}

json_t *
doip_message_json(doip_message *message)
{
    if (message->error != 0 || message->kind != DOIP_SEGMENT_JSON)
        return NULL;
    if (message->at_only)
        return message->only;
    if (message->value == NULL)
        message->value = parse(message, "Cannot parse the JSON of a segment.");
    return message->value;
}

const char *
doip_message_text(doip_message *message, size_t *length)
{
    *length = 0;
    if (message->at_only || message->kind != DOIP_SEGMENT_JSON)
        return NULL;
    return doip_reader_text(message->reader, length);
}

ssize_t
doip_message_read(doip_message *message, void *data, size_t size)
{
    ssize_t n;

    if (message->error != 0)
        return message->error;
    if (message->ended || message->at_only || message->kind != DOIP_SEGMENT_BYTES)
        return 0;
    n = doip_reader_read(message->reader, data, size);
    return n < 0 ? reader_failed(message, (int)n) : n;
}

int
doip_message_end(doip_message *message)
{
    doip_segment kind;

    if (message->error != 0)
        return message->error;
    if (message->ended)
        return 0;
    kind = doip_message_next(message);
    if (kind == DOIP_SEGMENT_END)
        return 0;
    if (kind == DOIP_SEGMENT_ERROR)
        return message->error != 0 ? message->error : message->wait;
    return fail(message, DOIP_E_CONTENT, "The end of the message is due, and %s came.",
                doip_segment_name(kind));
}

bool
doip_message_ended(const doip_message *message)
{
    return message->ended;
}

/* Reads a piece of what is left away: > 0, 0 at the stream's end, or an error. */
static ssize_t
discard_step(doip_message *message, uint64_t budget)
{
    char scrap[16384];
    ssize_t n = 0;

    if (message->kind == DOIP_SEGMENT_BYTES && !message->at_only)
        n = doip_reader_read(message->reader, scrap, budget < sizeof scrap ? (size_t)budget : sizeof scrap);
    if (n != 0)
        return n;
    message->at_only = false;
    return move(message);
}

/* The budget pays for all that is read, framing too: chunks of one byte would be had for little. */
int
doip_message_discard(doip_message *message, uint64_t *budget)
{
    while (!message->ended) {
        uint64_t before = doip_reader_offset(message->reader), gone;
        ssize_t n = *budget > 0 ? discard_step(message, *budget) : DOIP_E_LIMIT;

        if (n == 0)
            return DOIP_E_BROKEN;
        gone = doip_reader_offset(message->reader);
        if (gone >= before) /* else another message began */
            gone -= before;
        *budget = *budget > gone ? *budget - gone : 0;
        if (n < 0)
            return (int)n;
    }
    return 0;
}

int
doip_message_error(const doip_message *message)
{
    return message->error;
}

const char *
doip_message_reason(const doip_message *message)
{
    return message->reason != NULL ? message->reason : "";
}
