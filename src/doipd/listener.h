/*
 * Listening sockets: opened by the master, inherited by every generation of workers. A set is kept over a reload as far as its
 * addresses are still configured, so that no queued connection is lost.
 */
#ifndef DOIPD_LISTENER_H
#define DOIPD_LISTENER_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

struct listener {
    int fd;
    const char *text; /* the address as configured: the configuration's own */
};

struct listener_set {
    struct listener *items;
    size_t count;
};

/*
 * Opens a socket for each configured address, taking those that `old` (may be NULL) has for the same address, or that were passed (passed.h), as duplicates.
 * False with the reason, naming the address; nothing stays open then.
 */
bool listener_set_open(struct listener_set *set, const struct config *config, const struct listener_set *old,
                       char *reason, size_t size);
void listener_set_close(struct listener_set *set);

#endif
