/*
 * A request's attributes and input as a handler reads them (handler.h). A fault in what the client
 * sent is latched in the request, and answered by response.c whatever the handler returns. One
 * thread at a time per request.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exchange.h"

/* ------------------------------------------------------------------ attributes */

json_t *
doip_attribute_json(const doip_request *request, const char *name)
{
    json_t *value = json_object_get(request->attributes, name);

    return json_is_null(value) ? NULL : value;
}

static doip_result
attribute_fail(doip_request *request, const char *name, const char *due)
{
    request->touched = true;
    return doip_fail_invalid(&request->response, "The attribute `%s` must be %s.", name, due);
}

doip_result
doip_attribute_string(doip_request *request, const char *name, const char **value)
{
    const json_t *given = doip_attribute_json(request, name);

    if (given == NULL)
        return DOIP_OK;
    if (!json_is_string(given))
        return attribute_fail(request, name, "a string");
    *value = json_string_value(given);
    return DOIP_OK;
}

/* Decimal digits with no leading zero, maybe a minus before them; nothing else. */
static bool
parse_integer(const char *text, int64_t *value)
{
    const char *digits = *text == '-' ? text + 1 : text;
    long long number;

    if (digits[strspn(digits, "0123456789")] != '\0' || *digits == '\0' ||
        (*digits == '0' && digits[1] != '\0'))
        return false;
    errno = 0;
    number = strtoll(text, NULL, 10);
    if (errno != 0)
        return false;
    *value = number;
    return true;
}

/* 10.0 is an integer, as some clients write them. */
static bool
integral(double real, int64_t *value)
{
    /* cppcheck-suppress incorrectLogicOperator ; it takes 0x1p63 for 1 */
    if (real != floor(real) || real < -0x1p63 || real >= 0x1p63)
        return false;
    *value = (int64_t)real;
    return true;
}

doip_result
doip_attribute_int(doip_request *request, const char *name, int64_t *value)
{
    const json_t *given = doip_attribute_json(request, name);

    if (given == NULL)
        return DOIP_OK;
    if (json_is_integer(given)) {
        *value = json_integer_value(given);
        return DOIP_OK;
    }
    if (json_is_real(given) && integral(json_real_value(given), value))
        return DOIP_OK;
    if (json_is_string(given) && parse_integer(json_string_value(given), value))
        return DOIP_OK;
    return attribute_fail(request, name, "an integer");
}

doip_result
doip_attribute_bool(doip_request *request, const char *name, bool *value)
{
    const json_t *given = doip_attribute_json(request, name);
    const char *text = json_string_value(given);

    if (given == NULL)
        return DOIP_OK;
    if (json_is_true(given) || (text != NULL && strcasecmp(text, "true") == 0))
        *value = true;
    else if (json_is_false(given) || (text != NULL && strcasecmp(text, "false") == 0))
        *value = false;
    else
        return attribute_fail(request, name, "true or false");
    return DOIP_OK;
}

/* ------------------------------------------------------------------ faults */

int
request_input_error(const doip_request *request, const char **reason)
{
    /* Broken framing outweighs what was found wrong before: the connection can't go on. */
    int error = doip_message_error(request->message);

    if (request->fault != 0 && (error == 0 || error == DOIP_E_CONTENT)) {
        *reason = request->reason;
        return request->fault;
    }
    *reason = doip_message_reason(request->message);
    return error;
}

bool
doip_request_timed_out(const doip_request *request)
{
    return request->fault == DOIP_E_TIMEOUT;
}

/*
 * Latches what the message layer says; `error` is what its call returned, 0 where it only said that
 * something is wrong. A message does not latch that its peer let it wait too long: for a request
 * that is final.
 */
static doip_result
latch_message(doip_request *request, int error)
{
    if (error == 0)
        error = doip_message_error(request->message);
    return request_fault(request, error != 0 ? error : DOIP_E_TIMEOUT, "%s",
                         doip_message_reason(request->message));
}

/* Latches that the segment is not of the kind that is due. */
static doip_result
latch_kind(doip_request *request, const char *due)
{
    return request_fault(request, DOIP_E_CONTENT, "The input must have %s here, not %s.", due,
                         doip_segment_name(request->kind));
}

/* ------------------------------------------------------------------ segments */

doip_segment
doip_input_next(doip_request *request)
{
    request->touched = true;
    if (request->fault != 0)
        return DOIP_SEGMENT_ERROR;
    request->kind = doip_message_next(request->message);
    if (request->kind == DOIP_SEGMENT_ERROR)
        latch_message(request, 0);
    return request->kind;
}

json_t *
doip_input_json(doip_request *request)
{
    json_t *value;

    request->touched = true;
    if (request->fault != 0)
        return NULL;
    if (request->kind != DOIP_SEGMENT_JSON) {
        latch_kind(request, "a JSON segment");
        return NULL;
    }
    value = doip_message_json(request->message);
    if (value == NULL)
        latch_message(request, 0);
    if (value != request->value) {
        json_decref(request->value);
        request->value = json_incref(value);
    }
    return value;
}

json_t *
doip_input_next_json(doip_request *request)
{
    return doip_input_next(request) == DOIP_SEGMENT_ERROR ? NULL : doip_input_json(request);
}

doip_result
doip_input_next_bytes(doip_request *request)
{
    doip_segment kind = doip_input_next(request);

    if (kind == DOIP_SEGMENT_BYTES)
        return DOIP_OK;
    return kind == DOIP_SEGMENT_ERROR ? DOIP_FAILED : latch_kind(request, "a bytes segment");
}

ssize_t
doip_read(doip_request *request, void *data, size_t size)
{
    ssize_t got;

    request->touched = true;
    if (request->fault == 0 && request->kind != DOIP_SEGMENT_BYTES)
        latch_kind(request, "a bytes segment");
    if (request->fault != 0)
        return request->fault;
    got = doip_message_read(request->message, data, size);
    if (got < 0)
        latch_message(request, (int)got);
    return got;
}

doip_result
doip_input_end(doip_request *request)
{
    int error;

    if (request->fault != 0)
        return DOIP_FAILED;
    error = doip_message_end(request->message);
    return error == 0 ? DOIP_OK : latch_message(request, error);
}

/* ------------------------------------------------------------------ a digital object */

static void
latch_object(doip_request *request)
{
    request_fault(request, object_reader_error(request->object), "%s",
                  doip_object_reader_reason(request->object));
}

json_t *
doip_input_object(doip_request *request, int flags)
{
    json_t *object;

    request->touched = true;
    if (request->fault != 0)
        return NULL;
    /* Asked again, it moves nothing. */
    if (request->object != NULL)
        return doip_object_reader_object(request->object);
    request->object = doip_object_reader_new(request->message, flags);
    if (request->object == NULL) {
        doip_fail(&request->response, DOIP_STATUS_ERROR, "Memory is short.");
        return NULL;
    }
    object = doip_object_reader_object(request->object);
    if (object == NULL)
        latch_object(request);
    request->kind = object != NULL ? DOIP_SEGMENT_JSON : DOIP_SEGMENT_END;
    return object;
}

int
doip_input_element(doip_request *request, json_t **element)
{
    int got;

    if (request->object == NULL && doip_input_object(request, 0) == NULL)
        return request->fault != 0 ? request->fault : DOIP_E_SYSTEM;
    if (request->fault != 0)
        return request->fault;
    got = doip_object_reader_next(request->object, element);
    request->kind = got == 1 ? DOIP_SEGMENT_BYTES : DOIP_SEGMENT_END;
    if (got < 0)
        latch_object(request);
    return got;
}
