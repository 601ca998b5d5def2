/*
 * A second thread for bytes on their way in (relay.h): a ring of pieces, filled by one thread
 * and emptied by the other. In each worker process; the lock is held only to pass a piece on.
 */
#include "relay.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

/* A write costs the kernel half as much a byte as one of a TLS record does. All pieces together
 * stay in a processor's cache between the two threads. */
enum { PIECES = 4, PIECE = 256 << 10 };

struct relay {
    relay_take *take;
    void *closure;
    char *pieces;  /* all of them */
    size_t filled; /* of the giver's piece */
    bool threaded;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;     /* of what follows; one waits at the most */
    unsigned long given, taken; /* pieces; what is between them is the taker's */
    bool ending;
    bool refused; /* what else comes is dropped */
};

static char *
relay_piece(const struct relay *relay, unsigned long number)
{
    return relay->pieces + number % PIECES * PIECE;
}

/* ------------------------------------------------------------------ the second thread */

/* For a piece to take; false: there will be none. */
static bool
relay_wait(struct relay *relay)
{
    bool more;

    pthread_mutex_lock(&relay->lock);
    while (relay->given == relay->taken && !relay->ending)
        pthread_cond_wait(&relay->changed, &relay->lock);
    more = relay->given != relay->taken && !relay->refused;
    pthread_mutex_unlock(&relay->lock);
    return more;
}

static void *
relay_run(void *argument)
{
    struct relay *relay = argument;

    pthread_setname_np(pthread_self(), "store relay");
    while (relay_wait(relay)) {
        /* Only this thread changes `taken`. */
        bool wanted = relay->take(relay->closure, relay_piece(relay, relay->taken), PIECE);

        pthread_mutex_lock(&relay->lock);
        relay->taken++;
        if (!wanted)
            relay->refused = true;
        pthread_cond_signal(&relay->changed);
        pthread_mutex_unlock(&relay->lock);
    }
    return NULL;
}

/* Signals are for the daemon's own threads. */
static bool
relay_start(struct relay *relay)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    relay->threaded = pthread_create(&relay->thread, NULL, relay_run, relay) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return relay->threaded;
}

/* Ends it once nothing waits, or nothing more is wanted. */
static void
relay_join(struct relay *relay, bool refused)
{
    if (!relay->threaded)
        return;
    pthread_mutex_lock(&relay->lock);
    relay->ending = true;
    relay->refused = relay->refused || refused;
    pthread_cond_signal(&relay->changed);
    pthread_mutex_unlock(&relay->lock);
    pthread_join(relay->thread, NULL);
    relay->threaded = relay->ending = false;
}

/* ------------------------------------------------------------------ the giver */

struct relay *
relay_new(relay_take *take, void *closure)
{
    struct relay *relay = calloc(1, sizeof(*relay));

    if (relay == NULL)
        return NULL;
    /* Not from a heap, which would keep it, and for the sake of it other large blocks. */
    relay->pieces = mmap(NULL, (size_t)PIECES * PIECE, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (relay->pieces == MAP_FAILED) {
        free(relay);
        return NULL;
    }
    relay->take = take;
    relay->closure = closure;
    pthread_mutex_init(&relay->lock, NULL);
    pthread_cond_init(&relay->changed, NULL);
    return relay;
}

void
relay_free(struct relay **relay)
{
    struct relay *ending = *relay;

    if (ending == NULL)
        return;
    relay_join(ending, true);
    pthread_cond_destroy(&ending->changed);
    pthread_mutex_destroy(&ending->lock);
    munmap(ending->pieces, (size_t)PIECES * PIECE);
    free(ending);
    *relay = NULL;
}

char *
relay_room(struct relay *relay, size_t *room)
{
    *room = PIECE - relay->filled;
    return relay_piece(relay, relay->given) + relay->filled;
}

/* Passes a full piece on, and waits for the next to be free. */
static bool
relay_pass(struct relay *relay)
{
    bool wanted;

    pthread_mutex_lock(&relay->lock);
    relay->given++;
    relay->filled = 0;
    pthread_cond_signal(&relay->changed);
    while (relay->given - relay->taken == PIECES && !relay->refused)
        pthread_cond_wait(&relay->changed, &relay->lock);
    wanted = !relay->refused;
    pthread_mutex_unlock(&relay->lock);
    return wanted;
}

/* Has the giver's piece taken in the giver's thread. */
static bool
relay_take_here(struct relay *relay)
{
    size_t size = relay->filled;

    relay->filled = 0;
    relay->refused = !relay->take(relay->closure, relay_piece(relay, relay->given), size);
    return !relay->refused;
}

bool
relay_give(struct relay *relay, size_t size)
{
    relay->filled += size;
    if (relay->filled < PIECE)
        return true;
    return relay->threaded || relay_start(relay) ? relay_pass(relay) : relay_take_here(relay);
}

bool
relay_end(struct relay *relay)
{
    relay_join(relay, false);
    return !relay->refused && (relay->filled == 0 || relay_take_here(relay));
}
