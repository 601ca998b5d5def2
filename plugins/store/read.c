/*
 * Retrieve: an object, one element or a range of it, or an object with all element data. Bytes go
 * from their file to the client; the catalog is not held meanwhile.
 */
#include <errno.h>
#include <stdlib.h>

#include "store.h"

/* ------------------------------------------------------------------ ranges */

/* An end of a range: a number (10.0 too, as some clients write it), or digits in a string. */
static bool
range_number(const json_t *value, uint64_t *number)
{
    const char *text = json_string_value(value);
    char *end;

    if (json_is_integer(value) && json_integer_value(value) >= 0) {
        *number = (uint64_t)json_integer_value(value);
        return true;
    }
    if (json_is_real(value) && json_real_value(value) >= 0 && json_real_value(value) < 0x1p63) {
        *number = (uint64_t)json_real_value(value);
        return (double)*number == json_real_value(value);
    }
    if (text == NULL || *text < '0' || *text > '9')
        return false;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return *end == '\0' && errno == 0;
}

/* Sets one end of the range where it is given. */
static doip_result
range_end(doip_response *response, const json_t *range, const char *name, uint64_t *number)
{
    const json_t *value = json_object_get(range, name);

    if (value == NULL || json_is_null(value) || range_number(value, number))
        return DOIP_OK;
    return doip_fail_invalid(response,
                             "The '%s' of the attribute 'range' is not a number from 0 on.", name);
}

/* The part of `length` bytes that the request wants: both ends inclusive, each may be missing. */
static doip_result
range_part(doip_request *request, doip_response *response, uint64_t length, uint64_t *offset,
           uint64_t *size)
{
    const json_t *range = doip_attribute_json(request, "range");
    uint64_t start = 0, end = UINT64_MAX;

    *offset = 0;
    *size = length;
    if (range == NULL)
        return DOIP_OK;
    if (!json_is_object(range))
        return doip_fail_invalid(response,
                                 "The attribute 'range' is not an object with 'start' and 'end'.");
    if (range_end(response, range, "start", &start) != DOIP_OK ||
        range_end(response, range, "end", &end) != DOIP_OK)
        return DOIP_FAILED;
    if (start > end)
        return doip_fail_invalid(response, "The range starts after its end.");
    if (length == 0)
        return DOIP_OK;
    if (start >= length)
        return doip_fail_invalid(response,
                                 "The range starts past the end: the element has %llu bytes.",
                                 (unsigned long long)length);
    *offset = start;
    *size = (end < length ? end + 1 : length) - start;
    return DOIP_OK;
}

/* ------------------------------------------------------------------ one element */

/* The attributes of the answer: what the element is called, and what it is. */
static doip_result
element_attributes(doip_response *response, const char *id, const json_t *element)
{
    json_t *filename = json_object_get(json_object_get(element, "attributes"), "filename");
    json_t *type = json_object_get(element, "type");
    json_t *length = json_object_get(element, "length");
    doip_result result;

    filename = json_is_string(filename) ? json_incref(filename) : json_string(id);
    result = doip_respond_attribute(response, "filename", filename);
    if (result == DOIP_OK && type != NULL)
        result = doip_respond_attribute(response, "type", json_incref(type));
    if (result == DOIP_OK && length != NULL)
        result = doip_respond_attribute(response, "length", json_incref(length));
    return result;
}

static doip_result
element_respond(doip_request *request, doip_response *response, const char *id,
                const json_t *element, const struct repository_bytes *bytes)
{
    uint64_t offset, size;

    if (range_part(request, response, bytes->length, &offset, &size) != DOIP_OK ||
        element_attributes(response, id, element) != DOIP_OK)
        return DOIP_FAILED;
    if (size == 0)
        return doip_respond_bytes(response, "", 0);
    if (bytes->data != NULL)
        return doip_respond_bytes(response, bytes->data + offset, size);
    return doip_respond_fd(response, bytes->fd, (off_t)offset, size);
}

