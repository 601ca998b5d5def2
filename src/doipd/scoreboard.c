/*
 * The scoreboard: see scoreboard.h. Runs in the master (init, describe, the look at connections) and in workers' threads (the rest).
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "clock.h"
#include "scoreboard.h"
#include "shared_text.h"

enum { SHARE_SLACK = 16, ALTERNATE_STACK = 32768 };

static void *
shared_pages(size_t size)
{
    void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return base != MAP_FAILED ? base : NULL;
}

bool
scoreboard_init(struct scoreboard *board, size_t workers, size_t threads, size_t connections)
{
    board->workers = workers;
    board->threads = threads;
    board->places = connections < SCORE_PLACES_MOST ? connections : SCORE_PLACES_MOST;
    board->stride = sizeof(struct score_worker) + threads * sizeof(struct score_thread);
    board->stride = (board->stride + 63) & ~(size_t)63;
    board->size = board->stride * workers;
    board->connections_size = workers * board->places * sizeof(struct score_connection);
    board->base = shared_pages(board->size);
    board->connections = shared_pages(board->connections_size);
    return board->base != NULL && board->connections != NULL;
}

void
scoreboard_fini(struct scoreboard *board)
{
    if (board->base != NULL)
        munmap(board->base, board->size);
    if (board->connections != NULL)
        munmap(board->connections, board->connections_size);
    board->base = NULL;
    board->connections = NULL;
}

struct score_worker *
scoreboard_worker(const struct scoreboard *board, size_t worker)
{
    return (struct score_worker *)(void *)(board->base + worker * board->stride);
}

void
scoreboard_clear(const struct scoreboard *board, size_t worker)
{
    memset(board->base + worker * board->stride, 0, board->stride);
}

bool
scoreboard_above_share(const struct scoreboard *board, size_t worker)
{
    long all = 0, mine = atomic_load(&scoreboard_worker(board, worker)->connections);
    long accepting = 0;

    for (size_t i = 0; i < board->workers; i++) {
        struct score_worker *other = scoreboard_worker(board, i);
        if (!atomic_load(&other->accepting) && i != worker)
            continue;
        accepting++;
        all += atomic_load(&other->connections);
    }
    return accepting > 1 && mine > all / accepting + all / accepting / 8 + SHARE_SLACK;
}

/* ------------------------------------------------------------------ a thread's part */

void
score_begin(struct score_thread *score, const char *handler, const char *operation, const char *target)
{
    if (score == NULL)
        return;
    shared_text_store(score->handler, SCORE_HANDLER, handler);
    shared_text_store(score->operation, SCORE_OPERATION, operation);
    shared_text_store(score->target, SCORE_TARGET, target);
    atomic_store_explicit(&score->began, clock_ms(), memory_order_release);
    atomic_store_explicit(&score->busy, true, memory_order_release);
}

void
score_end(struct score_thread *score)
{
    if (score != NULL)
        atomic_store_explicit(&score->busy, false, memory_order_release);
}

bool
score_read(const struct score_thread *score, struct score_report *report)
{
    if (!atomic_load(&score->busy))
        return false;
    report->began = atomic_load(&score->began);
    shared_text_load(score->handler, report->handler, sizeof report->handler);
    shared_text_load(score->operation, report->operation, sizeof report->operation);
    shared_text_load(score->target, report->target, sizeof report->target);
    return atomic_load(&score->busy) && atomic_load(&score->began) == report->began;
}

void
score_describe(const struct score_report *report, char *text, size_t size)
{
    snprintf(text, size, "in handler %s, operation %s%s%s", report->handler, report->operation,
             report->target[0] != '\0' ? ", target " : "", report->target);
}

void
scoreboard_describe(const struct scoreboard *board, size_t worker, char *text, size_t size)
{
    struct score_worker *score = scoreboard_worker(board, worker);
    int fatal = atomic_load(&score->fatal_thread);
    struct score_report report;
    size_t busy = 0, used;

    text[0] = '\0';
    if (fatal > 0) {
        if ((size_t)fatal <= board->threads && score_read(&score->threads[fatal - 1], &report))
            score_describe(&report, text, size);
        return;
    }
    for (size_t i = 0; i < board->threads; i++)
        if (score_read(&score->threads[i], &report) && busy++ == 0)
            score_describe(&report, text, size);
    used = strlen(text);
    if (busy > 1)
        snprintf(text + used, size - used, " (and %zu more requests)", busy - 1);
}

/* ------------------------------------------------------------------ connections */

static struct score_connection *
place_at(const struct scoreboard *board, size_t worker, size_t index)
{
    return &board->connections[worker * board->places + index];
}

