/*
 * The debug handler's actions that answer later, from threads of their own, or do not keep to what handler.h says of that. Called by debug.c
 * in a worker's thread.
 */
#include "debug.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/* What a request asks for. */
struct later {
    doip_response *response;
    doip_ticket ticket;
    int64_t ms;   /* until it is answered */
    int64_t size; /* of the answer in bytes; negative: JSON */
    bool fail;
    bool twice;
    bool crash;
    bool early; /* before the function returns */
};

static atomic_int threads;
static atomic_int refused; /* completions of tickets that were used up */

static doip_result
answer(const struct later *later)
{
    if (later->fail)
        return doip_fail(later->response, DOIP_STATUS_FORBIDDEN, "Not even later.");
    if (later->size < 0)
        return doip_respond_json(later->response,
                                 json_pack("{s:I s:i s:i}", "later", (json_int_t)later->ms, "pid",
                                           (int)getpid(), "refused", atomic_load(&refused)));
    if (doip_respond_bytes_begin(later->response) != DOIP_OK)
        return DOIP_FAILED;
    return debug_write_pattern(later->response, (uint64_t)later->size);
}

static void
complete(doip_ticket ticket, doip_result result)
{
    if (doip_complete(ticket, result) != DOIP_OK)
        atomic_fetch_add(&refused, 1);
}

static void *
run(void *closure)
{
    struct later *later = closure;

    debug_sleep(later->ms);
    if (later->crash)
        raise(SIGSEGV);
    complete(later->ticket, answer(later));
    if (later->twice)
        complete(later->ticket, DOIP_OK);
    free(later);
    atomic_fetch_sub(&threads, 1);
    return NULL;
}

/* Takes it over. */
static doip_result
begin(struct later *later)
{
    doip_response *response = later->response;
    bool early = later->early;
    pthread_t thread;

    atomic_fetch_add(&threads, 1);
    if (pthread_create(&thread, NULL, run, later) != 0) {
        atomic_fetch_sub(&threads, 1);
        free(later);
        return doip_fail(response, DOIP_STATUS_ERROR, "There is no thread.");
    }
    if (early)
        pthread_join(thread, NULL);
    else
        pthread_detach(thread);
    return DOIP_LATER;
}

/* Attributes: as in struct later. */
doip_result
later_answer(doip_request *request, doip_response *response)
{
    struct later later = {.response = response, .ms = 100, .size = -1}, *mine;

    if (doip_attribute_int(request, "ms", &later.ms) != DOIP_OK ||
        doip_attribute_int(request, "size", &later.size) != DOIP_OK ||
        doip_attribute_bool(request, "fail", &later.fail) != DOIP_OK ||
        doip_attribute_bool(request, "twice", &later.twice) != DOIP_OK ||
        doip_attribute_bool(request, "crash", &later.crash) != DOIP_OK ||
        doip_attribute_bool(request, "early", &later.early) != DOIP_OK)
        return DOIP_FAILED;
    later.ticket = doip_later(request);
    mine = later.ticket != 0 ? malloc(sizeof(*mine)) : NULL;
    if (mine == NULL)
        return doip_fail(response, DOIP_STATUS_ERROR, "out of memory");
    *mine = later;
    return begin(mine);
}

doip_result
later_never(doip_request *request, doip_response *response)
{
    (void)response;
    doip_later(request);
    return DOIP_LATER;
}

/* Without a ticket. */
doip_result
later_unasked(doip_request *request, doip_response *response)
{
    (void)request;
    (void)response;
    return DOIP_LATER;
}

/* Answers after all, and then completes the ticket, too. */
doip_result
later_anyway(doip_request *request, doip_response *response)
{
    struct later *later = calloc(1, sizeof(*later));

    if (later == NULL)
        return doip_fail(response, DOIP_STATUS_ERROR, "out of memory");
    *later = (struct later){
        .response = response, .ticket = doip_later(request), .size = -1, .early = true};
    begin(later);
    return DOIP_FAILED;
}

void
debug_later_end(void)
{
    while (atomic_load(&threads) > 0)
        debug_sleep(1);
}
