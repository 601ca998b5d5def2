/*
 * Accepting connections: see acceptor.h. Entries are level-triggered with EPOLLEXCLUSIVE, which the kernel lets nobody modify: they are paused by DEL
 * and resumed by ADD. The pool's threads accept; the control thread resumes.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "acceptor.h"
#include "clock.h"
#include "connection.h"
#include "descriptors.h"

enum {
    PAUSE_SHARE_MS = 20,      /* above the worker's share of connections */
    PAUSE_FULL_MS = 100,      /* workers.connections or limits.connections reached */
    PAUSE_ROOM_MS = 10,       /* the same, and room is being made */
    SPARE_PART = 64,          /* of what is reached, made free beyond those that wait */
    PAUSE_RESOURCES_MS = 500, /* no descriptors or memory */
};

/* What is full; where it is the service, it does not matter what a worker has left. */
enum room { ROOM, WORKER_FULL, SERVICE_FULL };

/*
 * No lock, and no count of its own that a worker's death would leave wrong: what each worker says is added up. Those that accept at the same
 * moment may pass the limit by one each.
 */
static bool
service_is_full(const struct worker *worker)
{
    long open = 0, most = worker->config->limits.connections;

    for (const struct scoreboard *at = worker->setup->boards; at != NULL && most > 0; at = at->next)
        open += scoreboard_open(at);
    return most > 0 && open >= most;
}

static enum room
look_for_room(const struct worker *worker)
{
    if (service_is_full(worker))
        return SERVICE_FULL;
    return atomic_load(&worker->count) >= worker->config->workers.connections ? WORKER_FULL : ROOM;
}

static int
most_of(const struct worker *worker, enum room room)
{
    return room == SERVICE_FULL ? worker->config->limits.connections : worker->config->workers.connections;
}

static void
arm(struct acceptor *acceptor)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = &acceptor->source};

    acceptor->armed = epoll_ctl(acceptor->worker->pool.epoll, EPOLL_CTL_ADD, acceptor->fd, &event) == 0;
    if (acceptor->armed)
        return;
    if (worker_may_say(&acceptor->worker->accept_said))
        log_error(ACCEPT_FAILED, "can't wait for connections on %s: %s; trying again every %d ms", acceptor->text, strerror(errno),
                  PAUSE_RESOURCES_MS);
    acceptor->resume_at = clock_ms() + PAUSE_RESOURCES_MS;
}

static void
disarm(struct acceptor *acceptor)
{
    if (acceptor->armed)
        epoll_ctl(acceptor->worker->pool.epoll, EPOLL_CTL_DEL, acceptor->fd, NULL);
    acceptor->armed = false;
}

static void
pause_for(struct acceptor *acceptor, int ms)
{
    pthread_mutex_lock(&acceptor->lock);
    if (acceptor->armed) {
        disarm(acceptor);
        acceptor->resume_at = clock_ms() + ms;
    }
    pthread_mutex_unlock(&acceptor->lock);
    worker_wake(acceptor->worker);
}

/* The one switch for what accept says: a peer's fault, a lack that passes, or something unheard of. */
static void
accept_failed(struct acceptor *acceptor, int error)
{
    switch (error) {
    case EAGAIN:
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENOPROTOOPT:
    case EPERM:
    case ETIMEDOUT:
        return;
    case EBADF:
    case ENOTSOCK:
        descriptors_lost(acceptor->fd);
    default:
        if (worker_may_say(&acceptor->worker->accept_said))
            log_error(ACCEPT_FAILED, "can't accept on %s: %s; trying again every %d ms", acceptor->text, strerror(error),
                      PAUSE_RESOURCES_MS);
        pause_for(acceptor, PAUSE_RESOURCES_MS);
    }
}

static bool
has_room(const struct acceptor *acceptor)
{
    struct worker *worker = acceptor->worker;
    enum room room = look_for_room(worker);

    if (room != ROOM && worker_may_say(&worker->full_said))
        log_warning(CONNECTIONS_FULL, "%s.connections = %d is reached: new ones take the places of those that are idle",
                    room == SERVICE_FULL ? "limits" : "workers", most_of(worker, room));
    return room == ROOM;
}

static void
accepted(struct acceptor *acceptor, int fd, const struct sockaddr_storage *from, socklen_t length)
{
    struct worker *worker = acceptor->worker;
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    connection_start(worker, fd, (const struct sockaddr *)from, length);
    if (!has_room(acceptor))
        pause_for(acceptor, PAUSE_FULL_MS);
    else if (scoreboard_above_share(worker->setup->board, worker->setup->part))
        pause_for(acceptor, PAUSE_SHARE_MS);
}

