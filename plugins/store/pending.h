/*
 * A create, an update or a delete between its request and its answer: write.c reads it in, and then it is
 * committed, mostly after the function has returned. In each worker process; it belongs to one thread
 * at a time.
 */
#ifndef STORE_PENDING_H
#define STORE_PENDING_H

#include "store.h"

struct pending {
    doip_request *request;
    doip_response *response;
    struct acl_client client;
    struct repository_change *change; /* NULL: delete */
    struct repository_terms terms;
    const char *id; /* of the object */
    char minted[DOIP_ID_MAX + 1];
    doip_ticket ticket;
};

/* NULL: memory is short. */
struct pending *pending_new(doip_request *request, doip_response *response);

/*
 * Ends it: where `result` is DOIP_OK, commits it (the object and what the terms name are the
 * request's; no terms: as a new one) and answers, mostly later. For the function to return.
 */
doip_result pending_commit(struct pending *pending, doip_result result, const json_t *object,
                           const struct repository_terms *terms);

/* Deletes the request's target, of that version, and answers later. For the function to return. */
doip_result pending_delete(doip_request *request, doip_response *response, int64_t version);

#endif
