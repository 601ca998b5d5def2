/*
 * What a client may call: the lists `access.anonymous` and `access.authenticated`, asked before any handler. Any thread.
 */
#ifndef DOIPD_ACCESS_H
#define DOIPD_ACCESS_H

#include <doip/server.h>

#include "config.h"
#include "operations.h"

/* DOIP_OK; or the failed response: 102 for a client that has proven nothing, 103 for another. */
doip_result access_check(const struct config *config, enum operation operation,
                         doip_request *request, doip_response *response);

#endif
