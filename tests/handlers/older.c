/*
 * A handler as it was made before descriptors had `authenticate`: it must load, and what lies behind its descriptor's end must
 * not be read (it is not even an address).
 */
#include <doip/handler.h>

#include <stddef.h>
#include <stdint.h>

DOIP_EXPORT extern const doip_descriptor doip_handler;
const doip_descriptor doip_handler = {
    .magic = DOIP_MAGIC,
    .abi = DOIP_ABI,
    .size = offsetof(doip_descriptor, authenticate),
    .name = "older",
    .version = "1.0",
    .authenticate = (doip_result(*)(doip_request *, const json_t *))(uintptr_t)8,
};

DOIP_EXPORT doip_result
hello(doip_request *request, doip_response *response)
{
    (void)request;
    return doip_respond_text(response, "\"older\"");
}
