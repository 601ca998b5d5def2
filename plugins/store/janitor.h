/*
 * A thread that works behind the others, so that nobody waits for it: it cleans up (sweep.c), or
 * keeps the index current (index.c). It starts when it is first needed, so always after the fork. Thread-safe.
 */
#ifndef STORE_JANITOR_H
#define STORE_JANITOR_H

struct janitor;

/* NULL: memory is short. */
struct janitor *janitor_new(void (*clean)(void *closure), void *closure);
/* Ends it, once what was asked for is done. */
void janitor_free(struct janitor **janitor);
/* Has it clean once, from the start, some time after this call. */
void janitor_ask(struct janitor *janitor);
/* Waits until all that was asked for is done. */
void janitor_settle(struct janitor *janitor);

#endif
