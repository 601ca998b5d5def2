/*
 * What first.c and second.c share: two handlers that answer the same things and say who they are, so that a test sees whom the
 * daemon asked first. A request with the attribute `skip` naming one of them is declined by that one.
 */
#ifndef CHAIN_H
#define CHAIN_H

#include <doip/handler.h>

#include <string.h>

static const char *const chain_operations[] = {"20.DOIP/Chain.Who", "20.DOIP/Chain." CHAIN_NAME, NULL};

static doip_result
chain_answer(doip_request *request, doip_response *response)
{
    const char *skip = "";

    if (doip_attribute_string(request, "skip", &skip) != DOIP_OK)
        return DOIP_FAILED;
    if (strcmp(skip, CHAIN_NAME) == 0 || strcmp(skip, "both") == 0)
        return DOIP_DECLINED;
    return doip_respond_json(response, json_string(CHAIN_NAME));
}

DOIP_HANDLER(.name = CHAIN_NAME, .version = "1.0", .flags = DOIP_THREAD_SAFE, .operations = chain_operations);

DOIP_EXPORT doip_result
retrieve(doip_request *request, doip_response *response)
{
    return chain_answer(request, response);
}

DOIP_EXPORT doip_result
search(doip_request *request, doip_response *response)
{
    return chain_answer(request, response);
}

DOIP_EXPORT doip_result
extended(doip_request *request, doip_response *response)
{
    if (strncmp(doip_request_operation(request), "20.DOIP/Chain.", 14) != 0)
        return DOIP_DECLINED;
    return chain_answer(request, response);
}

#endif
