/*
 * A shared object that is no handler: it has a hook, but no descriptor. The daemon must refuse it and say what to add.
 */
#include <doip/handler.h>

DOIP_EXPORT doip_result
hello(doip_request *request, doip_response *response)
{
    (void)request;
    return doip_respond_json(response, json_string("never to be seen"));
}