static doip_result
retrieve_element(doip_request *request, doip_response *response, const char *id)
{
    const struct store *store = doip_state(request);
    const struct acl_client client = store_client(request);
    const char *target = doip_request_target(request);
    struct repository_bytes bytes;
    struct failure failure;
    json_t *element;
    doip_result result;
    int status =
        repository_element(store->repository, &client, target, id, &element, &bytes, &failure);

    if (status == REPOSITORY_UNKNOWN && json_is_null(element))
        return doip_fail(response, DOIP_STATUS_UNKNOWN_OBJECT,
                         "The object '%s' has no element '%s'.", target, id);
    if (status != REPOSITORY_OK)
        return store_fail(request, response, status, &failure);
    result = element_respond(request, response, id, element, &bytes);
    json_decref(element);
    repository_bytes_fini(&bytes);
    return result;
}

/* ------------------------------------------------------------------ the object */

/* What was kept as JSON is none any more. */
static doip_result
object_damaged(doip_request *request, doip_response *response)
{
    struct failure failure;

    failure_set(&failure, "attributes of the object '%.200s' are damaged in the catalog",
                doip_request_target(request));
    return store_fail(request, response, REPOSITORY_FAILED, &failure);
}

static doip_result
retrieve_object(doip_request *request, doip_response *response)
{
    const struct store *store = doip_state(request);
    const struct acl_client client = store_client(request);
    struct failure failure;
    doip_result result;
    char *text;
    int status =
        repository_text(store->repository, &client, doip_request_target(request), &text, &failure);

    if (status != REPOSITORY_OK)
        return store_fail(request, response, status, &failure);
    result = doip_respond_text(response, text);
    free(text);
    return result == DOIP_OK ? DOIP_OK : object_damaged(request, response);
}

static doip_result
whole_respond(doip_request *request, doip_response *response, struct repository_whole *whole)
{
    doip_result result = doip_respond_json(response, json_incref(repository_whole_object(whole)));
    struct repository_bytes bytes;
    struct failure failure;
    const char *id;
    int more;

    while (result == DOIP_OK && (more = repository_whole_next(whole, &id, &bytes, &failure)) != 0) {
        if (more < 0)
            return store_fail(request, response, more, &failure);
        result = doip_respond_json(response, json_pack("{s:s}", "id", id));
        if (result == DOIP_OK)
            result = bytes.data != NULL ? doip_respond_bytes(response, bytes.data, bytes.length)
                                        : doip_respond_fd(response, bytes.fd, 0, bytes.length);
    }
    return result;
}

static doip_result
retrieve_whole(doip_request *request, doip_response *response)
{
    const struct store *store = doip_state(request);
    const struct acl_client client = store_client(request);
    struct repository_whole *whole;
    struct failure failure;
    doip_result result;
    int status = repository_whole(store->repository, &client, doip_request_target(request), &whole,
                                  &failure);

    if (status != REPOSITORY_OK)
        return store_fail(request, response, status, &failure);
    result = whole_respond(request, response, whole);
    repository_whole_free(&whole);
    return result;
}

DOIP_EXPORT doip_result
retrieve(doip_request *request, doip_response *response)
{
    const char *element = NULL;
    bool data = false;

    if (doip_attribute_string(request, "element", &element) != DOIP_OK ||
        doip_attribute_bool(request, "includeElementData", &data) != DOIP_OK)
        return DOIP_FAILED;
    if (element != NULL && data)
        return doip_fail_invalid(
            response, "The attributes 'element' and 'includeElementData' exclude each other.");
    if (element != NULL)
        return retrieve_element(request, response, element);
    if (doip_attribute_json(request, "range") != NULL)
        return doip_fail_invalid(response,
                                 "The attribute 'range' needs the attribute 'element' beside it.");
    return data ? retrieve_whole(request, response) : retrieve_object(request, response);
}
