/*
 * Counting: see metrics.h. Runs in any thread of any process; only the names of handlers are ever waited for, and never by a lock.
 */
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "metrics.h"
#include "shared_text.h"

typedef _Atomic(uint64_t) cell;

struct histogram {
    cell buckets[METRICS_BOUNDS + 1];
    cell sum;
};

/* What one worker (or several, where there are more than stripes) adds to. */
struct stripe {
    _Alignas(64) cell counters[METRICS_COUNT];
    cell requests[METRICS_OPERATIONS][METRICS_STATUSES];
    struct histogram duration[METRICS_OPERATIONS];
    struct histogram bytes_in[METRICS_OPERATIONS];
    struct histogram bytes_out[METRICS_OPERATIONS];
    cell calls[METRICS_HANDLERS][METRICS_CALLS];
    cell microseconds[METRICS_HANDLERS];
};

/* The name of a number. A worker that dies while it writes one leaves it CLAIMED: nobody uses it any more. */
enum { NAME_FREE, NAME_CLAIMED, NAME_KNOWN };
struct name {
    atomic_uint state;
    atomic_uint generation;
    atomic_uint place;
    atomic_bool thread_safe;
    _Atomic(uint64_t) name[METRICS_HANDLER_TEXT / 8];
    _Atomic(uint64_t) version[METRICS_HANDLER_TEXT / 8];
};

struct board {
    struct name names[METRICS_HANDLERS];
    struct stripe stripes[METRICS_STRIPES];
};

static struct board unshared;
static struct board *board = &unshared;
static struct stripe *mine = &unshared.stripes[0];

static const uint64_t duration_bounds[METRICS_BOUNDS] = {
    100,    250,    500,    1000,    2500,    5000,    10000,    25000,   50000,
    100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000};
#define KIB UINT64_C(1024)
static const uint64_t size_bounds[METRICS_BOUNDS] = {64,
                                                     256,
                                                     KIB,
                                                     4 * KIB,
                                                     16 * KIB,
                                                     64 * KIB,
                                                     256 * KIB,
                                                     1 * KIB *KIB,
                                                     4 * KIB *KIB,
                                                     16 * KIB *KIB,
                                                     64 * KIB *KIB,
                                                     256 * KIB *KIB,
                                                     KIB *KIB *KIB,
                                                     4 * KIB *KIB *KIB,
                                                     16 * KIB *KIB *KIB,
                                                     64 * KIB *KIB *KIB,
                                                     256 * KIB *KIB *KIB};

static const char *const statuses[METRICS_STATUSES] = {
    DOIP_STATUS_OK,        DOIP_STATUS_INVALID,        DOIP_STATUS_UNAUTHENTICATED,
    DOIP_STATUS_FORBIDDEN, DOIP_STATUS_UNKNOWN_OBJECT, DOIP_STATUS_DUPLICATE,
    DOIP_STATUS_DECLINED,  DOIP_STATUS_ERROR,          "other"};

const uint64_t *
metrics_duration_bounds(void)
{
    return duration_bounds;
}

const uint64_t *
metrics_size_bounds(void)
{
    return size_bounds;
}

const char *
metrics_status(size_t index)
{
    return statuses[index];
}

bool
metrics_init(void)
{
    void *pages =
        mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (pages == MAP_FAILED)
        return false;
    board = pages;
    mine = &board->stripes[0];
    return true;
}

void
metrics_use_stripe(size_t number)
{
    mine = &board->stripes[number % METRICS_STRIPES];
}

/* ------------------------------------------------------------------ counting */

static void
add(cell *to, uint64_t more)
{
    atomic_fetch_add_explicit(to, more, memory_order_relaxed);
}

void
metrics_count(enum metrics_counter counter)
{
    add(&mine->counters[counter], 1);
}

static void
observe(struct histogram *histogram, const uint64_t *bounds, uint64_t value)
{
    size_t bucket = 0;

    while (bucket < METRICS_BOUNDS && value > bounds[bucket])
        bucket++;
    add(&histogram->buckets[bucket], 1);
    add(&histogram->sum, value);
}

static size_t
status_index(const char *status)
{
    size_t index = 0;

    while (index < METRICS_STATUSES - 1 && strcmp(statuses[index], status) != 0)
        index++;
    return index;
}

void
metrics_request(const struct metrics_request *request)
{
    size_t operation =
        request->operation[0] != '\0' ? operation_of(request->operation) : METRICS_NO_OPERATION;

    add(&mine->requests[operation][status_index(request->status)], 1);
    observe(&mine->duration[operation], duration_bounds, request->microseconds);
    observe(&mine->bytes_in[operation], size_bounds, request->bytes_in);
    observe(&mine->bytes_out[operation], size_bounds, request->bytes_out);
}

