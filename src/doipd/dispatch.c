/*
 * From a request to an answer: see dispatch.h. Runs in a worker's thread that has leave to run handlers.
 */
#include <string.h>

#include "access.h"
#include "builtin.h"
#include "clock.h"
#include "dispatch.h"
#include "guard.h"
#include "metrics.h"
#include "pool.h"
#include "scoreboard.h"

/* ------------------------------------------------------------------ checks before any handler */

static doip_result
check_target(enum operation operation, doip_request *request, doip_response *response)
{
    bool service = doip_request_to_service(request);

    if (operation_target(operation) == TARGET_SERVICE && !service)
        return doip_fail_invalid(response, "The target of %s must be the service, %s.",
                                 operation_id(operation), doip_request_service(request));
    if (operation_target(operation) == TARGET_OBJECT && service)
        return doip_fail_invalid(response,
                                 "The target of %s must be a digital object, not the service %s.",
                                 operation_id(operation), doip_request_service(request));
    return DOIP_OK;
}

static doip_result
check_input(enum operation operation, doip_request *request)
{
    return operation_takes_input(operation) ? DOIP_OK : doip_input_end(request);
}

/* ------------------------------------------------------------------ the chain */

static enum metrics_call
how_ended(doip_result result)
{
    return result == DOIP_OK         ? METRICS_CALL_OK
           : result == DOIP_DECLINED ? METRICS_CALL_DECLINED
                                     : METRICS_CALL_ERROR;
}

/* Calls of a handler that is not thread-safe run one at a time; what runs is on the scoreboard. */
static void
call_begin(struct worker *worker, const struct handler *handler, doip_request *request)
{
    doip_request_set_state(request, handler->state);
    if ((handler->descriptor->flags & DOIP_THREAD_SAFE) == 0)
        pthread_mutex_lock(&worker->serial);
    score_begin(pool_score(), handler->name, doip_request_operation(request),
                doip_request_target(request));
}

static void
call_end(struct worker *worker, const struct handler *handler)
{
    guard_returned(handler->name);
    score_end(pool_score());
    if ((handler->descriptor->flags & DOIP_THREAD_SAFE) == 0)
        pthread_mutex_unlock(&worker->serial);
}

/* The thread is kept where the handler's calls run one at a time, and where too many answers are held already. */
static bool
may_hold(struct worker *worker, const struct handler *handler, const doip_request *request,
         struct held *held)
{
    return (handler->descriptor->flags & DOIP_THREAD_SAFE) != 0 &&
           held_begin(&worker->held, held, handler->name, request);
}

static doip_result
call(struct worker *worker, const struct handler *handler, enum operation operation,
     doip_request *request, doip_response *response, struct held *held)
{
    doip_result result;

    call_begin(worker, handler, request);
    *held = (struct held){.metric = handler->metric, .began = clock_lately_us()}; /* the scoreboard has looked */
    result = handler->functions[operation](request, response);
    if (result == DOIP_LATER && !may_hold(worker, handler, request, held))
        result = doip_request_wait(request);
    if (result != DOIP_LATER)
        metrics_call(handler->metric, how_ended(result), (uint64_t)(clock_us() - held->began));
    call_end(worker, handler);
    return result;
}

static doip_result
ask_handlers(struct worker *worker, enum operation operation, doip_request *request,
             doip_response *response, struct held *held)
{
    for (size_t i = 0; i < worker->handlers.count; i++) {
        const struct handler *handler = &worker->handlers.items[i];
        doip_result result;

        if (handler->functions[operation] == NULL ||
            !handler_allows(handler, operation, doip_request_operation(request),
                            doip_request_target(request)))
            continue;
        result = call(worker, handler, operation, request, response, held);
        if (result != DOIP_DECLINED)
            return result;
        if (doip_request_touched(request)) {
            log_error(HANDLER_MISBEHAVED, "handler %s declined %s after it had read or written",
                      handler->name, doip_request_operation(request));
            return DOIP_FAILED;
        }
    }
    return DOIP_DECLINED;
}

bool
dispatch_authenticates(const struct worker *worker)
{
    for (size_t i = 0; i < worker->handlers.count; i++)
        if (worker->handlers.items[i].authenticate != NULL)
            return true;
    return false;
}

static doip_result
call_authenticate(struct worker *worker, const struct handler *handler, doip_request *request)
{
    doip_result result;

    call_begin(worker, handler, request);
    result = handler->authenticate(request, doip_request_authentication(request));
    call_end(worker, handler);
    if (result != DOIP_OK || doip_request_client(request) != NULL)
        return result;
    log_error(HANDLER_MISBEHAVED, "handler %s authenticated a request without saying who sent it",
              handler->name);
    return DOIP_FAILED;
}

doip_result
dispatch_authenticate(struct worker *worker, doip_request *request)
{
    doip_result result = DOIP_DECLINED;

    for (size_t i = 0; result == DOIP_DECLINED && i < worker->handlers.count; i++)
        if (worker->handlers.items[i].authenticate != NULL)
            result = call_authenticate(worker, &worker->handlers.items[i], request);
    return result;
}

doip_result
dispatch(struct worker *worker, doip_request *request, doip_response *response, struct held *held)
{
    enum operation operation = operation_of(doip_request_operation(request));
    doip_result result = access_check(worker->config, operation, request, response);

    if (result == DOIP_OK)
        result = check_target(operation, request, response);
    if (result == DOIP_OK)
        result = check_input(operation, request);
    if (result == DOIP_OK)
        result = ask_handlers(worker, operation, request, response, held);
    if (result == DOIP_DECLINED)
        result = builtin_answer(worker, operation, request, response);
    return result;
}
