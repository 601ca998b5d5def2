/*
 * The scoreboard: see scoreboard.h. Runs in the master (init, describe) and in workers' threads (the rest).
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "clock.h"
#include "scoreboard.h"

enum { SHARE_SLACK = 16, ALTERNATE_STACK = 32768 };

bool
scoreboard_init(struct scoreboard *board, size_t workers, size_t threads)
{
    board->workers = workers;
    board->threads = threads;
    board->stride = sizeof(struct score_worker) + threads * sizeof(struct score_thread);
    board->stride = (board->stride + 63) & ~(size_t)63;
    board->size = board->stride * workers;
    board->base = mmap(NULL, board->size, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (board->base == MAP_FAILED)
        board->base = NULL;
    return board->base != NULL;
}

void
scoreboard_fini(struct scoreboard *board)
{
    if (board->base != NULL)
        munmap(board->base, board->size);
    board->base = NULL;
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

/* Each store releases: who sees a word also sees that the thread was not busy before it was written. */
static void
store_text(_Atomic(uint64_t) *words, size_t size, const char *text)
{
    size_t length = strnlen(text, size - 1);

    for (size_t i = 0; i <= length / 8; i++) {
        size_t left = length - i * 8;
        uint64_t word = 0;

        memcpy(&word, text + i * 8, left < 8 ? left : 8);
        atomic_store_explicit(&words[i], word, memory_order_release);
    }
}

static void
load_text(const _Atomic(uint64_t) *words, char *text, size_t size)
{
    for (size_t i = 0; i < size / 8; i++) {
        uint64_t word = atomic_load_explicit(&words[i], memory_order_acquire);

        memcpy(text + i * 8, &word, 8);
    }
    text[size - 1] = '\0';
}

void
score_begin(struct score_thread *score, const char *handler, const char *operation, const char *target)
{
    if (score == NULL)
        return;
    store_text(score->handler, SCORE_HANDLER, handler);
    store_text(score->operation, SCORE_OPERATION, operation);
    store_text(score->target, SCORE_TARGET, target);
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
    load_text(score->handler, report->handler, sizeof report->handler);
    load_text(score->operation, report->operation, sizeof report->operation);
    load_text(score->target, report->target, sizeof report->target);
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
