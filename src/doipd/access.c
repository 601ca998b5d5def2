/*
 * What a client may call: see access.h.
 */
#include "access.h"

doip_result
access_check(const struct config *config, enum operation operation, doip_request *request,
             doip_response *response)
{
    const char *id = doip_request_operation(request), *client = doip_request_client(request);

    if (operation_matches(client != NULL ? config->access.authenticated : config->access.anonymous,
                          operation, id))
        return DOIP_OK;
    if (client != NULL)
        return doip_fail(response, DOIP_STATUS_FORBIDDEN, "%s may not call %s here.", client, id);
    return doip_fail(response, DOIP_STATUS_UNAUTHENTICATED,
                     "%s needs authentication here: say who calls, by a password, a token or a "
                     "client certificate.",
                     id);
}
