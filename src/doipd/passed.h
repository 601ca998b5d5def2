/*
 * Listening sockets that were passed by the service manager (socket activation, sd_listen_fds(3)). The service manager holds them too: connections
 * queue there while this service is restarted. They stay open as long as the master runs; a generation gets duplicates. Master only;
 * main() takes them for it.
 */
#ifndef DOIPD_PASSED_H
#define DOIPD_PASSED_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

/* Takes and checks all; in the process that was started, before it forks. False with the reason. */
bool passed_take(char *reason, size_t size);

/* What stands in for `listen` where that is not configured: "listen=A,B", kept by this file; NULL: no socket was passed. */
const char *passed_listen(void);

/* A duplicate of the one with that address; -1: there is none, or with errno no descriptor left. */
int passed_duplicate(const struct config_listen *listen_on);

/* False with the reason where one was passed that the configuration does not listen on: connections would wait there for ever. */
bool passed_all_wanted(const struct config *config, char *reason, size_t size);

/* In a worker, which has duplicates. */
void passed_forget(void);

#endif
