/*
 * One call for everything that the Python SDK gives to the author of a handler (protocol section 7); test_handler.py asks for
 * each by an extended operation, "20.DOIP/Sdk.WriteJson" and so on. Also the seven hooks, each saying its name.
 * Runs in a worker's threads.
 */
#include <doip/handler.h>

#include <string.h>

static const char *const operations[] = {
    "20.DOIP/Sdk.GetChunks",   "20.DOIP/Sdk.WriteJson",  "20.DOIP/Sdk.WriteString", "20.DOIP/Sdk.WriteFile",
    "20.DOIP/Sdk.WriteEmpty",  "20.DOIP/Sdk.Unknown",    "20.DOIP/Sdk.Invalid",     "20.DOIP/Sdk.Raise",
    "20.DOIP/Sdk.Segments",    NULL,
};

DOIP_HANDLER(.name = "sdk", .version = "1.0", .flags = DOIP_THREAD_SAFE, .operations = operations);

/* SocketReader.get_chunks(): over segments, chunk by chunk. */
static doip_result
get_chunks(doip_request *request, doip_response *response)
{
    char chunk[1000];
    json_t *seen = json_array();
    doip_segment kind;
    ssize_t got = 0;

    while (got >= 0 && (kind = doip_input_next(request)) > DOIP_SEGMENT_END) {
        json_int_t bytes = 0;

        if (kind == DOIP_SEGMENT_JSON) {
            json_array_append(seen, doip_input_json(request));
            continue;
        }
        while ((got = doip_read(request, chunk, sizeof(chunk))) > 0)
            bytes += got;
        json_array_append_new(seen, json_integer(bytes));
    }
    return doip_respond_json(response, seen);
}

/* write_json_segment(), with response attributes. */
static doip_result
write_json(doip_request *request, doip_response *response)
{
    (void)request;
    if (doip_respond_attribute(response, "answer", json_integer(42)) != DOIP_OK)
        return DOIP_FAILED;
    return doip_respond_json(response, json_pack("{s:[i i]}", "json", 1, 2));
}

/* write_string_segment(): JSON as text. */
static doip_result
write_string(doip_request *request, doip_response *response)
{
    (void)request;
    return doip_respond_text(response, "{\n  \"string\": [1, 2.5, \"\\u00e9\"]\n}");
}

/* write_file_segment(path). */
static doip_result
write_file(doip_request *request, doip_response *response)
{
    const char *path = "";

    if (doip_attribute_string(request, "path", &path) != DOIP_OK)
        return DOIP_FAILED;
    return doip_respond_file(response, path);
}

/* write_empty_segment(): the daemon's task; nothing to do. */
static doip_result
write_empty(doip_request *request, doip_response *response)
{
    (void)request;
    (void)response;
    return DOIP_OK;
}

/* send_unknown_operation_response(). */
static doip_result
unknown(doip_request *request, doip_response *response)
{
    (void)request;
    return doip_fail_unsupported(response);
}

/* send_invalid_request_response(reason). */
static doip_result
invalid(doip_request *request, doip_response *response)
{
    (void)request;
    return doip_fail_invalid(response, "the reason is %d", 42);
}

/* An exception. */
static doip_result
raise_error(doip_request *request, doip_response *response)
{
    (void)request;
    (void)response;
    return DOIP_FAILED;
}

/* Several segments of both kinds in one answer. */
static doip_result
segments(doip_request *request, doip_response *response)
{
    (void)request;
    if (doip_respond_json(response, json_string("one")) != DOIP_OK ||
        doip_respond_bytes(response, "two\n#\n", 6) != DOIP_OK || doip_respond_bytes_begin(response) != DOIP_OK ||
        doip_write(response, "th", 2) != DOIP_OK || doip_write(response, "ree", 3) != DOIP_OK ||
        doip_respond_bytes(response, "", 0) != DOIP_OK)
        return DOIP_FAILED;
    return doip_respond_json(response, json_string("five"));
}

DOIP_EXPORT doip_result
extended(doip_request *request, doip_response *response)
{
    static doip_result (*const calls[])(doip_request *, doip_response *) = {
        get_chunks, write_json, write_string, write_file, write_empty, unknown, invalid, raise_error, segments};

    for (size_t i = 0; operations[i] != NULL; i++)
        if (strcmp(doip_request_operation(request), operations[i]) == 0)
            return calls[i](request, response);
    return DOIP_DECLINED;
}

#define HOOK(name)                                                                                 \
    DOIP_EXPORT doip_result name(doip_request *request, doip_response *response)                   \
    {                                                                                              \
        (void)request;                                                                             \
        return doip_respond_json(response, json_string(#name));                                    \
    }

HOOK(hello)
HOOK(create)
HOOK(retrieve)
HOOK(update)
HOOK(delete)
HOOK(search)
HOOK(list)
