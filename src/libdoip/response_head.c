/*
 * The first segment of a response (protocol section 4): {"requestId", "status", "attributes", "output"}, and an error's. Called by
 * response.c and outcome.c; one thread at a time per request.
 */
#include <string.h>

#include "exchange.h"
#include "writer_impl.h"

/* One member of the first segment: `name` as it stands before the value, which may be missing. */
static int
write_member(doip_writer *writer, const char *name, const json_t *value)
{
    int error = 0;

    if (value != NULL)
        error = doip_writer_json_text(writer, name, strlen(name));
    return value != NULL && error == 0 ? doip_writer_json_value(writer, value) : error;
}

static int
write_string(doip_writer *writer, const char *name, const char *text)
{
    int error = doip_writer_json_text(writer, name, strlen(name));

    return error == 0 ? writer_json_string(writer, text) : error;
}

/* Piece by piece: it is on the path of every answer, and a tree of it would cost more than the writing. */
int
response_write_head(doip_response *response, const json_t *attributes, const json_t *output,
                    const char *output_text)
{
    doip_writer *writer = response->writer;
    const char *id = response->request->id;
    const char *status = id == NULL ? "{\"status\":" : ",\"status\":";
    int error = doip_writer_json_begin(writer);

    if (error == 0 && id != NULL)
        error = write_string(writer, "{\"requestId\":", id);
    if (error == 0)
        error = write_string(writer, status, response->status);
    if (error == 0)
        error = write_member(writer, ",\"attributes\":", attributes);
    if (error == 0)
        error = write_member(writer, ",\"output\":", output);
    if (error == 0 && output_text != NULL)
        error = doip_writer_json_text(writer, ",\"output\":", strlen(",\"output\":"));
    if (error == 0 && output_text != NULL)
        error = doip_writer_json_text(writer, output_text, strlen(output_text));
    if (error == 0)
        error = doip_writer_json_text(writer, "}", 1);
    return error;
}

int
response_write_whole(doip_response *response)
{
    response->started = true;
    return response_write_head(response, response->attributes, response->held, response->held_text);
}

int
response_write_error(doip_response *response)
{
    json_t *message = json_string(response->message);
    json_t *attributes = json_pack("{s:O}", "message", message);
    json_t *output = json_pack("{s:O, s:O}", "reason", message, "message", message);
    int error = DOIP_E_SYSTEM;

    response->started = true;
    if (attributes != NULL && output != NULL)
        error = response_write_head(response, attributes, output, NULL);
    json_decref(message);
    json_decref(attributes);
    json_decref(output);
    return error;
}
