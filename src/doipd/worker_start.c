/*
 * How a worker comes to be: it becomes its user, loads and opens the handlers, and has its threads wait for connections. Runs in its first
 * thread, before it says that it is ready.
 */
#include <malloc.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "channel.h"
#include "descriptors.h"
#include "dispatch.h"
#include "guard.h"
#include "metrics.h"
#include "pulse.h"
#include "tickets.h"
#include "worker_impl.h"

enum {
    ARENAS = 2, /* of malloc: more cost memory, not time */
    TRIM = 4 * 1024 * 1024,
};

_Noreturn void
worker_give_up(const struct worker_setup *setup, const char *reason)
{
    channel_send(setup->channel, CHANNEL_FAILED, reason);
    _exit(WORKER_EXIT_FAILED);
}

static void
tune_memory(void)
{
    mallopt(M_ARENA_MAX, ARENAS);
    mallopt(M_TRIM_THRESHOLD, TRIM);
}

/* To the metrics, and (once) to the log. */
static void
make_known(const struct worker_setup *setup, struct handler *handler, size_t place)
{
    const char *version = handler->descriptor->version != NULL ? handler->descriptor->version : "";
    bool safe = (handler->descriptor->flags & DOIP_THREAD_SAFE) != 0;

    handler->metric = metrics_handler(&(struct metrics_handler){.name = handler->name,
                                                                .version = version,
                                                                .thread_safe = safe,
                                                                .generation = setup->generation,
                                                                .place = (unsigned)place});
    if (setup->index == 0)
        log_info(HANDLER_LOADED, "handler %s %s loaded%s", handler->name, version,
                 safe ? "" : "; it is not thread-safe: its calls run one at a time in each worker");
}

static void
load(struct worker *worker)
{
    const struct worker_setup *setup = worker->setup;
    struct score_thread *score = &worker->score->threads[setup->config->workers.threads];
    char reason[CHANNEL_TEXT];

    if (!privileges_drop(setup->account, reason, sizeof reason) ||
        !handlers_load(&worker->handlers, setup->config, setup->started_by_root, score, reason,
                       sizeof reason) ||
        !handlers_open(&worker->handlers, score, reason, sizeof reason))
        worker_give_up(setup, reason);
    for (size_t i = 0; i < worker->handlers.count; i++)
        make_known(setup, &worker->handlers.items[i], i);
    /* Passwords would stay where OpenSSL has decrypted them. It wipes 17 KiB for each read, so only where there are any. */
    if (setup->config->users.count > 0 || dispatch_authenticates(worker))
        SSL_CTX_set_options(setup->tls, SSL_OP_CLEANSE_PLAINTEXT);
}

void
worker_start(struct worker *worker, const struct worker_setup *setup)
{
    memset(worker, 0, sizeof *worker);
    worker->setup = setup;
    worker->config = setup->config;
    worker->service = setup->service;
    /* Jansson's mark for what is never freed: the threads share it without counting. */
    worker->service->refcount = (size_t)-1;
    worker->score = scoreboard_worker(setup->board, setup->part);
    worker->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&worker->serial, NULL);
    pthread_mutex_init(&worker->lock, NULL);
    metrics_use_stripe(setup->part);
    tune_memory();
    tickets_protect();
    guard_begin(worker->score);
    guard_thread(setup->config->workers.threads);
    if (!descriptors_begin())
        worker_give_up(setup, "a worker can't start: out of memory");
    load(worker);
    guard_exits();
    if (worker->wake < 0 ||
        !pool_init(&worker->pool, setup->config->workers.threads, setup->config->workers.processes,
                   worker->score) ||
        !held_init(&worker->held,
                   &worker->score->threads[score_held((size_t)setup->config->workers.threads)],
                   (size_t)setup->config->workers.threads) ||
        !authenticator_init(&worker->authenticator, &setup->config->users,
                            worker->pool.leaders_most) ||
        !pulse_start(worker) || !pool_start(&worker->pool))
        worker_give_up(
            setup, "a worker can't start: the system refuses threads, descriptors or random bytes");
}
