/*
 * From a request to an answer: the checks that hold for every handler, the chain of handlers, and the daemon's own answers.
 */
#ifndef DOIPD_DISPATCH_H
#define DOIPD_DISPATCH_H

#include <doip/server.h>

#include "worker.h"

/* Whether any handler authenticates. */
bool dispatch_authenticates(const struct worker *worker);
/* Asks those handlers, in the order of the chain, who sent the request: DOIP_OK with its client set; DOIP_FAILED: one says that the
 * credentials are wrong; DOIP_DECLINED: none of them knows. */
doip_result dispatch_authenticate(struct worker *worker, doip_request *request);

/*
 * Answers a request whose head is good, in the calling thread, blocking as the stream's waits say. DOIP_LATER: the handler completes it, and
 * `held` has a place, to be ended.
 */
doip_result dispatch(struct worker *worker, doip_request *request, doip_response *response,
                     struct held *held);

#endif
