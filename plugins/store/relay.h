/*
 * Bytes that come in small parts, gathered into large pieces: a first thread puts them in place, a
 * second one takes the pieces, in the order given, so that both work at once. Only stage_bytes.c
 * calls it. A relay belongs to one thread at a time; its own is there only from the first full
 * piece on until relay_end().
 */
#ifndef STORE_RELAY_H
#define STORE_RELAY_H

#include <stdbool.h>
#include <stddef.h>

struct relay;

/* Called with a piece, in the relay's thread or, where none is needed or to be had, in the giver's.
 * False: no more are wanted, ever. */
typedef bool relay_take(void *closure, const void *data, size_t size);

/* NULL: no memory is to be had. */
struct relay *relay_new(relay_take *take, void *closure);
/* Ends its thread and lets go of what waits. */
void relay_free(struct relay **relay);

/* Where the next bytes are to be put: *room of them, which is at least one. */
char *relay_room(struct relay *relay, size_t *room);
/* So many were put there. Waits while the other is too far behind. False: no more are wanted. */
bool relay_give(struct relay *relay, size_t size);
/* Waits until all that was given is taken; may be given to anew then. False: not all was wanted.
 * What the calls of `take` did may be looked at. */
bool relay_end(struct relay *relay);

#endif
