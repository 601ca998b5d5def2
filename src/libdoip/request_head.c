/*
 * The head of a request, read and checked (protocol section 3). Called by the daemon's connection; one
 * thread at a time per request.
 */
#include <stdlib.h>
#include <string.h>

#include "exchange.h"
#include "json_plain.h"

/* The properties that are ids. */
enum id { REQUEST_ID, OPERATION_ID, TARGET_ID, CLIENT_ID, IDS };

/* The properties of a head. What is null counts as absent. */
struct head {
    struct {
        bool given;
        const char *text; /* NULL where it is no string */
        size_t length;
    } ids[IDS];
    json_t *attributes; /* NULL for none */
    json_t *authentication;
};

static bool
is_name(const char *name, const char *key, size_t length)
{
    return strlen(name) == length && memcmp(name, key, length) == 0;
}

/* IDS where it is none of them. */
static enum id
id_of(const char *key, size_t length)
{
    static const char *const names[IDS] = {"requestId", "operationId", "targetId", "clientId"};
    int id = 0;

    while (id < IDS && !is_name(names[id], key, length))
        id++;
    return (enum id)id;
}

static void
head_take(struct head *head, const char *key, size_t length, json_t *value)
{
    enum id id = id_of(key, length);

    if (id < IDS) {
        head->ids[id].given = true;
        head->ids[id].text = json_string_value(value);
        head->ids[id].length = json_string_length(value);
    } else if (is_name("attributes", key, length)) {
        head->attributes = value;
    } else if (is_name("authentication", key, length)) {
        head->authentication = value;
    }
}

/* One walk over what is there costs a quarter of asking for each property by its name. */
static void
head_read_object(struct head *head, json_t *object)
{
    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at))
        if (!json_is_null(json_object_iter_value(at)))
            head_take(head, json_object_iter_key(at), json_object_iter_key_len(at),
                      json_object_iter_value(at));
}

/* The ids are needed when the reader has gone on. */
static bool
head_keep_ids(struct head *head, char **copy)
{
    size_t size = 1;
    char *at;

    for (int i = 0; i < IDS; i++)
        size += head->ids[i].length + 1;
    at = *copy = malloc(size);
    for (int i = 0; at != NULL && i < IDS; i++) {
        if (!head->ids[i].given)
            continue;
        memcpy(at, head->ids[i].text, head->ids[i].length);
        head->ids[i].text = at;
        at += head->ids[i].length;
        *at++ = '\0';
    }
    return at != NULL;
}

/* Most heads hold nothing but ids: of those no tree is made, which would cost a tenth of a small request. False where it is needed. */
static bool
head_read_plain(doip_request *request, struct head *head)
{
    struct json_plain_member members[IDS];
    size_t length;
    const char *text = doip_message_text(request->message, &length);
    int count = text != NULL ? json_plain_members(text, length, members, IDS) : -1;

    for (int i = 0; i < count; i++) {
        enum id id = id_of(members[i].key, members[i].key_length);

        if (id == IDS || head->ids[id].given)
            return false;
        head->ids[id].given = true;
        head->ids[id].text = members[i].value;
        head->ids[id].length = members[i].length;
    }
    return count >= 0 && head_keep_ids(head, &request->ids);
}

/* As doip_message_head(). */
static int
head_read(doip_request *request, struct head *head)
{
    json_t *object = NULL;
    int got = message_begin(request->message);

    memset(head, 0, sizeof *head);
    if (got != 1 || head_read_plain(request, head))
        return got;
    memset(head, 0, sizeof *head);
    got = doip_message_head(request->message, &object);
    if (got == 1)
        head_read_object(head, object);
    return got;
}

static bool
is_string(const struct head *head, enum id id)
{
    return head->ids[id].text != NULL;
}

static doip_result
head_id(doip_request *request, const struct head *head)
{
    if (!head->ids[REQUEST_ID].given)
        return DOIP_OK;
    if (!is_string(head, REQUEST_ID))
        return doip_fail_invalid(&request->response, "`requestId` must be a string.");
    if (head->ids[REQUEST_ID].length > DOIP_ID_MAX)
        return doip_fail_invalid(&request->response, "`requestId` must have at most %d bytes.",
                                 DOIP_ID_MAX);
    request->id = head->ids[REQUEST_ID].text;
    return DOIP_OK;
}

static doip_result
head_operation(doip_request *request, const struct head *head)
{
    if (!head->ids[OPERATION_ID].given)
        return doip_fail_invalid(&request->response, "`operationId` is missing.");
    if (head->ids[OPERATION_ID].length == 0)
        return doip_fail_invalid(&request->response, "`operationId` must be a non-empty string.");
    request->operation = head->ids[OPERATION_ID].text;
    return DOIP_OK;
}

static doip_result
head_target(doip_request *request, const struct head *head)
{
    bool given = head->ids[TARGET_ID].given;
    size_t length = head->ids[TARGET_ID].length;

    if (given && !is_string(head, TARGET_ID))
        return doip_fail_invalid(&request->response, "`targetId` must be a string.");
    if (length > DOIP_ID_MAX)
        return doip_fail_invalid(&request->response, "`targetId` must have at most %d bytes.",
                                 DOIP_ID_MAX);
    if (length == 0 && strcmp(request->operation, DOIP_OP_HELLO) != 0)
        return doip_fail_invalid(&request->response, "`targetId` is %s.",
                                 given ? "empty" : "missing");
    request->target = length == 0 ? request->service : head->ids[TARGET_ID].text;
    return DOIP_OK;
}

/* An empty clientId names nobody, and counts as absent. */
static doip_result
head_client(doip_request *request, const struct head *head)
{
    if (head->ids[CLIENT_ID].given && !is_string(head, CLIENT_ID))
        return doip_fail_invalid(&request->response, "`clientId` must be a string.");
    if (head->ids[CLIENT_ID].length > 0)
        request->client_id = head->ids[CLIENT_ID].text;
    return DOIP_OK;
}

static doip_result
head_attributes(doip_request *request, const struct head *head)
{
    if (head->attributes != NULL && !json_is_object(head->attributes))
        return doip_fail_invalid(&request->response, "`attributes` must be an object.");
    request->attributes = json_incref(head->attributes);
    return DOIP_OK;
}

static doip_result
head_authentication(doip_request *request, const struct head *head)
{
    if (head->authentication != NULL && !json_is_object(head->authentication))
        return doip_fail_invalid(&request->response, "`authentication` must be an object.");
    request->authentication = head->authentication;
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
head_check(doip_request *request, const struct head *head)
{
    static doip_result (*const checks[])(doip_request *, const struct head *) = {
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
    struct head head;
    int got = head_read(request, &head);

    if (got == DOIP_E_CONTENT || got == DOIP_E_FRAMING || got == DOIP_E_LIMIT) {
        doip_fail_invalid(&request->response, "%s", doip_message_reason(request->message));
        return got;
    }
    if (got == DOIP_E_MEMORY)
        doip_fail(&request->response, DOIP_STATUS_ERROR, "%s",
                  doip_message_reason(request->message));
    if (got != 1)
        return got;
    if (head_check(request, &head) == DOIP_OK)
        return 1;
    doip_request_forget_authentication(request);
    return DOIP_E_CONTENT;
}
