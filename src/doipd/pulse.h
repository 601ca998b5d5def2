/*
 * A worker's pulse: the master asks over the channel, the control thread wakes the pool, and a thread of the pool answers. So an answer says that
 * both are alive. Worker only.
 */
#ifndef DOIPD_PULSE_H
#define DOIPD_PULSE_H

#include "worker.h"

/* Between pool_init() and pool_start(). False when the system refuses a descriptor. */
bool pulse_start(struct worker *worker);

/* The master asks. Control thread. */
void pulse_ask(void);

#endif
