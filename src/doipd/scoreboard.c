/*
 * The scoreboard: see scoreboard.h. Runs in the master (init, describe, the look at connections) and in workers' threads (the rest).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "clock.h"
#include "scoreboard.h"
#include "shared_text.h"

enum {
    SHARE_SLACK = 16,
    IDLEST_MOST = 64, /* that are told apart */
};

static void *
shared_pages(size_t size)
{
    void *base =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

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

long
scoreboard_open(const struct scoreboard *board)
{
    long all = 0;

    for (size_t i = 0; i < board->workers; i++) {
        int some = atomic_load(&scoreboard_worker(board, i)->connections);
        all += some > 0 ? some : 0;
    }
    return all;
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
score_begin(struct score_thread *score, const char *handler, const char *operation,
            const char *target)
{
    if (score == NULL)
        return;
    shared_text_store(score->handler, SCORE_HANDLER, handler);
    shared_text_store(score->operation, SCORE_OPERATION, operation);
    shared_text_store(score->target, SCORE_TARGET, target);
    atomic_store_explicit(&score->began, clock_us(), memory_order_release);
    atomic_store_explicit(&score->busy, true, memory_order_release);
}

void
score_end(struct score_thread *score)
{
    if (score != NULL)
        atomic_store_explicit(&score->busy, false, memory_order_release);
}

static void
copy_report(const struct score_thread *score, struct score_report *report)
{
    report->began = atomic_load(&score->began) / 1000;
    shared_text_load(score->handler, report->handler, sizeof report->handler);
    shared_text_load(score->operation, report->operation, sizeof report->operation);
    shared_text_load(score->target, report->target, sizeof report->target);
}

bool
score_read(const struct score_thread *score, struct score_report *report)
{
    int64_t began = atomic_load(&score->began);

    if (!atomic_load(&score->busy))
        return false;
    copy_report(score, report);
    return atomic_load(&score->busy) && atomic_load(&score->began) == began;
}

void
score_describe(const struct score_report *report, char *text, size_t size)
{
    snprintf(text, size, "in handler %s, operation %s%s%s", report->handler, report->operation,
             report->target[0] != '\0' ? ", target " : "", report->target);
}

void
score_last_words(struct score_worker *score, const char *text)
{
    shared_text_store(score->words, SCORE_WORDS, text);
}

void
scoreboard_last_words(const struct scoreboard *board, size_t worker, char text[SCORE_WORDS])
{
    shared_text_load(scoreboard_worker(board, worker)->words, text, SCORE_WORDS);
}

/* What its threads are in. */
static void
describe_busy(const struct scoreboard *board, const struct score_worker *score, char *text,
              size_t size)
{
    struct score_report report;
    size_t busy = 0, used;

    for (size_t i = 0; i < board->threads; i++)
        if (score_read(&score->threads[i], &report) && busy++ == 0)
            score_describe(&report, text, size);
    used = strlen(text);
    if (busy > 1)
        snprintf(text + used, size - used, " (and %zu more requests)", busy - 1);
}

/* The call that began last, whether it is over or not. */
static void
describe_last(const struct scoreboard *board, const struct score_worker *score, char *text,
              size_t size)
{
    const struct score_thread *last = &score->threads[0];
    struct score_report report;
    size_t used;

    for (size_t i = 1; i < board->threads; i++)
        if (atomic_load(&score->threads[i].began) > atomic_load(&last->began))
            last = &score->threads[i];
    if (atomic_load(&last->began) == 0)
        return;
    copy_report(last, &report);
    snprintf(text, size, "the last call was ");
    used = strlen(text);
    score_describe(&report, text + used, size - used);
}

void
scoreboard_describe(const struct scoreboard *board, size_t worker, char *text, size_t size)
{
    const struct score_worker *score = scoreboard_worker(board, worker);
    int fatal = atomic_load(&score->fatal_thread);
    struct score_report report;
    size_t used;

    text[0] = '\0';
    /* A number that is none comes of a thread whose stack was written over: its own variables lie there, too. */
    if (fatal > 0 && (size_t)fatal <= board->threads) {
        if (score_read(&score->threads[fatal - 1], &report))
            score_describe(&report, text, size);
        else if (atomic_load(&score->words[0]) != 0)
            describe_last(board, score, text, size);
        return;
    }
    if (fatal == SCORE_FOREIGN)
        snprintf(text, size, "in a thread that a handler or a library has started; others were ");
    used = strlen(text);
    describe_busy(board, score, text + used, size - used);
    if (text[used] == '\0' && fatal == SCORE_FOREIGN)
        snprintf(text, size, "in a thread that a handler or a library has started");
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
score_connection_take(const struct scoreboard *board, size_t worker, const char *address,
                      int64_t now)
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
score_connection_give_back(const struct scoreboard *board, size_t worker,
                           struct score_connection *place)
{
    struct score_worker *score = scoreboard_worker(board, worker);

    if (place == NULL)
        return;
    atomic_store_explicit(&place->phase, SCORE_FREE, memory_order_release);
    place->next = atomic_load_explicit(&score->free_place, memory_order_relaxed);
    atomic_store_explicit(&score->free_place, (unsigned)(place - place_at(board, worker, 0)) + 1,
                          memory_order_relaxed);
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
score_connection_count(struct score_connection *place, const char *client, uint64_t requests,
                       uint64_t in, uint64_t out)
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
    size_t used =
        atomic_load_explicit(&scoreboard_worker(board, worker)->places_used, memory_order_acquire);

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
    unsigned phase =
        atomic_load_explicit(&place_at(board, worker, index)->phase, memory_order_acquire);

    return phase < SCORE_PHASES ? (enum score_phase)phase : SCORE_FREE;
}

/* The least times so far, the least first. */
struct idlest {
    size_t count;
    size_t most;
    int64_t since[IDLEST_MOST];
};

static void
consider(struct idlest *idlest, int64_t since)
{
    size_t at = idlest->count;

    if (at == idlest->most && since >= idlest->since[at - 1])
        return;
    if (at == idlest->most)
        at--;
    else
        idlest->count++;
    for (; at > 0 && idlest->since[at - 1] > since; at--)
        idlest->since[at] = idlest->since[at - 1];
    idlest->since[at] = since;
}

static void
look_at_idle(const struct scoreboard *board, size_t worker, struct idlest *idlest)
{
    for (size_t i = 0; i < scoreboard_places(board, worker); i++)
        if (scoreboard_phase(board, worker, i) == SCORE_IDLE)
            consider(idlest, atomic_load_explicit(&place_at(board, worker, i)->changed, memory_order_relaxed));
}

int64_t
scoreboard_idle_since(const struct scoreboard *board, size_t worker, size_t most)
{
    struct idlest idlest = {.most = most < IDLEST_MOST ? most : IDLEST_MOST};

    for (size_t i = 0; i < board->workers && most > 0; i++)
        if (worker == SCORE_ALL || worker == i)
            look_at_idle(board, i, &idlest);
    return idlest.count > 0 ? idlest.since[idlest.count - 1] : -1;
}

bool
scoreboard_connection(const struct scoreboard *board, size_t worker, size_t index,
                      struct score_seen *seen)
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
