/*
 * Changes are committed and answered: see pending.h.
 */
#include <stdlib.h>

#include "pending.h"

static struct pending *
pending_begin(doip_request *request, doip_response *response)
{
    struct pending *pending = malloc(sizeof(*pending));

    if (pending == NULL)
        return NULL;
    pending->request = request;
    pending->response = response;
    pending->client = store_client(request);
    pending->change = NULL;
    pending->ticket = 0;
    return pending;
}

struct pending *
pending_new(doip_request *request, doip_response *response)
{
    const struct store *store = doip_state(request);
    struct pending *pending = pending_begin(request, response);

    if (pending == NULL)
        return NULL;
    pending->change = repository_change_new(store->repository, &pending->client);
    if (pending->change != NULL)
        return pending;
    free(pending);
    return NULL;
}

static void
pending_free(struct pending **pending)
{
    repository_change_free(&(*pending)->change);
    free(*pending);
    *pending = NULL;
}

static doip_result
pending_answer(struct pending *pending, int status, json_t *stored, const struct failure *failure)
{
    if (status == REPOSITORY_TAKEN)
        return store_taken(pending->response, pending->id);
    if (status != REPOSITORY_OK)
        return store_fail(pending->request, pending->response, status, failure);
    return pending->change == NULL ? DOIP_OK : doip_respond_json(pending->response, stored);
}

/* In the thread that has committed for it. */
static void
pending_done(void *closure, int status, json_t *stored, struct failure *failure)
{
    struct pending *pending = closure;
    doip_ticket ticket = pending->ticket;
    doip_result result = pending_answer(pending, status, stored, failure);

    pending_free(&pending);
    doip_complete(ticket, result);
}

/* In the calling thread: what has files takes a while to be made durable, and to be cleaned up. */
static doip_result
pending_commit_now(struct pending *pending, const json_t *object,
                   const struct repository_terms *terms)
{
    struct failure failure;
    json_t *stored;
    int status =
        terms == NULL
            ? repository_create(pending->change, pending->id, object, &stored, &failure)
            : repository_update(pending->change, pending->id, object, terms, &stored, &failure);

    return pending_answer(pending, status, stored, &failure);
}

doip_result
pending_commit(struct pending *pending, doip_result result, const json_t *object,
               const struct repository_terms *terms)
{
    if (result == DOIP_OK && repository_change_is_light(pending->change))
        pending->ticket = doip_later(pending->request);
    if (pending->ticket != 0) {
        if (terms != NULL)
            pending->terms = *terms;
        repository_commit_later(pending->change, pending->id, object,
                                terms != NULL ? &pending->terms : NULL, pending_done, pending);
        return DOIP_LATER;
    }
    if (result == DOIP_OK)
        result = pending_commit_now(pending, object, terms);
    pending_free(&pending);
    return result;
}

doip_result
pending_delete(doip_request *request, doip_response *response, int64_t version)
{
    const struct store *store = doip_state(request);
    struct pending *pending = pending_begin(request, response);

    if (pending != NULL && (pending->ticket = doip_later(request)) != 0) {
        repository_delete_later(store->repository, &pending->client, doip_request_target(request),
                                version, pending_done, pending);
        return DOIP_LATER;
    }
    free(pending);
    return doip_fail(response, DOIP_STATUS_ERROR, "Memory is short.");
}
