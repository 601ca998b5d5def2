/*
 * A handler that calls a function that nobody has: loading it (RTLD_NOW) must fail at start, with the symbol's name.
 */
#include <doip/handler.h>

DOIP_HANDLER(.name = "unresolved", .version = "1.0");

extern json_t *function_that_nobody_has(void);

DOIP_EXPORT doip_result
hello(doip_request *request, doip_response *response)
{
    (void)request;
    return doip_respond_json(response, function_that_nobody_has());
}
