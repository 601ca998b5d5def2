/*
 * A request as a handler sees it (protocol section 3): what its head says, and who sent it. The head
 * is read in request_head.c, the input in input.c. Called by the daemon's connection, and through handler.h by handlers;
 * one thread at a time per request.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exchange.h"
#include "text.h"

doip_request *
doip_request_new(doip_reader *reader, doip_writer *writer, const char *service,
                 const doip_peer *peer)
{
    doip_request *request = calloc(1, sizeof *request);

    if (request == NULL)
        return NULL;
    request->reader = reader;
    request->service = service;
    request->peer = peer;
    request->target = request->operation = "";
    request->kind = DOIP_SEGMENT_END;
    response_init(&request->response, request, writer);
    request->message = doip_message_new(reader, "input");
    if (request->message == NULL)
        doip_request_free(&request);
    return request;
}

/* Jansson gives its strings as const, but they are its own heap memory: overwriting them in place is all that can be done. */
static void
wipe(json_t *value)
{
    const char *key;
    json_t *member;
    size_t i;

    if (json_is_string(value))
        explicit_bzero((char *)(uintptr_t)json_string_value(value), json_string_length(value));
    json_array_foreach(value, i, member) wipe(member);
    json_object_foreach(value, key, member) wipe(member);
}

void
doip_request_free(doip_request **request)
{
    doip_request *old = *request;

    if (old == NULL)
        return;
    wipe(old->authentication);
    response_fini(&old->response);
    doip_object_reader_free(&old->object);
    json_decref(old->attributes);
    json_decref(old->value);
    doip_message_free(&old->message);
    free(old->client);
    free(old->ids);
    json_decref(old->groups);
    free(old);
    *request = NULL;
}

doip_response *
doip_request_response(doip_request *request)
{
    return &request->response;
}

doip_result
request_fault(doip_request *request, int error, const char *format, ...)
{
    struct exchange_texts *texts = exchange_texts(&request->response);
    va_list arguments;

    if (request->fault != 0)
        return DOIP_FAILED;
    request->fault = error;
    request->reason = "";
    if (texts == NULL)
        return DOIP_FAILED;
    va_start(arguments, format);
    vsnprintf(texts->fault, sizeof texts->fault, format, arguments);
    va_end(arguments);
    request->reason = texts->fault;
    return DOIP_FAILED;
}

/* ------------------------------------------------------------------ what the head says */

void *
doip_state(const doip_request *request)
{
    return request->state;
}

void
doip_request_set_state(doip_request *request, void *state)
{
    request->state = state;
}

const char *
doip_request_operation(const doip_request *request)
{
    return request->operation;
}

const char *
doip_request_target(const doip_request *request)
{
    return request->target;
}

const char *
doip_request_service(const doip_request *request)
{
    return request->service;
}

bool
doip_request_to_service(const doip_request *request)
{
    return strcmp(request->target, request->service) == 0;
}

const char *
doip_request_id(const doip_request *request)
{
    return request->id;
}

json_t *
doip_request_attributes(const doip_request *request)
{
    /* Made when it is asked for: most requests have none, and most handlers do not ask. */
    if (request->attributes == NULL)
        ((doip_request *)request)->attributes = json_object();
    return request->attributes;
}

json_t *
doip_request_authentication(const doip_request *request)
{
    return request->authentication;
}

void
doip_request_forget_authentication(doip_request *request)
{
    if (request->authentication == NULL)
        return;
    wipe(request->authentication);
    request->authentication = NULL;
    doip_reader_wipe(request->reader);
}

const char *
doip_request_client_id(const doip_request *request)
{
    return request->client_id;
}

doip_message *
doip_request_message(doip_request *request)
{
    return request->message;
}

bool
doip_request_touched(const doip_request *request)
{
    return request->touched;
}

/* ------------------------------------------------------------------ who sent it */

const char *
doip_request_client(const doip_request *request)
{
    const doip_peer *peer = request->peer;

    if (request->client != NULL)
        return request->client;
    return peer != NULL && peer->verified ? peer->identity : NULL;
}

void
doip_request_set_client(doip_request *request, const char *client, json_t *groups)
{
    free(request->client);
    request->client = client != NULL ? strdup(client) : NULL;
    json_decref(request->groups);
    request->groups = json_incref(groups);
}

const json_t *
doip_request_groups(const doip_request *request)
{
    return request->groups;
}

const char *
doip_request_claimed_client(const doip_request *request)
{
    if (request->client_id != NULL)
        return request->client_id;
    return request->peer != NULL ? request->peer->identity : NULL;
}

const char *
doip_request_peer(const doip_request *request)
{
    return request->peer != NULL && request->peer->address != NULL ? request->peer->address : "";
}

const char *
doip_request_certificate(const doip_request *request, bool *verified)
{
    const doip_peer *peer = request->peer;

    if (verified != NULL)
        *verified = peer != NULL && peer->verified;
    return peer != NULL ? peer->certificate : NULL;
}
