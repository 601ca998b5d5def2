/*
 * What the handler's files (store.c, write.c, read.c, find.c) share: the state of a worker, and how
 * a failure of the repository is answered. Called in workers, from any thread.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <doip/handler.h>

#include "repository.h"

struct store {
    struct repository *repository;
    const char *prefix; /* of minted ids */
};

/* Fails the request by what the repository said: 104, 101 or 500. */
doip_result store_fail(doip_request *request, doip_response *response, int status,
                       const struct failure *failure);

#endif
