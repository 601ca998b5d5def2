/*
 * The extended operations on access lists: GetAcl and UpdateAcl. In each worker process, from any
 * thread.
 */
#include <string.h>

#include "store.h"

#define GET_ACL "20.DOIP/Op.GetAcl"
#define UPDATE_ACL "20.DOIP/Op.UpdateAcl"

const char *const store_operations[] = {GET_ACL, UPDATE_ACL, NULL};

/* Answers with the lists that hold for the object, which is taken over. */
static doip_result
rights_respond(doip_request *request, doip_response *response, json_t *object)
{
    const struct store *store = doip_state(request);
    const struct acl_object about = acl_object(object);
    json_t *shown = acl_shown(&store->rules, &about);

    json_decref(object);
    return doip_respond_json(response, shown);
}

static doip_result
rights_get(doip_request *request, doip_response *response)
{
    const struct store *store = doip_state(request);
    const struct acl_client client = store_client(request);
    struct failure failure;
    json_t *object;
    int status;

    if (doip_input_end(request) != DOIP_OK)
        return DOIP_FAILED;
    status = repository_object(store->repository, &client, doip_request_target(request), &object,
                               &failure);
    return status == REPOSITORY_OK ? rights_respond(request, response, object)
                                   : store_fail(request, response, status, &failure);
}

/* The lists in the input, the caller's even when it fails. None at all is a mistake rather than a
 * wish to have no protection: that is an empty object. */
static doip_result
rights_input(doip_request *request, doip_response *response, json_t **acl)
{
    char reason[600] = "there is no input";

    if (doip_input_next(request) == DOIP_SEGMENT_JSON)
        *acl = json_incref(doip_input_json(request));
    if (*acl == NULL || !acl_check(*acl, "the input", reason, sizeof(reason)))
        return doip_fail_invalid(response,
                                 UPDATE_ACL " wants an object with 'readers' and 'writers', or an "
                                            "empty one for the defaults, but %s.",
                                 reason);
    return doip_input_end(request);
}

static doip_result
rights_commit(doip_request *request, doip_response *response, const struct repository_terms *terms)
{
    const struct store *store = doip_state(request);
    const struct acl_client client = store_client(request);
    struct repository_change *change = repository_change_new(store->repository, &client);
    json_t *nothing = json_object(), *stored = NULL;
    struct failure failure;
    int status = failure_set(&failure, "memory is short");

    if (change != NULL && nothing != NULL)
        status = repository_update(change, doip_request_target(request), nothing, terms, &stored,
                                   &failure);
    repository_change_free(&change);
    json_decref(nothing);
    return status == REPOSITORY_OK ? rights_respond(request, response, stored)
                                   : store_fail(request, response, status, &failure);
}

static doip_result
rights_update(doip_request *request, doip_response *response)
{
    struct repository_terms terms = {.drop = NULL};
    doip_result result = store_version(request, response, &terms.version);

    if (result == DOIP_OK)
        result = rights_input(request, response, &terms.acl);
    if (result == DOIP_OK)
        result = rights_commit(request, response, &terms);
    json_decref(terms.acl);
    return result;
}

DOIP_EXPORT doip_result
extended(doip_request *request, doip_response *response)
{
    const char *operation = doip_request_operation(request);
    bool get = strcmp(operation, GET_ACL) == 0;

    if (!get && strcmp(operation, UPDATE_ACL) != 0)
        return DOIP_DECLINED;
    if (doip_request_to_service(request))
        return doip_fail_invalid(response,
                                 "The target of %s must be a digital object, not the "
                                 "service %s.",
                                 operation, doip_request_service(request));
    return get ? rights_get(request, response) : rights_update(request, response);
}
