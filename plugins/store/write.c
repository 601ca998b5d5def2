/*
 * Create, Update and Delete. An object and its element bytes are streamed into a change; it is
 * committed only when the whole message has arrived, and answered only when it is on disk.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "pending.h"

/* What is read at a time of an element that may be a small one: a TLS record. */
#define PIECE (16u << 10)

/* Bytes of the element at hand, from the client to the change. */
static doip_result
stage_bytes(doip_request *request, doip_response *response, struct repository_change *change)
{
    char piece[PIECE];
    struct failure failure;
    ssize_t got;

    do {
        size_t room = sizeof(piece);
        char *place = repository_stage_room(change, &room);
        int status;

        if (place == NULL)
            place = piece;
        got = doip_read(request, place, room);
        if (got > 0 && (status = repository_stage_write(change, place, (size_t)got, &failure)) !=
                           REPOSITORY_OK)
            return store_fail(request, response, status, &failure);
    } while (got > 0);
    if (got < 0)
        return DOIP_FAILED;
    if (repository_stage_end(change, &failure) != REPOSITORY_OK)
        return store_fail(request, response, REPOSITORY_FAILED, &failure);
    return DOIP_OK;
}

/* All element data of the message, and its end. */
static doip_result
stage_all(doip_request *request, doip_response *response, struct repository_change *change)
{
    doip_result result = DOIP_OK;
    struct failure failure;
    json_t *element;
    int more;

    while (result == DOIP_OK && (more = doip_input_element(request, &element)) != 0) {
        const char *id = more < 0 ? NULL : json_string_value(json_object_get(element, "id"));

        if (more < 0)
            result = DOIP_FAILED;
        else if (repository_stage_begin(change, id, &failure) != REPOSITORY_OK)
            result = store_fail(request, response, REPOSITORY_FAILED, &failure);
        else
            result = stage_bytes(request, response, change);
    }
    return result == DOIP_OK ? doip_input_end(request) : result;
}

/* Who may, as the object says it itself. */
static doip_result
check_acl(doip_response *response, const json_t *object)
{
    const json_t *acl = json_object_get(json_object_get(object, "attributes"), ACL_ATTRIBUTE);
    char reason[600];

    if (acl == NULL || json_is_null(acl) ||
        acl_check(acl, "attributes." ACL_ATTRIBUTE, reason, sizeof(reason)))
        return DOIP_OK;
    return doip_fail_invalid(response, "In the object, %s.", reason);
}

/* ------------------------------------------------------------------ create */

/* Refuses what can be refused before the bytes are read: an id that is in use, not only after. */
static doip_result
create_check(doip_request *request, doip_response *response, const json_t *object)
{
    const struct store *store = doip_state(request);
    const char *id = doip_object_id(object);
    struct failure failure;
    int status;

    if (check_acl(response, object) != DOIP_OK)
        return DOIP_FAILED;
    if (id == NULL)
        return DOIP_OK;
    if (strcmp(id, doip_request_service(request)) == 0)
        return store_taken(response, id);
    status =
        repository_check(store->repository, NULL, ACL_READ, id, REPOSITORY_ANY_VERSION, &failure);
    if (status == REPOSITORY_UNKNOWN)
        return DOIP_OK;
    return status == REPOSITORY_OK ? store_taken(response, id)
                                   : store_fail(request, response, status, &failure);
}

/* Milliseconds since 1970, so that ids made one after the other share a page of the catalog's index;
 * then 64 random bits. */
static doip_result
create_mint(struct pending *pending)
{
    const struct store *store = doip_state(pending->request);
    unsigned long long random;
    struct timespec now;

    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return doip_fail(pending->response, DOIP_STATUS_ERROR,
                         "No random bits are to be had for an identifier.");
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(pending->minted, sizeof(pending->minted), "%s/%012llx%016llx", store->prefix,
             (unsigned long long)now.tv_sec * 1000 + (unsigned long long)now.tv_nsec / 1000000,
             random);
    pending->id = pending->minted;
    return DOIP_OK;
}

DOIP_EXPORT doip_result
create(doip_request *request, doip_response *response)
{
    json_t *object = doip_input_object(request, 0);
    struct pending *pending;
    doip_result result;

    if (object == NULL)
        return DOIP_FAILED;
    result = create_check(request, response, object);
    if (result != DOIP_OK)
        return result;
    pending = pending_new(request, response);
    if (pending == NULL)
        return doip_fail(response, DOIP_STATUS_ERROR, "Memory is short.");
    pending->id = doip_object_id(object);
    result = stage_all(request, response, pending->change);
    if (result == DOIP_OK && pending->id == NULL)
        result = create_mint(pending);
    return pending_commit(pending, result, object, NULL);
}

/* ------------------------------------------------------------------ update and delete */

/* The elements that an update removes: ids of elements that the input does not give. */
static doip_result
update_drop(doip_request *request, doip_response *response, const json_t *object,
            const json_t **drop)
{
    const json_t *list = doip_attribute_json(request, "elementsToDelete");
    json_t *id;
    size_t i;

    if (list == NULL)
        return DOIP_OK;
    if (!json_is_array(list))
        return doip_fail_invalid(
            response, "The attribute 'elementsToDelete' is not an array of element ids.");
    json_array_foreach(list, i, id)
    {
        if (!json_is_string(id))
            return doip_fail_invalid(
                response, "Item %zu of the attribute 'elementsToDelete' is not a string.", i);
        if (doip_object_element(object, json_string_value(id)) != NULL)
            return doip_fail_invalid(
                response, "The element '%s' is given in the input and in 'elementsToDelete'.",
                json_string_value(id));
    }
    *drop = list;
    return DOIP_OK;
}

/* What can be known before the bytes are read. */
static doip_result
update_check(doip_request *request, doip_response *response, const json_t *object,
             struct repository_terms *terms)
{
    const struct store *store = doip_state(request);
    const struct acl_client client = store_client(request);
    const char *id = doip_object_id(object);
    const char *target = doip_request_target(request);
    struct failure failure;
    int status;

    if (id != NULL && strcmp(id, target) != 0)
        return doip_fail_invalid(
            response, "The id of the input, '%s', is not that of the target, '%s'.", id, target);
    if (check_acl(response, object) != DOIP_OK ||
        store_version(request, response, &terms->version) != DOIP_OK ||
        update_drop(request, response, object, &terms->drop) != DOIP_OK)
        return DOIP_FAILED;
    status =
        repository_check(store->repository, &client, ACL_WRITE, target, terms->version, &failure);
    return status == REPOSITORY_OK ? DOIP_OK : store_fail(request, response, status, &failure);
}

DOIP_EXPORT doip_result
update(doip_request *request, doip_response *response)
{
    json_t *object = doip_input_object(request, DOIP_OBJECT_TYPE_OPTIONAL);
    struct repository_terms terms = {.drop = NULL};
    struct pending *pending;
    doip_result result;

    if (object == NULL)
        return DOIP_FAILED;
    result = update_check(request, response, object, &terms);
    if (result != DOIP_OK)
        return result;
    pending = pending_new(request, response);
    if (pending == NULL)
        return doip_fail(response, DOIP_STATUS_ERROR, "Memory is short.");
    pending->id = doip_request_target(request);
    result = stage_all(request, response, pending->change);
    return pending_commit(pending, result, object, &terms);
}

DOIP_EXPORT doip_result delete (doip_request *request, doip_response *response)
{
    int64_t version;

    if (doip_input_end(request) != DOIP_OK || store_version(request, response, &version) != DOIP_OK)
        return DOIP_FAILED;
    return pending_delete(request, response, version);
}
