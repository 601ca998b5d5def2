/*
 * The debug handler's faults: everything that a handler should not do, or that can go wrong in one.
 * Called by debug.c in a worker's thread.
 */
#include "debug.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A status and a message of the client's choice. */
doip_result
fault_fail(doip_request *request, doip_response *response)
{
    const char *status = DOIP_STATUS_ERROR, *message = "asked to fail";

    if (doip_attribute_string(request, "status", &status) != DOIP_OK ||
        doip_attribute_string(request, "message", &message) != DOIP_OK)
        return DOIP_FAILED;
    return doip_fail(response, status, "%s", message);
}

/* An error without a word about it. */
doip_result
fault_silently(doip_request *request, doip_response *response)
{
    (void)request;
    (void)response;
    return DOIP_FAILED;
}

/* The output can still be held back: the error replaces it. */
doip_result
fault_after_output(doip_request *request, doip_response *response)
{
    (void)request;
    if (doip_respond_json(response, json_string("never to be seen")) != DOIP_OK)
        return DOIP_FAILED;
    return doip_fail(response, DOIP_STATUS_ERROR, "failed after output");
}

doip_result
fault_after_read(doip_request *request, doip_response *response)
{
    (void)doip_input_next(request);
    return doip_fail(response, DOIP_STATUS_ERROR, "failed after reading");
}

/* Fails after `size` bytes of an element: what went out can't be taken back. */
doip_result
fault_half(doip_request *request, doip_response *response)
{
    int64_t size = 1 << 20;

    if (doip_attribute_int(request, "size", &size) != DOIP_OK || doip_respond_bytes_begin(response) != DOIP_OK ||
        debug_write_pattern(response, (uint64_t)size) != DOIP_OK)
        return DOIP_FAILED;
    return doip_fail(response, DOIP_STATUS_ERROR, "failed half-way");
}

/* Sets an error and returns success all the same: the error stands. */
doip_result
fault_ok_after_fail(doip_request *request, doip_response *response)
{
    (void)request;
    (void)doip_fail(response, DOIP_STATUS_FORBIDDEN, "failed, then forgot it");
    return DOIP_OK;
}

/* Reads the input to its end, does not look at what calls return, and claims success. */
doip_result
fault_ignore_errors(doip_request *request, doip_response *response)
{
    char buffer[4096];
    doip_segment kind;

    while ((kind = doip_input_next(request)) > DOIP_SEGMENT_END)
        while (kind == DOIP_SEGMENT_BYTES && doip_read(request, buffer, sizeof(buffer)) > 0)
            ;
    (void)doip_respond_json(response, json_string("all is well"));
    return DOIP_OK;
}

doip_result
fault_decline(doip_request *request, doip_response *response)
{
    (void)request;
    (void)response;
    return DOIP_DECLINED;
}

/* Both break the rule that only an untouched request can be declined. */
doip_result
fault_decline_after_read(doip_request *request, doip_response *response)
{
    (void)response;
    (void)doip_input_next(request);
    return DOIP_DECLINED;
}

doip_result
fault_decline_after_output(doip_request *request, doip_response *response)
{
    (void)request;
    (void)doip_respond_json(response, json_string("never to be seen"));
    return DOIP_DECLINED;
}

/* A result that is none of the three. */
doip_result
fault_bad_result(doip_request *request, doip_response *response)
{
    (void)request;
    (void)response;
    return (doip_result)42;
}

/* Text that is not JSON must not leave. */
doip_result
fault_bad_text(doip_request *request, doip_response *response)
{
    (void)request;
    return doip_respond_text(response, "{\"a\": nonsense\n#\n");
}

/* What json_pack() gives when memory is short. */
doip_result
fault_no_memory(doip_request *request, doip_response *response)
{
    (void)request;
    return doip_respond_json(response, NULL);
}

doip_result
fault_no_file(doip_request *request, doip_response *response)
{
    (void)request;
    return doip_respond_file(response, "/nonexistent/debug");
}

/* Promises more bytes than the descriptor has. */
doip_result
fault_short_file(doip_request *request, doip_response *response)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    doip_result result;

    (void)request;
    if (fd < 0)
        return DOIP_FAILED;
    result = doip_respond_fd(response, fd, 0, 1 << 20);
    close(fd);
    return result;
}

/* Never returns; a signal does not help. */
doip_result
fault_hang(doip_request *request, doip_response *response)
{
    (void)request;
    (void)response;
    for (;;)
        debug_sleep(60000);
}

/* Keeps a processor busy for `ms` milliseconds, about. */
doip_result
fault_spin(doip_request *request, doip_response *response)
{
    int64_t ms = 500;
    volatile uint64_t sum = 0;

    if (doip_attribute_int(request, "ms", &ms) != DOIP_OK)
        return DOIP_FAILED;
    for (int64_t i = 0; i < ms * 200000; i++)
        sum = sum + (uint64_t)i;
    return doip_respond_json(response, json_string("spun"));
}

/* By raise(), so that a sanitizer build dies of it too and no compiler can reason it away. */
doip_result
fault_crash(doip_request *request, doip_response *response)
{
    (void)request;
    (void)response;
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
    return DOIP_FAILED;
}

doip_result
fault_abort(doip_request *request, doip_response *response)
{
    (void)request;
    (void)response;
    abort();
}

/* A library that thinks it may end the process; 0 would look like an orderly end. */
doip_result
fault_exit(doip_request *request, doip_response *response)
{
    (void)request;
    (void)response;
    _exit(0);
}

static size_t
deep(size_t left)
{
    volatile char frame[4096];

    frame[0] = (char)left;
    return left == 0 ? 0 : deep(left - 1) + (size_t)(frame[0] != 0);
}

/* Runs out of stack. */
doip_result
fault_overflow(doip_request *request, doip_response *response)
{
    (void)request;
    return doip_respond_json(response, json_integer((json_int_t)deep((size_t)1 << 30)));
}
