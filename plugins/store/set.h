/*
 * Sets of objects' numbers, as bits: a million objects are 125 KB, and counting, joining and asking
 * for the n-th costs next to nothing. Only where.c and listing.c use them. One thread each.
 *
 * A set may be all but what its bits say: so what a query excludes is never listed.
 */
#ifndef STORE_SET_H
#define STORE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct set;

/* An empty set of numbers up to `most`; NULL: memory is short. */
struct set *set_new(int64_t most);
void set_free(struct set **set);

/* Numbers beyond `most` are passed over. */
void set_add(struct set *set, int64_t number);
bool set_has(const struct set *set, int64_t number);
/* All but these. */
void set_turn(struct set *set);
bool set_is_turned(const struct set *set);
/* *set becomes what is in both, or in one of them; the other is freed. Both were made for the same
 * `most`. */
void set_and(struct set **set, struct set **other);
void set_or(struct set **set, struct set **other);

/* How many bits it has: numbers that are in it, or (turned) that are not. */
uint64_t set_bits(const struct set *set);
/* The bits as a JSON array, the caller's; NULL: memory is short. */
char *set_text(const struct set *set);
/* The first bit from that number on, -1 where there is none. */
int64_t set_next(const struct set *set, int64_t from);

#endif