static void
fill_place(struct score_connection *place, const char *address, int64_t now)
{
    shared_text_store(place->address, SCORE_ADDRESS, address);
    shared_text_store(place->client, SCORE_CLIENT, "");
    atomic_store_explicit(&place->requests, 0, memory_order_relaxed);
    atomic_store_explicit(&place->bytes_in, 0, memory_order_relaxed);
    atomic_store_explicit(&place->bytes_out, 0, memory_order_relaxed);
    atomic_store_explicit(&place->connected, now, memory_order_relaxed);
    score_connection_phase(place, SCORE_HANDSHAKE, now);
}

/* Places given back are chained by their numbers, from 1; 0 ends the chain. */
struct score_connection *
score_connection_take(const struct scoreboard *board, size_t worker, const char *address, int64_t now)
{
    struct score_worker *score = scoreboard_worker(board, worker);
    unsigned number = atomic_load_explicit(&score->free_place, memory_order_relaxed);
    unsigned used = atomic_load_explicit(&score->places_used, memory_order_relaxed);
    struct score_connection *place;

    if (number == 0 && used >= board->places)
        return NULL;
    place = place_at(board, worker, number != 0 ? number - 1 : used);
    fill_place(place, address, now);
    if (number != 0)
        atomic_store_explicit(&score->free_place, place->next, memory_order_relaxed);
    else
        atomic_store_explicit(&score->places_used, used + 1, memory_order_release);
    return place;
}

void
score_connection_give_back(const struct scoreboard *board, size_t worker, struct score_connection *place)
{
    struct score_worker *score = scoreboard_worker(board, worker);

    if (place == NULL)
        return;
    atomic_store_explicit(&place->phase, SCORE_FREE, memory_order_release);
    place->next = atomic_load_explicit(&score->free_place, memory_order_relaxed);
    atomic_store_explicit(&score->free_place, (unsigned)(place - place_at(board, worker, 0)) + 1, memory_order_relaxed);
}

void
score_connection_phase(struct score_connection *place, enum score_phase phase, int64_t now)
{
    if (place == NULL)
        return;
    atomic_store_explicit(&place->changed, now, memory_order_relaxed);
    atomic_store_explicit(&place->phase, phase, memory_order_release);
}

void
score_connection_count(struct score_connection *place, const char *client, uint64_t requests, uint64_t in, uint64_t out)
{
    if (place == NULL)
        return;
    shared_text_store(place->client, SCORE_CLIENT, client);
    atomic_store_explicit(&place->requests, requests, memory_order_relaxed);
    atomic_store_explicit(&place->bytes_in, in, memory_order_relaxed);
    atomic_store_explicit(&place->bytes_out, out, memory_order_relaxed);
}

size_t
scoreboard_places(const struct scoreboard *board, size_t worker)
{
    size_t used = atomic_load_explicit(&scoreboard_worker(board, worker)->places_used, memory_order_acquire);

    return used < board->places ? used : board->places;
}

atomic_uint *
scoreboard_counted(const struct scoreboard *board, size_t worker, size_t index)
{
    return &place_at(board, worker, index)->counted;
}

enum score_phase
scoreboard_phase(const struct scoreboard *board, size_t worker, size_t index)
{
    unsigned phase = atomic_load_explicit(&place_at(board, worker, index)->phase, memory_order_acquire);

    return phase < SCORE_PHASES ? (enum score_phase)phase : SCORE_FREE;
}

bool
scoreboard_connection(const struct scoreboard *board, size_t worker, size_t index, struct score_seen *seen)
{
    const struct score_connection *place = place_at(board, worker, index);

    seen->phase = scoreboard_phase(board, worker, index);
    seen->connected = atomic_load(&place->connected);
    seen->changed = atomic_load(&place->changed);
    seen->requests = atomic_load(&place->requests);
    seen->bytes_in = atomic_load(&place->bytes_in);
    seen->bytes_out = atomic_load(&place->bytes_out);
    shared_text_load(place->address, seen->address, sizeof seen->address);
    shared_text_load(place->client, seen->client, sizeof seen->client);
    return seen->phase != SCORE_FREE;
}

const char *
score_phase_name(enum score_phase phase)
{
    static const char *const names[SCORE_PHASES] = {"free",    "handshake", "idle",   "reading",
                                                    "running", "writing",   "closing"};

    return names[phase];
}

/* ------------------------------------------------------------------ fatal signals */

static struct score_worker *watched;
static _Thread_local int watched_thread = -1;

/* Async-signal-safe: one store, then the signal's own effect. */
static void
on_fatal(int number)
{
    if (watched != NULL)
        atomic_store(&watched->fatal_thread, watched_thread + 1);
    signal(number, SIG_DFL);
    raise(number);
}

void
score_watch_process(struct score_worker *worker)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS};
    struct sigaction action = {.sa_handler = on_fatal, .sa_flags = SA_ONSTACK | SA_NODEFER};

    watched = worker;
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++)
        sigaction(fatal[i], &action, NULL);
}

void
score_watch_thread(int thread)
{
    static _Thread_local char stack[ALTERNATE_STACK];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};

    watched_thread = thread;
    sigaltstack(&alternate, NULL);
}
