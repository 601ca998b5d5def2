/*
 * Listening sockets: see listener.h. Runs in the master.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "listener.h"
#include "log.h"
#include "passed.h"

enum { TRIES = 10, TRY_US = 100000 };

static int
backlog(const struct config *config)
{
    return config->limits.backlog > 0 ? config->limits.backlog : SOMAXCONN;
}

static int
open_socket(const struct config_listen *listen_on, int most_waiting)
{
    int family = listen_on->address.ss_family, on = 1, saved;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        (family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0) &&
        bind(fd, (const struct sockaddr *)&listen_on->address, listen_on->length) == 0 &&
        listen(fd, most_waiting) == 0)
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

/* At a start an address may still be a killed predecessor's, whose workers are just letting go of it: that is worth a moment. */
static int
open_patiently(const struct config_listen *listen_on, int most_waiting)
{
    int fd = open_socket(listen_on, most_waiting);

    for (int i = 0; fd < 0 && errno == EADDRINUSE && i < TRIES; i++) {
        usleep(TRY_US);
        fd = open_socket(listen_on, most_waiting);
    }
    return fd;
}

/* The queue of the generation before, with the room that it has now. */
static int
inherited(const struct listener_set *old, const char *text, int most_waiting)
{
    for (size_t i = 0; old != NULL && i < old->count; i++)
        if (strcmp(old->items[i].text, text) == 0) {
            listen(old->items[i].fd, most_waiting);
            return fcntl(old->items[i].fd, F_DUPFD_CLOEXEC, 3);
        }
    return -1;
}

/* A socket for an address: passed, whose queue is the service manager's matter, or had already, or a new one; -1 with errno. */
static int
obtain(const struct config_listen *listen_on, const struct listener_set *old, int most_waiting)
{
    int fd = passed_duplicate(listen_on);

    if (fd < 0)
        fd = inherited(old, listen_on->text, most_waiting);
    if (fd < 0)
        fd = old == NULL ? open_patiently(listen_on, most_waiting) : open_socket(listen_on, most_waiting);
    return fd;
}

/* The default configuration listens on [::1] too: a host without IPv6 is no reason not to start. */
static bool
is_missing_ipv6(const struct config_listen *listen_on, int error)
{
    const struct sockaddr_in6 *address = (const struct sockaddr_in6 *)&listen_on->address;

    return listen_on->address.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&address->sin6_addr) &&
           (error == EAFNOSUPPORT || error == EADDRNOTAVAIL);
}

static const char *
advice(int error, bool reload)
{
    switch (error) {
    case EADDRINUSE:
        return reload ? "; another program listens there, or this service itself, at an address that overlaps: then restart it"
                      : "; another program listens there: stop it, or set another port in `listen`";
    case EADDRNOTAVAIL:
        return "; this host does not have that address: correct `listen`";
    case EACCES:
        return "; ports below 1024 need root or CAP_NET_BIND_SERVICE";
    default:
        return "";
    }
}

bool
listener_set_open(struct listener_set *set, const struct config *config, const struct listener_set *old,
                  char *reason, size_t size)
{
    set->count = 0;
    set->items = NULL;
    if (!passed_all_wanted(config, reason, size))
        return false;
    set->items = calloc(config->listen_count, sizeof *set->items);
    for (size_t i = 0; set->items != NULL && i < config->listen_count; i++) {
        const struct config_listen *listen_on = &config->listen[i];
        int fd = obtain(listen_on, old, backlog(config));

        if (fd < 0 && is_missing_ipv6(listen_on, errno) && config->listen_count > 1) {
            log_warning(ADDRESS_UNUSABLE, "not listening on %s: this host has no IPv6", listen_on->text);
            continue;
        }
        if (fd < 0) {
            int error = errno;
            snprintf(reason, size, "%s: listen: can't listen on %s: %s%s", config_origin(config, "listen"), listen_on->text,
                     strerror(error), advice(error, old != NULL));
            listener_set_close(set);
            return false;
        }
        set->items[set->count].fd = fd;
        set->items[set->count++].text = listen_on->text;
    }
    if (set->count > 0)
        return true;
    snprintf(reason, size, set->items != NULL ? "listen: this host has none of the addresses" : "out of memory");
    listener_set_close(set);
    return false;
}

void
listener_set_close(struct listener_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        close(set->items[i].fd);
    free(set->items);
    set->items = NULL;
    set->count = 0;
}
