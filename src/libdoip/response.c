/*
 * A response as a handler writes it (protocol section 4). Status, attributes and a first JSON value
 * are held back, so that an error can still replace them and a single value can leave in the
 * compact form. The first segment is written in response_head.c; how a response ends is in outcome.c. Called by handlers through handler.h; one thread at a
 * time per request.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exchange.h"
#include "text.h"

void
response_init(doip_response *response, doip_request *request, doip_writer *writer)
{
    response->request = request;
    response->writer = writer;
    response->status = DOIP_STATUS_OK;
    response->message = "";
}

void
response_fini(doip_response *response)
{
    json_decref(response->attributes);
    json_decref(response->held);
    free(response->held_text);
    free(response->texts);
}

struct exchange_texts *
exchange_texts(doip_response *response)
{
    if (response->texts == NULL)
        response->texts = malloc(sizeof *response->texts);
    return response->texts;
}

/* ------------------------------------------------------------------ errors */

/* Without memory, the status is an error's. */
static void
set_status(doip_response *response, const char *status)
{
    struct exchange_texts *texts = exchange_texts(response);

    response->status = DOIP_STATUS_ERROR;
    if (texts == NULL)
        return;
    snprintf(texts->status, sizeof texts->status, "%s", status);
    text_make_valid(texts->status);
    response->status = texts->status;
}

static doip_result
set_error(doip_response *response, const char *status, const char *format, va_list arguments)
{
    struct exchange_texts *texts = exchange_texts(response);

    response->message = "Internal Server Error";
    if (texts != NULL && vsnprintf(texts->message, sizeof texts->message, format, arguments) >= 0) {
        text_make_valid(texts->message);
        response->message = texts->message;
    }
    set_status(response, doip_id_valid(status) ? status : DOIP_STATUS_ERROR);
    response->failed = true;
    response->request->touched = true;
    return DOIP_FAILED;
}

doip_result
doip_fail(doip_response *response, const char *status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    set_error(response, status, format, arguments);
    va_end(arguments);
    return DOIP_FAILED;
}

doip_result
doip_fail_invalid(doip_response *response, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    set_error(response, DOIP_STATUS_INVALID, format, arguments);
    va_end(arguments);
    return DOIP_FAILED;
}

doip_result
doip_fail_unsupported(doip_response *response)
{
    return doip_fail(response, DOIP_STATUS_DECLINED, "This operation is not supported.");
}

/* What a call was given can't be written: a fault of the handler. */
static doip_result
misuse(doip_response *response, const char *what)
{
    return doip_fail(response, DOIP_STATUS_ERROR, "The handler failed: %s.", what);
}

/*
 * True when nothing more should be written; whoever asks has begun to write. A fault in the input
 * will be the answer, as long as no output has left before it was met.
 */
static bool
over(doip_response *response)
{
    const char *reason;

    response->request->touched = true;
    return response->failed || response->broken ||
           request_input_error(response->request, &reason) != 0;
}

/* The result of a call of the writer's. */
static doip_result
written(doip_response *response, int error)
{
    if (error != 0)
        response->broken = true;
    return error == 0 ? DOIP_OK : DOIP_FAILED;
}

/* ------------------------------------------------------------------ the first segment */

/* A JSON segment, given as text; it ends where the next begins. */
static int
write_text(doip_writer *writer, const char *text)
{
    int error = doip_writer_json_begin(writer);

    return error == 0 ? doip_writer_json_text(writer, text, strlen(text)) : error;
}

/* Whether there is output that was held back. */
static bool
holds(const doip_response *response)
{
    return response->held != NULL || response->held_text != NULL;
}

/* Lets the first segment go, and what was held back after it: from here on the response has its
 * full form. */
static doip_result
start(doip_response *response)
{
    int error = 0;

    response->open = RESPONSE_NOTHING;
    if (response->started)
        return DOIP_OK;
    response->started = true;
    error = response_write_head(response, response->attributes, NULL, NULL);
    if (error == 0 && response->held != NULL)
        error = doip_writer_json(response->writer, response->held);
    if (error == 0 && response->held_text != NULL)
        error = write_text(response->writer, response->held_text);
    json_decref(response->held);
    free(response->held_text);
    response->held = NULL;
    response->held_text = NULL;
    return written(response, error);
}

doip_result
doip_respond_status(doip_response *response, const char *status)
{
    if (over(response))
        return DOIP_FAILED;
    if (response->started)
        return misuse(response, "the status was set after output");
    if (!doip_id_valid(status))
        return misuse(response, "a status must have 1 to 512 bytes");
    set_status(response, status);
    return DOIP_OK;
}

doip_result
doip_respond_attribute(doip_response *response, const char *name, json_t *value)
{
    if (over(response)) {
        json_decref(value);
        return DOIP_FAILED;
    }
    if (response->started) {
        json_decref(value);
        return misuse(response, "an attribute was set after output");
    }
    if (response->attributes == NULL)
        response->attributes = json_object();
    if (json_object_set_new(response->attributes, name, value) != 0)
        return misuse(response, "an attribute could not be set");
    return DOIP_OK;
}

