/*
 * A request as a handler sees it (protocol section 3): its head read and checked, and who sent it.
 * The input is in input.c. Called by the daemon's connection, and through handler.h by handlers;
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
    json_array_foreach (value, i, member)
        wipe(member);
    json_object_foreach (value, key, member)
        wipe(member);
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

/* ------------------------------------------------------------------ the head */

/* A property of the head, NULL where it is absent or null. */
static json_t *
head_property(const json_t *head, const char *name)
{
    json_t *value = json_object_get(head, name);

    return json_is_null(value) ? NULL : value;
}

static doip_result
head_id(doip_request *request, const json_t *head)
{
    const json_t *id = head_property(head, "requestId");

    if (id == NULL)
        return DOIP_OK;
    if (!json_is_string(id))
        return doip_fail_invalid(&request->response, "`requestId` must be a string.");
    if (json_string_length(id) > DOIP_ID_MAX)
        return doip_fail_invalid(&request->response, "`requestId` must have at most %d bytes.",
                                 DOIP_ID_MAX);
    request->id = id;
    return DOIP_OK;
}

static doip_result
head_operation(doip_request *request, const json_t *head)
{
    const json_t *operation = head_property(head, "operationId");

    if (operation == NULL)
        return doip_fail_invalid(&request->response, "`operationId` is missing.");
    if (json_string_length(operation) == 0)
        return doip_fail_invalid(&request->response, "`operationId` must be a non-empty string.");
    request->operation = json_string_value(operation);
    return DOIP_OK;
}

static doip_result
head_target(doip_request *request, const json_t *head)
{
    const json_t *target = head_property(head, "targetId");
    bool empty = target == NULL || (json_is_string(target) && json_string_length(target) == 0);

    if (target != NULL && !json_is_string(target))
        return doip_fail_invalid(&request->response, "`targetId` must be a string.");
    if (json_string_length(target) > DOIP_ID_MAX)
        return doip_fail_invalid(&request->response, "`targetId` must have at most %d bytes.",
                                 DOIP_ID_MAX);
    if (empty && strcmp(request->operation, DOIP_OP_HELLO) != 0)
        return doip_fail_invalid(&request->response, "`targetId` is %s.",
                                 target == NULL ? "missing" : "empty");
    request->target = empty ? request->service : json_string_value(target);
    return DOIP_OK;
}

/* An empty clientId names nobody, and counts as absent. */
static doip_result
head_client(doip_request *request, const json_t *head)
{
    const json_t *client = head_property(head, "clientId");

    if (client != NULL && !json_is_string(client))
        return doip_fail_invalid(&request->response, "`clientId` must be a string.");
    if (json_string_length(client) > 0)
        request->client_id = json_string_value(client);
    return DOIP_OK;
}

static doip_result
head_attributes(doip_request *request, const json_t *head)
{
    json_t *attributes = head_property(head, "attributes");

    if (attributes != NULL && !json_is_object(attributes))
        return doip_fail_invalid(&request->response, "`attributes` must be an object.");
    request->attributes = json_incref(attributes);
    return DOIP_OK;
}

static doip_result
head_authentication(doip_request *request, const json_t *head)
{
    json_t *authentication = head_property(head, "authentication");

    if (authentication != NULL && !json_is_object(authentication))
        return doip_fail_invalid(&request->response, "`authentication` must be an object.");
    request->authentication = authentication;
    return DOIP_OK;
}

/* A client that has proven one identity may name another only where it asks to act as that one
 * (protocol section 1). */
static doip_result
head_identity(doip_request *request, const json_t *head)
{
    const doip_peer *peer = request->peer;
    const char *as;

    (void)head;
    if (peer == NULL || !peer->verified || peer->identity == NULL || request->client_id == NULL ||
        strcmp(request->client_id, peer->identity) == 0)
        return DOIP_OK;
    as = json_string_value(json_object_get(request->authentication, "asUserId"));
    if (as != NULL && strcmp(request->client_id, as) == 0)
        return DOIP_OK;
    return doip_fail(&request->response, DOIP_STATUS_UNAUTHENTICATED,
                     "`clientId` is not the identity that the client's certificate proves.");
}

/* The checks in their order: requestId first, so that the answer to any later fault carries it; then `authentication`, so
 * that it is wiped whatever follows. */
static doip_result
head_check(doip_request *request, const json_t *head)
{
    static doip_result (*const checks[])(doip_request *, const json_t *) = {
        head_id,     head_authentication, head_operation, head_target,
        head_client, head_attributes,     head_identity};

    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (checks[i](request, head) != DOIP_OK)
            return DOIP_FAILED;
    return DOIP_OK;
}

int
doip_request_head(doip_request *request)
{
    json_t *head = NULL;
    int got = doip_message_head(request->message, &head);

    if (got == DOIP_E_CONTENT || got == DOIP_E_FRAMING || got == DOIP_E_LIMIT) {
        doip_fail_invalid(&request->response, "%s", doip_message_reason(request->message));
        return got;
    }
    if (got == DOIP_E_MEMORY)
        doip_fail(&request->response, DOIP_STATUS_ERROR, "%s", doip_message_reason(request->message));
    if (got != 1)
        return got;
    if (head_check(request, head) == DOIP_OK)
        return 1;
    doip_request_forget_authentication(request);
    return DOIP_E_CONTENT;
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
    return json_string_value(request->id);
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