static bool
accept_one(struct acceptor *acceptor)
{
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    int fd;

    fd = accept4(acceptor->fd, (struct sockaddr *)&from, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        accept_failed(acceptor, errno);
    else
        accepted(acceptor, fd, &from, length);
    return fd >= 0;
}

/* Counted before the look at `draining`: a worker that drains waits for those that have looked before, and
 * loses no connection. */
static void
acceptor_ready(struct source *source)
{
    struct acceptor *acceptor = (struct acceptor *)source;
    struct worker *worker = acceptor->worker;

    atomic_fetch_add(&worker->accepting, 1);
    if (!atomic_load(&worker->draining) && service_is_full(worker))
        pause_for(acceptor, PAUSE_FULL_MS);
    else if (!atomic_load(&worker->draining))
        accept_one(acceptor);
    if (atomic_fetch_sub(&worker->accepting, 1) == 1 && atomic_load(&worker->draining))
        worker_wake(worker);
}

bool
acceptors_start(struct worker *worker)
{
    const struct listener_set *listeners = worker->setup->listeners;

    worker->acceptors = calloc(listeners->count, sizeof *worker->acceptors);
    if (worker->acceptors == NULL)
        return false;
    for (size_t i = 0; i < listeners->count; i++) {
        struct acceptor *acceptor = &worker->acceptors[i];

        acceptor->source.ready = acceptor_ready;
        acceptor->worker = worker;
        acceptor->fd = listeners->items[i].fd;
        acceptor->text = listeners->items[i].text;
        pthread_mutex_init(&acceptor->lock, NULL);
        arm(acceptor);
    }
    worker->acceptor_count = listeners->count;
    atomic_store(&worker->score->accepting, true);
    return true;
}

/* How many wait to be accepted: of a listening socket that is what the kernel calls "unacked". */
static unsigned
queued(const struct acceptor *acceptor)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof info;

    return getsockopt(acceptor->fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 ? info.tcpi_unacked : 0;
}

/* Another worker will accept who waits, in a moment. */
static bool
others_have_room(const struct worker *worker)
{
    const struct scoreboard *board = worker->setup->board;
    bool any = false;

    for (size_t i = 0; i < board->workers && !any; i++) {
        const struct score_worker *other = scoreboard_worker(board, i);

        any = i != worker->setup->part && atomic_load(&other->accepting) &&
              atomic_load(&other->connections) < worker->config->workers.connections;
    }
    return any;
}

/*
 * For who waits, and some more, so that not everybody waits: when to look again. Where the service is full, each worker does that for itself: the
 * scoreboard says which are the longest idle of all, and it closes those of them that are its own.
 */
static int64_t
make_room(const struct acceptor *acceptor, enum room room, int64_t now)
{
    struct worker *worker = acceptor->worker;
    unsigned waiting = queued(acceptor), wanted = waiting + (unsigned)most_of(worker, room) / SPARE_PART;
    size_t whose = room == SERVICE_FULL ? SCORE_ALL : worker->setup->part;
    bool wants = waiting > 0 && (room == SERVICE_FULL || !others_have_room(worker));
    bool made = wants && connections_make_room(worker, scoreboard_idle_since(worker->setup->board, whose, wanted), wanted, now);

    return now + (made ? PAUSE_ROOM_MS : PAUSE_FULL_MS);
}

static void
resume(struct acceptor *acceptor, enum room room, int64_t now)
{
    /* Others have filled the service: whoever has the longest idle must look for who waits, or nobody would. */
    if (acceptor->armed && room == SERVICE_FULL) {
        disarm(acceptor);
        acceptor->resume_at = now;
    }
    if (!acceptor->armed && acceptor->resume_at <= now && room != ROOM)
        acceptor->resume_at = make_room(acceptor, room, now);
    if (!acceptor->armed && acceptor->resume_at <= now)
        arm(acceptor);
}

int64_t
acceptors_resume(struct worker *worker, int64_t now)
{
    enum room room = look_for_room(worker);
    int64_t next = -1;

    for (size_t i = 0; i < worker->acceptor_count && !atomic_load(&worker->draining); i++) {
        struct acceptor *acceptor = &worker->acceptors[i];

        pthread_mutex_lock(&acceptor->lock);
        resume(acceptor, room, now);
        if (!acceptor->armed && (next < 0 || acceptor->resume_at < next))
            next = acceptor->resume_at;
        pthread_mutex_unlock(&acceptor->lock);
    }
    return next;
}

/*
 * A connection whose wake-up came to this worker has woken no other (EPOLLEXCLUSIVE). Those that came before the worker left the set are
 * taken by it, or they would wait until the next one comes.
 */
static void
take_queued(struct acceptor *acceptor)
{
    int most = SOMAXCONN;

    while (most-- > 0 && accept_one(acceptor))
        ;
}

void
acceptors_stop(struct worker *worker)
{
    atomic_store(&worker->score->accepting, false);
    for (size_t i = 0; i < worker->acceptor_count; i++) {
        struct acceptor *acceptor = &worker->acceptors[i];
        bool woken;

        pthread_mutex_lock(&acceptor->lock);
        woken = acceptor->armed;
        disarm(acceptor);
        pthread_mutex_unlock(&acceptor->lock);
        if (woken || !service_is_full(worker))
            take_queued(acceptor);
    }
}

void
acceptors_close(struct worker *worker)
{
    if (atomic_load(&worker->accepting) > 0)
        return;
    for (size_t i = 0; i < worker->acceptor_count; i++) {
        struct acceptor *acceptor = &worker->acceptors[i];

        if (acceptor->fd >= 0) {
            descriptors_drop(acceptor->fd);
            close(acceptor->fd);
        }
        acceptor->fd = -1;
    }
}
