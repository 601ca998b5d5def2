/*
 * The master: keeps one generation serving, replaces it on SIGHUP, ends it on SIGTERM, SIGINT and SIGQUIT. It runs no handler and
 * reads no client's byte.
 */
#ifndef DOIPD_MASTER_H
#define DOIPD_MASTER_H

#include "config.h"

/* Exit statuses of doipd (doipd(8)). */
enum { EXIT_GOOD = 0, EXIT_BAD = 1 };

/*
 * Runs the service to its end. `tell` is called once: with NULL when the service is ready, or with the reason why it can't be; the
 * log goes to stderr where `foreground`. Returns the exit status.
 */
int master_run(const struct config_source *source, bool foreground, void (*tell)(const char *reason));

#endif
