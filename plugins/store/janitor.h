/*
 * A thread that works behind the others, so that nobody waits for it: it cleans up (sweep.c), or
 * keeps the index current (index.c). It starts when it is first needed, so always after the fork. Thread-safe.
 */
#ifndef STORE_JANITOR_H
#define STORE_JANITOR_H

#include <stdbool.h>

struct janitor;

/* `clean` says whether all is done; if not, it is called again some seconds later. NULL: memory is
 * short. */
struct janitor *janitor_new(const char *name, bool (*clean)(void *closure), void *closure);
/* Ends it, once what was asked for is done. */
void janitor_free(struct janitor **janitor);
/* Has it clean once, from the start, some time after this call. */
void janitor_ask(struct janitor *janitor);
/* Waits until all that was asked for is done. */
void janitor_settle(struct janitor *janitor);

#endif
