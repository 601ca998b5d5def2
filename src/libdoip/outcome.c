/*
 * How a response ends (protocol section 4): completed, replaced by an error, or broken off. Called
 * by the daemon after the handlers, in the thread that has the request.
 */
#include <stdio.h>
#include <string.h>

#include "exchange.h"

/* Notes what the writer says, for the log and, where nothing has left yet, for the client. */
static void
note_failure(doip_response *response)
{
    if (!response->failed)
        doip_fail(response, DOIP_STATUS_ERROR, "The answer could not be sent: %s",
                  doip_writer_reason(response->writer));
}

static doip_outcome
broken(doip_response *response)
{
    note_failure(response);
    response->broken = true;
    return DOIP_OUTCOME_BROKEN;
}

/* Answers with the error that is set, in place of all that was held back or can be taken back. */
static doip_outcome
end_error(doip_response *response)
{
    if ((response->started || response->broken) && !doip_writer_undo(response->writer))
        return broken(response);
    if (response_write_error(response) != 0 || doip_writer_empty(response->writer) != 0)
        return broken(response);
    return DOIP_OUTCOME_COMPLETE;
}

static doip_outcome
end_success(doip_response *response)
{
    int error = 0;

    if (!response->broken && !response->started)
        error = response_write_whole(response);
    if (!response->broken && error == 0)
        error = doip_writer_empty(response->writer);
    if (!response->broken && error == 0)
        return DOIP_OUTCOME_COMPLETE;
    note_failure(response);
    return end_error(response);
}

/* A peer that is too slow may still read; one that is gone, or whose TLS is broken, can't. */
static bool
can_be_told(int error)
{
    return error == DOIP_E_CONTENT || error == DOIP_E_FRAMING || error == DOIP_E_LIMIT ||
           error == DOIP_E_MEMORY || error == DOIP_E_TIMEOUT;
}

/* Answers a fault in the input, whatever the handler made of it. */
static doip_outcome
end_fault(doip_response *response, int error, const char *reason)
{
    doip_outcome outcome;

    doip_fail(response, error == DOIP_E_MEMORY ? DOIP_STATUS_ERROR : DOIP_STATUS_INVALID, "%s",
              *reason != '\0' ? reason : doip_error_text(error));
    if (!can_be_told(error))
        return broken(response);
    outcome = end_error(response);
    if (outcome == DOIP_OUTCOME_COMPLETE && error != DOIP_E_CONTENT && error != DOIP_E_MEMORY)
        return DOIP_OUTCOME_CLOSE;
    return outcome;
}

doip_outcome
doip_response_end(doip_response *response, doip_result result)
{
    const char *reason;
    int error;

    result = request_settle(response->request, result);
    error = request_input_error(response->request, &reason);
    if (error != 0)
        return end_fault(response, error, reason);
    if (result == DOIP_DECLINED && !response->failed)
        doip_fail_unsupported(response);
    if (result != DOIP_OK && !response->failed && !response->broken)
        doip_fail(response, DOIP_STATUS_ERROR, "Internal Server Error");
    return response->failed ? end_error(response) : end_success(response);
}

const char *
doip_response_status(const doip_response *response)
{
    return response->status;
}

const char *
doip_response_message(const doip_response *response)
{
    return response->failed ? response->message : "";
}
