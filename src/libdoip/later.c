/*
 * Answers that come later: tickets for requests whose handler's function has returned (handler.h), and how whoever serves them learns that
 * one is complete (server.h). Called from any thread.
 *
 * A ticket is a place in a table and how often that has been given out, so one that is used up names nothing, whatever has
 * become of its request. Two threads may meet over a request, the one that completes it and the one in which the
 * function returns: whoever comes second goes on with it.
 */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>

#include "exchange.h"
#include "stream_impl.h"
#include "writer_impl.h"

struct place {
    doip_request *request; /* NULL: nobody has the place */
    uint32_t uses;
    uint32_t next; /* of the free places, from 1 */
};

static struct {
    pthread_mutex_t lock;
    struct place *places;
    uint32_t count;
    uint32_t free; /* 1 + the first; 0: none */
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* With the lock held. False: memory is short. */
static bool
table_grow(void)
{
    uint32_t count = table.count != 0 ? 2 * table.count : 64;
    struct place *places = realloc(table.places, count * sizeof *places);

    if (places == NULL)
        return false;
    for (uint32_t i = table.count; i < count; i++)
        places[i] = (struct place){.next = i + 1 < count ? i + 2 : 0};
    table.free = table.count + 1;
    table.places = places;
    table.count = count;
    return true;
}

/* A ticket for the request; 0: memory is short. */
static doip_ticket
give(doip_request *request)
{
    doip_ticket ticket = 0;

    pthread_mutex_lock(&table.lock);
    if (table.free != 0 || table_grow()) {
        struct place *place = &table.places[table.free - 1];

        place->request = request;
        place->uses++;
        ticket = (doip_ticket)place->uses << 32 | table.free;
        table.free = place->next;
    }
    pthread_mutex_unlock(&table.lock);
    return ticket;
}

/* Whoever completes the request serves others, too, and must not wait for this one's client. */
doip_ticket
doip_later(doip_request *request)
{
    doip_stream *stream = request->response.writer->stream;

    if (request->ticket != 0)
        return request->ticket;
    request->ticket = give(request);
    if (request->ticket == 0)
        return 0;
    request->touched = true;
    request->read_ms = stream->read_ms;
    request->write_ms = stream->write_ms;
    doip_stream_set_waits(stream, 0, 0);
    atomic_store(&request->later, LATER_ASKED);
    return request->ticket;
}

/* Uses the ticket up. NULL: it was already. */
static doip_request *
take(doip_ticket ticket)
{
    uint32_t number = (uint32_t)ticket, uses = (uint32_t)(ticket >> 32);
    doip_request *request = NULL;

    pthread_mutex_lock(&table.lock);
    if (number >= 1 && number <= table.count && table.places[number - 1].uses == uses) {
        struct place *place = &table.places[number - 1];

        request = place->request;
        if (request != NULL) {
            place->request = NULL;
            place->next = table.free;
            table.free = number;
        }
    }
    pthread_mutex_unlock(&table.lock);
    return request;
}

doip_result
doip_complete(doip_ticket ticket, doip_result result)
{
    doip_request *request = take(ticket);

    if (request == NULL)
        return DOIP_FAILED;
    request->result = result == DOIP_OK ? DOIP_OK : DOIP_FAILED;
    /* Unless its function had returned, the request may be gone from here on. */
    if (atomic_exchange(&request->later, LATER_DONE) == LATER_HELD)
        request->completed(request, request->closure);
    return DOIP_OK;
}

/* ------------------------------------------------------------------ who serves */

doip_result
doip_request_hold(doip_request *request, doip_completed completed, void *closure)
{
    int asked = LATER_ASKED;

    request->completed = completed;
    request->closure = closure;
    if (atomic_compare_exchange_strong(&request->later, &asked, LATER_HELD))
        return DOIP_LATER;
    return doip_request_result(request);
}

doip_result
doip_request_result(doip_request *request)
{
    if (request->ticket != 0)
        doip_stream_set_waits(request->response.writer->stream, request->read_ms,
                              request->write_ms);
    request->ticket = 0;
    return atomic_exchange(&request->later, LATER_NOT) == LATER_DONE ? request->result
                                                                     : DOIP_FAILED;
}

static void
wake(doip_request *request, void *closure)
{
    (void)request;
    sem_post(closure);
}

doip_result
doip_request_wait(doip_request *request)
{
    doip_result result;
    sem_t done;

    sem_init(&done, 0, 0);
    result = doip_request_hold(request, wake, &done);
    if (result == DOIP_LATER) {
        while (sem_wait(&done) != 0)
            continue; /* a signal */
        result = doip_request_result(request);
    }
    sem_destroy(&done);
    return result;
}

doip_result
request_settle(doip_request *request, doip_result result)
{
    if (result == DOIP_LATER)
        return doip_request_wait(request);
    if (request->ticket == 0)
        return result;
    /* Who has it in hand is about to let go of it. */
    if (take(request->ticket) == NULL)
        while (atomic_load(&request->later) != LATER_DONE)
            sched_yield();
    doip_request_result(request);
    return result;
}
