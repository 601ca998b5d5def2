/*
 * A worker's pulse: see pulse.h.
 */
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "channel.h"
#include "descriptors.h"
#include "pulse.h"

static struct {
    struct source source;
    const struct worker *worker;
    int fd;
} pulse;

static void
answer(struct source *source)
{
    (void)source;
    channel_send(pulse.worker->setup->channel, CHANNEL_ALIVE, "");
}

/* Edge-triggered: each question is one event, and nobody has to read the number. */
bool
pulse_start(struct worker *worker)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = &pulse.source};

    pulse.source.ready = answer;
    pulse.worker = worker;
    pulse.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    descriptors_keep(pulse.fd);
    return pulse.fd >= 0 && epoll_ctl(worker->pool.epoll, EPOLL_CTL_ADD, pulse.fd, &event) == 0;
}

void
pulse_ask(void)
{
    eventfd_write(pulse.fd, 1);
}
