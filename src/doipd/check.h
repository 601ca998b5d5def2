/*
 * `doipd -t`: everything that a start would check, in a child and as the workers' user; binds nothing, opens no handler, changes nothing.
 */
#ifndef DOIPD_CHECK_H
#define DOIPD_CHECK_H

#include "config.h"

/* Says on stderr what it found; the exit status. */
int check_run(const struct config_source *source);

#endif