void
metrics_call(unsigned handler, enum metrics_call how, uint64_t microseconds)
{
    add(&mine->calls[handler][how], 1);
    add(&mine->microseconds[handler], microseconds);
}

/* ------------------------------------------------------------------ the names of handlers */

/* Takes the name for itself where nobody has, else tells whether it is the one. */
static bool
is_or_becomes(struct name *entry, const char *name)
{
    unsigned state = NAME_FREE;
    char known[METRICS_HANDLER_TEXT], wanted[METRICS_HANDLER_TEXT];

    if (atomic_compare_exchange_strong(&entry->state, &state, NAME_CLAIMED)) {
        shared_text_store(entry->name, METRICS_HANDLER_TEXT, name);
        atomic_store(&entry->state, NAME_KNOWN);
        return true;
    }
    for (int patience = 0; state == NAME_CLAIMED && patience < 1000000; patience++)
        state = atomic_load(&entry->state);
    if (state != NAME_KNOWN)
        return false;
    strncpy(wanted, name, sizeof wanted - 1);
    wanted[sizeof wanted - 1] = '\0';
    shared_text_load(entry->name, known, sizeof known);
    return strcmp(known, wanted) == 0;
}

/* Where all numbers are given out, the last one stands for all others. */
unsigned
metrics_handler(const struct metrics_handler *handler)
{
    unsigned number = 0;
    struct name *entry;

    while (number < METRICS_HANDLERS - 1 && !is_or_becomes(&board->names[number], handler->name))
        number++;
    entry = &board->names[number];
    if (number == METRICS_HANDLERS - 1)
        is_or_becomes(entry, "(others)");
    shared_text_store(entry->version, METRICS_HANDLER_TEXT, handler->version);
    atomic_store(&entry->thread_safe, handler->thread_safe);
    atomic_store(&entry->place, handler->place);
    atomic_store(&entry->generation, handler->generation);
    return number;
}

/* ------------------------------------------------------------------ adding up */

static void
add_up(uint64_t *to, const cell *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] += atomic_load_explicit(&from[i], memory_order_relaxed);
}

static void
add_up_histogram(struct metrics_histogram *to, const struct histogram *from)
{
    add_up(to->buckets, from->buckets, METRICS_BOUNDS + 1);
    add_up(&to->sum, &from->sum, 1);
}

static void
add_up_stripe(struct metrics_sum *sum, const struct stripe *stripe)
{
    add_up(sum->counters, stripe->counters, METRICS_COUNT);
    for (size_t i = 0; i < METRICS_OPERATIONS; i++) {
        add_up(sum->requests[i], stripe->requests[i], METRICS_STATUSES);
        add_up_histogram(&sum->duration[i], &stripe->duration[i]);
        add_up_histogram(&sum->bytes_in[i], &stripe->bytes_in[i]);
        add_up_histogram(&sum->bytes_out[i], &stripe->bytes_out[i]);
    }
    for (size_t i = 0; i < METRICS_HANDLERS; i++) {
        add_up(sum->handlers[i].calls, stripe->calls[i], METRICS_CALLS);
        add_up(&sum->handlers[i].microseconds, &stripe->microseconds[i], 1);
    }
}

static void
copy_name(struct metrics_handler_sum *to, const struct name *from)
{
    if (atomic_load(&from->state) != NAME_KNOWN)
        return;
    shared_text_load(from->name, to->name, sizeof to->name);
    shared_text_load(from->version, to->version, sizeof to->version);
    to->thread_safe = atomic_load(&from->thread_safe);
    to->generation = atomic_load(&from->generation);
    to->place = atomic_load(&from->place);
}

void
metrics_add_up(struct metrics_sum *sum)
{
    memset(sum, 0, sizeof *sum);
    for (size_t i = 0; i < METRICS_STRIPES; i++)
        add_up_stripe(sum, &board->stripes[i]);
    for (size_t i = 0; i < METRICS_HANDLERS; i++)
        copy_name(&sum->handlers[i], &board->names[i]);
}

uint64_t
metrics_requests(const struct metrics_sum *sum)
{
    uint64_t all = 0;

    for (size_t i = 0; i < METRICS_OPERATIONS; i++)
        for (size_t j = 0; j < METRICS_STATUSES; j++)
            all += sum->requests[i][j];
    return all;
}
