/*
 * The head of a request, read and checked (protocol section 3). Called by the daemon's connection; one
 * thread at a time per request.
 */
#include <string.h>

#include "exchange.h"

/* The properties of a head, and their values: NULL where one is absent or null. */
enum property {
    REQUEST_ID,
    OPERATION_ID,
    TARGET_ID,
    CLIENT_ID,
    ATTRIBUTES,
    AUTHENTICATION,
    PROPERTIES
};
struct head {
    json_t *values[PROPERTIES];
};

static void
head_take(struct head *head, const char *key, size_t length, json_t *value)
{
#define NAME(name)            \
    {                         \
        name, sizeof name - 1 \
    }
    static const struct {
        const char *text;
        size_t length;
    } names[PROPERTIES] = {NAME("requestId"), NAME("operationId"), NAME("targetId"),
                           NAME("clientId"),  NAME("attributes"),  NAME("authentication")};
#undef NAME

    for (int i = 0; i < PROPERTIES; i++)
        if (names[i].length == length && memcmp(names[i].text, key, length) == 0)
            head->values[i] = value;
}

/* One walk over what is there costs a quarter of asking for each property by its name. */
static void
head_read(struct head *head, json_t *object)
{
    void *at = json_object_iter(object);

    memset(head, 0, sizeof *head);
    for (; at != NULL; at = json_object_iter_next(object, at))
        if (!json_is_null(json_object_iter_value(at)))
            head_take(head, json_object_iter_key(at), json_object_iter_key_len(at),
                      json_object_iter_value(at));
}

static doip_result
head_id(doip_request *request, const struct head *head)
{
    const json_t *id = head->values[REQUEST_ID];

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
head_operation(doip_request *request, const struct head *head)
{
    const json_t *operation = head->values[OPERATION_ID];

    if (operation == NULL)
        return doip_fail_invalid(&request->response, "`operationId` is missing.");
    if (json_string_length(operation) == 0)
        return doip_fail_invalid(&request->response, "`operationId` must be a non-empty string.");
    request->operation = json_string_value(operation);
    return DOIP_OK;
}

static doip_result
head_target(doip_request *request, const struct head *head)
{
    const json_t *target = head->values[TARGET_ID];
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
head_client(doip_request *request, const struct head *head)
{
    const json_t *client = head->values[CLIENT_ID];

    if (client != NULL && !json_is_string(client))
        return doip_fail_invalid(&request->response, "`clientId` must be a string.");
    if (json_string_length(client) > 0)
        request->client_id = json_string_value(client);
    return DOIP_OK;
}

static doip_result
head_attributes(doip_request *request, const struct head *head)
{
    json_t *attributes = head->values[ATTRIBUTES];

    if (attributes != NULL && !json_is_object(attributes))
        return doip_fail_invalid(&request->response, "`attributes` must be an object.");
    request->attributes = json_incref(attributes);
    return DOIP_OK;
}

static doip_result
head_authentication(doip_request *request, const struct head *head)
{
    json_t *authentication = head->values[AUTHENTICATION];

    if (authentication != NULL && !json_is_object(authentication))
        return doip_fail_invalid(&request->response, "`authentication` must be an object.");
    request->authentication = authentication;
    return DOIP_OK;
}

/* A client that has proven one identity may name another only where it asks to act as that one
 * (protocol section 1). */
static doip_result
head_identity(doip_request *request, const struct head *head)
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
head_check(doip_request *request, json_t *object)
{
    static doip_result (*const checks[])(doip_request *, const struct head *) = {
        head_id,     head_authentication, head_operation, head_target,
        head_client, head_attributes,     head_identity};
    struct head head;

    head_read(&head, object);
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (checks[i](request, &head) != DOIP_OK)
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
        doip_fail(&request->response, DOIP_STATUS_ERROR, "%s",
                  doip_message_reason(request->message));
    if (got != 1)
        return got;
    if (head_check(request, head) == DOIP_OK)
        return 1;
    doip_request_forget_authentication(request);
    return DOIP_E_CONTENT;
}
