/*
 * The master's signals: blocked once, and read from a descriptor. Master only; its children let go of it.
 */
#ifndef DOIPD_SIGNALS_H
#define DOIPD_SIGNALS_H

#include <stdbool.h>

/* Blocks what the master listens to: SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM. False with errno. */
bool signals_take(void);

/* To poll(2) on. */
int signals_fd(void);

/* The next one that came, 0 for none. */
int signals_next(void);

/* In a forked worker. */
void signals_forget(void);

#endif
