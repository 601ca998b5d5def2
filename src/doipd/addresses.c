/*
 * Connections per address: see addresses.h.
 *
 * A place is one word: an id (a keyed hash of the address, so that nobody can aim at another's place) and a count. A place with a count of 0
 * is free. An id has its places in one row of the table.
 */
#include <openssl/evp.h>
#include <string.h>

#include "addresses.h"
#include "keyed_table.h"
#include "throttle.h"

enum { ROWS = 8192, PLACES = 8, KEY = KEYED_TABLE_KEY, COUNT_BITS = 20, ADDRESS = 64 };

#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)

static struct table {
    unsigned char key[KEY];
    _Atomic(uint64_t) places[ROWS * PLACES];
} * table;

bool
addresses_init(void)
{
    table = keyed_table_map(sizeof *table);
    return table != NULL;
}

static uint64_t
id_of(const char *peer)
{
    unsigned char text[KEY + ADDRESS] = {0}, digest[EVP_MAX_MD_SIZE] = {0};
    uint64_t id;

    memcpy(text, table->key, KEY);
    throttle_address(peer, (char *)text + KEY, ADDRESS);
    EVP_Digest(text, sizeof text, digest, NULL, EVP_sha256(), NULL);
    memcpy(&id, digest, sizeof id);
    return id >> COUNT_BITS;
}

/* One more in a place that is the id's or free: false when it has become another's. */
static bool
add(_Atomic(uint64_t) *place, uint64_t id)
{
    uint64_t before = atomic_load(place), after;

    do {
        uint64_t count = before & COUNT_MASK;

        if ((count > 0 && before >> COUNT_BITS != id) || count == COUNT_MASK)
            return false;
        after = id << COUNT_BITS | (count + 1);
    } while (!atomic_compare_exchange_weak(place, &before, after));
    return true;
}

static void
subtract(_Atomic(uint64_t) *place)
{
    uint64_t before = atomic_load(place);

    while ((before & COUNT_MASK) > 0 && !atomic_compare_exchange_weak(place, &before, before - 1))
        ;
}

static unsigned
count(const _Atomic(uint64_t) *row, uint64_t id)
{
    uint64_t all = 0;

    for (int i = 0; i < PLACES; i++) {
        uint64_t place = atomic_load(&row[i]);

        if (place >> COUNT_BITS == id)
            all += place & COUNT_MASK;
    }
    return (unsigned)all;
}

/* The note is made first: what a worker notes and dies before it counts, makes a count that is one too small, and heals. */
static bool
take(size_t first, uint64_t id, bool own, atomic_uint *counted)
{
    for (size_t i = first; i < first + PLACES; i++) {
        if ((atomic_load(&table->places[i]) >> COUNT_BITS == id) != own)
            continue;
        atomic_store(counted, (unsigned)i + 1);
        if (add(&table->places[i], id))
            return true;
    }
    atomic_store(counted, 0);
    return false;
}

unsigned
addresses_enter(const char *peer, atomic_uint *counted)
{
    uint64_t id = id_of(peer);
    size_t first = id % ROWS * PLACES;

    if (!take(first, id, true, counted) && !take(first, id, false, counted))
        return 0;
    return count(&table->places[first], id);
}

void
addresses_leave(atomic_uint *counted)
{
    unsigned number = atomic_exchange(counted, 0);

    if (number > 0 && number <= ROWS * PLACES)
        subtract(&table->places[number - 1]);
}

void
addresses_worker_gone(const struct scoreboard *board, size_t worker)
{
    for (size_t i = 0; i < scoreboard_places(board, worker); i++)
        addresses_leave(scoreboard_counted(board, worker, i));
}
