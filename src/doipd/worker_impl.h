/*
 * For worker*.c: the parts of a worker's control thread.
 */
#ifndef DOIPD_WORKER_IMPL_H
#define DOIPD_WORKER_IMPL_H

#include "worker.h"

/* Makes it ready to serve, or gives up. */
void worker_start(struct worker *worker, const struct worker_setup *setup);

/* Tells the master why it can't serve, and ends at once. */
_Noreturn void worker_give_up(const struct worker_setup *setup, const char *reason);

#endif
