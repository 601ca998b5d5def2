/*
 * Reading the configuration in a throw-away child first. libconfig ends the process where memory is short, and the master of a running service
 * must not end of a reload. Master only.
 */
#ifndef DOIPD_TRIAL_H
#define DOIPD_TRIAL_H

#include "config.h"

/* True when a child could load it; else the reason, as config_load() gives it or how the child ended. Waits for that child. */
bool trial_load(const struct config_source *source, char *reason, size_t size);

#endif
