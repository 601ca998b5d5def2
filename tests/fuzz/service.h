/*
 * What fuzz_conversation talks about: a handler that reads, writes, fails and ignores, and the messages that its clients send.
 */
#ifndef FUZZ_SERVICE_H
#define FUZZ_SERVICE_H

#include <stdbool.h>
#include <string.h>

#include "echo.h"
#include "handlers.h"

enum { LARGE = 70000 };

/* ------------------------------------------------------------------ handlers */

/* More than a socket takes; then it may fail. */
static doip_result
handler_large(doip_request *request, doip_response *response)
{
    static char data[LARGE];
    bool fail = false;

    doip_attribute_bool(request, "fail", &fail);
    memset(data, 'x', sizeof data);
    doip_respond_bytes_begin(response);
    doip_write(response, data, sizeof data);
    return fail ? doip_fail(response, DOIP_STATUS_ERROR, "in the middle") : DOIP_OK;
}

static doip_result
handler_extended(doip_request *request, doip_response *response)
{
    const char *operation = doip_request_operation(request);

    if (strcmp(operation, "x/echo") == 0)
        return echo_input(request, response, 5000);
    if (strcmp(operation, "x/large") == 0)
        return handler_large(request, response);
    if (strcmp(operation, "x/fail") == 0)
        return doip_fail(response, DOIP_STATUS_UNKNOWN_OBJECT, "no");
    return strcmp(operation, "x/ignore") == 0 ? DOIP_OK : DOIP_DECLINED;
}

static doip_result
handler_create(doip_request *request, doip_response *response)
{
    json_t *object = doip_input_object(request, 0), *element;
    char data[64];
    int n = 0;

    while (object != NULL && (n = doip_input_element(request, &element)) > 0)
        while (doip_read(request, data, sizeof data) > 0)
            ;
    if (object == NULL || n < 0)
        return DOIP_FAILED;
    return doip_respond_json(response, json_incref(object));
}

static doip_result
handler_authenticate(doip_request *request, const json_t *authentication)
{
    const char *token = json_string_value(json_object_get(authentication, "token"));

    if (token == NULL)
        return DOIP_DECLINED;
    if (strcmp(token, "good") != 0)
        return DOIP_FAILED;
    doip_request_set_client(request, "20.500.123/alice", NULL);
    return DOIP_OK;
}

/* ------------------------------------------------------------------ messages */

/* %u is the message's number; @ stands for LARGE bytes. */
static const struct message {
    const char *text;
    bool named;  /* its answer has the number */
    bool breaks; /* its answer may end the connection */
} messages[] = {
    {"{\"requestId\":\"%u\",\"operationId\":\"0.DOIP/Op.Hello\",\"targetId\":\"" WORLD_SERVICE
     "\"}\n#\n#\n",
     true, false},
    {"{\"requestId\":\"%u\",\"operationId\":\"0.DOIP/Op.ListOperations\",\"targetId\":\"x/"
     "y\"}\n#\n#\n",
     true, false},
    {"{\"requestId\":\"%u\",\"operationId\":\"x/"
     "echo\",\"targetId\":\"o\",\"input\":{\"a\":[1,2.5,null]}}\n#\n#\n",
     true, false},
    {"{\"requestId\":\"%u\",\"operationId\":\"x/"
     "echo\",\"targetId\":\"o\"}\n#\n{\"a\":1}\n#\n@\n5\nn#\n@x\n3\nabc\n#\n#\n",
     true, false},
    {"{\"requestId\":\"%u\",\"operationId\":\"x/large\",\"targetId\":\"o\"}\n#\n#\n", true, false},
    {"{\"requestId\":\"%u\",\"operationId\":\"x/"
     "large\",\"targetId\":\"o\",\"attributes\":{\"fail\":true}}\n#\n#\n",
     true, true},
    {"{\"requestId\":\"%u\",\"operationId\":\"x/"
     "fail\",\"targetId\":\"o\"}\n#\n\"unread\"\n#\n@\n3\nabc\n#\n#\n",
     true, false},
    {"{\"requestId\":\"%u\",\"operationId\":\"x/none\",\"targetId\":\"o\"}\n#\n#\n", true, false},
    {"{\"requestId\":\"%u\",\"operationId\":\"0.DOIP/Op.Create\",\"targetId\":\"" WORLD_SERVICE
     "\"}\n#\n{\"type\":\"T\",\"elements\":[{\"id\":\"e\"}]}\n#\n{\"id\":\"e\"}\n#\n@\n3\nabc\n#\n#"
     "\n",
     true, false},
    {"{\"requestId\":\"%u\",\"operationId\":\"0.DOIP/"
     "Op.Hello\",\"targetId\":\"o\",\"authentication\":{\"token\":\"good\"}}\n#\n#\n",
     true, false},
    {"{\"requestId\":\"%u\",\"operationId\":\"x/"
     "echo\",\"targetId\":\"o\",\"authentication\":{\"username\":\"u\",\"password\":\"p\"}}\n#\n#"
     "\n",
     true, false},
    {"{\"requestId\":\"%u\",\"targetId\":\"o\"}\n#\n\"more\"\n#\n#\n", true, false},
    {"{ no JSON \n#\n#\n", false, false},
    {"#\n", false, false},
    {"{\"requestId\":\"%u\",\"operationId\":\"x/echo\",\"targetId\":\"o\"}\n#\n@\n70000\n@\n#\n#\n",
     true, false},
    {"{\"requestId\":\"%u\",\"operationId\":\"x/"
     "ignore\",\"targetId\":\"o\"}\n#\n@\n70000\n@\n#\n#\n",
     true, false},
};

enum { MESSAGES = sizeof messages / sizeof messages[0] };

/* ------------------------------------------------------------------ the handler */

static const char *const service_operations[] = {"x/echo", "x/large", "x/fail", "x/ignore", NULL};
static const doip_descriptor service_descriptor = {.magic = DOIP_MAGIC,
                                                   .abi = DOIP_ABI,
                                                   .size = sizeof(doip_descriptor),
                                                   .name = "fuzz",
                                                   .operations = service_operations};
static struct handler service_handler = {
    .name = "fuzz",
    .descriptor = &service_descriptor,
    .authenticate = handler_authenticate,
    .functions = {[OPERATION_CREATE] = handler_create, [OPERATION_EXTENDED] = handler_extended}};

#endif
