/*
 * A handler in C++: shows that the header compiles there and that `delete`, a keyword, can be exported.
 * Loaded by tests/system/test_handler.py, in a worker. C++ wants the descriptor's fields in their order: flags first.
 */
#include <doip/handler.h>

#include <string>

static const char *const operations[] = {"20.DOIP/Cpp.Length", nullptr};

DOIP_HANDLER(.flags = DOIP_THREAD_SAFE, .name = "cplusplus", .version = "1.0", .operations = operations,
             .options = nullptr, .open = nullptr, .close = nullptr,
             .authenticate = nullptr);

static bool
mine(doip_request *request)
{
    return std::string(doip_request_target(request)).rfind("cpp/", 0) == 0;
}

DOIP_EXPORT doip_result
retrieve(doip_request *request, doip_response *response)
{
    if (!mine(request))
        return DOIP_DECLINED;
    return doip_respond_json(response, json_pack("{s:s s:s}", "id", doip_request_target(request), "type", "Cpp"));
}

DOIP_EXPORT doip_result
doip_delete(doip_request *request, doip_response *)
{
    return mine(request) ? DOIP_OK : DOIP_DECLINED;
}

DOIP_EXPORT doip_result
extended(doip_request *request, doip_response *response)
{
    std::string all;
    char buffer[4096];
    ssize_t got;

    if (std::string(doip_request_operation(request)) != operations[0])
        return DOIP_DECLINED;
    if (doip_input_next_bytes(request) != DOIP_OK)
        return DOIP_FAILED;
    while ((got = doip_read(request, buffer, sizeof(buffer))) > 0)
        all.append(buffer, static_cast<size_t>(got));
    if (got < 0)
        return DOIP_FAILED;
    return doip_respond_json(response, json_integer(static_cast<json_int_t>(all.size())));
}
