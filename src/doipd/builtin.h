/*
 * The daemon's own answers, where no handler gives one: Hello, ListOperations, and the refusal of everything else.
 */
#ifndef DOIPD_BUILTIN_H
#define DOIPD_BUILTIN_H

#include <doip/server.h>

#include "operations.h"
#include "worker.h"

doip_result builtin_answer(struct worker *worker, enum operation operation, doip_request *request,
                           doip_response *response);

#endif
