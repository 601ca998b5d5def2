/*
 * From a request to an answer: the checks that hold for every handler, the chain of handlers, and the daemon's own answers.
 */
#ifndef DOIPD_DISPATCH_H
#define DOIPD_DISPATCH_H

#include <doip/server.h>

#include "worker.h"

/* Answers a request whose head is good, in the calling thread, blocking as the stream's waits say. */
doip_result dispatch(struct worker *worker, doip_request *request, doip_response *response);

#endif
