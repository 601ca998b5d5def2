/*
 * The daemon's own answers: see builtin.h. Runs in a worker's thread. ListOperations is answered from the handlers' descriptors and
 * sections: what could be called on this target (protocol section 6, "Targets").
 */
#include <string.h>

#include "builtin.h"
#include "json_list.h"

/* Whether any handler would be asked for this operation on this target. */
static bool
offered(const struct worker *worker, enum operation operation, const char *target)
{
    for (size_t i = 0; i < worker->handlers.count; i++)
        if (worker->handlers.items[i].functions[operation] != NULL &&
            handler_allows(&worker->handlers.items[i], operation, operation_id(operation), target))
            return true;
    return false;
}

static bool
contains(const json_t *list, const char *text)
{
    const json_t *value;
    size_t i;

    json_array_foreach (list, i, value)
        if (strcmp(json_string_value(value), text) == 0)
            return true;
    return false;
}

static void
add(json_t **list, const char *id)
{
    if (!contains(*list, id))
        json_list_add(list, json_string(id));
}

static void
add_offered(const struct worker *worker, json_t **list, enum operation operation, const char *target)
{
    if (offered(worker, operation, target))
        add(list, operation_id(operation));
}

static void
add_extended(const struct worker *worker, json_t **list, const char *target, bool service)
{
    for (size_t i = 0; i < worker->handlers.count; i++) {
        const struct handler *handler = &worker->handlers.items[i];
        const char *const *id = handler->descriptor->operations;

        if (handler->functions[OPERATION_EXTENDED] == NULL ||
            (service && (handler->descriptor->flags & DOIP_FOR_OBJECTS) != 0))
            continue;
        for (; id != NULL && *id != NULL; id++)
            if (handler_allows(handler, OPERATION_EXTENDED, *id, target))
                add(list, *id);
    }
}

/* NULL: memory is short. */
static json_t *
service_operations(const struct worker *worker, const char *target)
{
    json_t *list = json_array();

    add(&list, DOIP_OP_HELLO);
    add(&list, DOIP_OP_LIST);
    add_offered(worker, &list, OPERATION_CREATE, target);
    add_offered(worker, &list, OPERATION_SEARCH, target);
    add_extended(worker, &list, target, true);
    return list;
}

/* Empty where no handler has such objects; NULL: memory is short. */
static json_t *
object_operations(const struct worker *worker, const char *target)
{
    json_t *list = json_array();

    add_offered(worker, &list, OPERATION_RETRIEVE, target);
    add_offered(worker, &list, OPERATION_UPDATE, target);
    add_offered(worker, &list, OPERATION_DELETE, target);
    add_extended(worker, &list, target, false);
    if (json_array_size(list) == 0 || json_array_insert_new(list, 0, json_string(DOIP_OP_LIST)) == 0)
        return list;
    json_decref(list);
    return NULL;
}

static doip_result
answer_list(const struct worker *worker, doip_request *request, doip_response *response)
{
    const char *target = doip_request_target(request);
    json_t *list = doip_request_to_service(request) ? service_operations(worker, target)
                                                     : object_operations(worker, target);

    if (list == NULL || json_array_size(list) > 0)
        return doip_respond_json(response, list);
    json_decref(list);
    return doip_fail(response, DOIP_STATUS_UNKNOWN_OBJECT, "No object %s is known here.", target);
}

doip_result
builtin_answer(struct worker *worker, enum operation operation, doip_request *request, doip_response *response)
{
    switch (operation) {
    case OPERATION_HELLO:
        return doip_respond_json(response, json_incref(worker->service));
    case OPERATION_LIST:
        return answer_list(worker, request, response);
    default:
        return doip_fail_unsupported(response);
    }
}