/* ------------------------------------------------------------------ JSON */

/* Writes a JSON segment, which stays the caller's. */
static doip_result
respond_value(doip_response *response, json_t *value)
{
    if (over(response))
        return DOIP_FAILED;
    if (value == NULL)
        return misuse(response, "a JSON value is missing (out of memory, or not UTF-8)");
    if (!response->started && !holds(response)) {
        response->held = json_incref(value);
        return DOIP_OK;
    }
    if (start(response) != DOIP_OK)
        return DOIP_FAILED;
    return written(response, doip_writer_json(response->writer, value));
}

doip_result
doip_respond_json(doip_response *response, json_t *value)
{
    doip_result result = respond_value(response, value);

    json_decref(value);
    return result;
}

/* The same of a text that may leave as it is. */
static doip_result
respond_plain(doip_response *response, const char *json)
{
    if (!response->started && !holds(response)) {
        response->held_text = strdup(json);
        return response->held_text != NULL ? DOIP_OK : misuse(response, "memory is short");
    }
    return start(response) == DOIP_OK ? written(response, write_text(response->writer, json))
                                      : DOIP_FAILED;
}

doip_result
doip_respond_text(doip_response *response, const char *json)
{
    char reason[256];
    json_t *value;

    if (over(response))
        return DOIP_FAILED;
    if (doip_json_is_compact(json, strlen(json)))
        return respond_plain(response, json);
    value = doip_json_parse(json, strlen(json), reason, sizeof reason);
    if (value == NULL)
        return doip_fail(response, DOIP_STATUS_ERROR,
                         "The handler failed: its JSON does not parse: %s.", reason);
    return doip_respond_json(response, value);
}

doip_result
doip_respond_json_begin(doip_response *response)
{
    if (over(response) || start(response) != DOIP_OK)
        return DOIP_FAILED;
    response->open = RESPONSE_JSON;
    return written(response, doip_writer_json_begin(response->writer));
}

doip_result
doip_write_value(doip_response *response, json_t *value)
{
    doip_result result = DOIP_FAILED;

    if (over(response))
        result = DOIP_FAILED;
    else if (value == NULL)
        misuse(response, "a JSON value is missing (out of memory, or not UTF-8)");
    else if (response->open != RESPONSE_JSON)
        misuse(response, "a value was written outside a JSON segment");
    else
        result = written(response, doip_writer_json_value(response->writer, value));
    json_decref(value);
    return result;
}

doip_result
doip_write_text(doip_response *response, const char *text)
{
    int error;

    if (over(response))
        return DOIP_FAILED;
    if (response->open != RESPONSE_JSON)
        return misuse(response, "text was written outside a JSON segment");
    error = doip_writer_json_text(response->writer, text, strlen(text));
    if (error == DOIP_E_CONTENT)
        return misuse(response, "the text of a JSON segment must be one line of JSON");
    return written(response, error);
}

/* ------------------------------------------------------------------ bytes */

doip_result
doip_respond_bytes_begin(doip_response *response)
{
    if (over(response) || start(response) != DOIP_OK)
        return DOIP_FAILED;
    response->open = RESPONSE_BYTES;
    return written(response, doip_writer_bytes_begin(response->writer));
}

doip_result
doip_write(doip_response *response, const void *data, size_t size)
{
    if (over(response))
        return DOIP_FAILED;
    if (response->open != RESPONSE_BYTES)
        return misuse(response, "bytes were written outside a bytes segment");
    return written(response, doip_writer_bytes(response->writer, data, size));
}

doip_result
doip_respond_bytes(doip_response *response, const void *data, size_t size)
{
    if (doip_respond_bytes_begin(response) != DOIP_OK)
        return DOIP_FAILED;
    response->open = RESPONSE_NOTHING;
    return written(response, doip_writer_bytes(response->writer, data, size));
}

doip_result
doip_respond_fd(doip_response *response, int fd, off_t offset, uint64_t length)
{
    if (doip_respond_bytes_begin(response) != DOIP_OK)
        return DOIP_FAILED;
    response->open = RESPONSE_NOTHING;
    return written(response, doip_writer_bytes_fd(response->writer, fd, offset, length));
}

/* Why a file can't be sent; its path is not the client's business. */
static doip_result
file_fail(doip_response *response, const char *why)
{
    return doip_fail(response, DOIP_STATUS_ERROR, "A file of the service cannot be read: %s.", why);
}

doip_result
doip_respond_file(doip_response *response, const char *path)
{
    doip_result result;
    struct stat status;
    int fd;

    if (over(response))
        return DOIP_FAILED;
    /* Non-blocking only so that a FIFO does not hold us up. */
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return file_fail(response, strerror(errno));
    if (fstat(fd, &status) != 0)
        result = file_fail(response, strerror(errno));
    else if (!S_ISREG(status.st_mode))
        result = file_fail(response, "not a regular file");
    else
        result = doip_respond_fd(response, fd, 0, (uint64_t)status.st_size);
    close(fd);
    return result;
}
