/*
 * A handler that has neither `search` nor `list`, but links a library that exports both (found.c). Built by
 * tests/system/test_handler.py, which knows how.
 */
#include <doip/handler.h>

int found(void);

DOIP_HANDLER(.name = "linked", .version = "1.0", .flags = DOIP_THREAD_SAFE);

DOIP_EXPORT doip_result
hello(doip_request *request, doip_response *response)
{
    (void)request;
    return doip_respond_json(response, json_pack("{s:i}", "found", found()));
}
