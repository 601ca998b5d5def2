/*
 * What the handler's files (store.c, write.c, read.c, find.c, rights.c) share: the state of a worker,
 * who asks, and how a failure of the repository is answered. Called in workers, from any thread.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <doip/handler.h>

#include "repository.h"

struct store {
    struct repository *repository;
    const char *prefix; /* of minted ids */
    struct acl_rules rules;
};

/* The extended operations (rights.c), for the descriptor. */
extern const char *const store_operations[];

/* The client as the repository wants it, borrowed from the request. */
struct acl_client store_client(const doip_request *request);

/* The version that the request expects the object to have. */
doip_result store_version(doip_request *request, doip_response *response, int64_t *version);

/* Fails a create: 105 (protocol section 3), the identifier is in use. */
doip_result store_taken(doip_response *response, const char *id);

/* Fails the request by what the repository said: 104, 103 or 102, 101, or 500. */
doip_result store_fail(doip_request *request, doip_response *response, int status,
                       const struct failure *failure);

#endif
