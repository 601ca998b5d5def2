/*
 * Failures to authenticate: see throttle.h.
 *
 * A place is an id (a keyed hash of what is counted, so that nobody can aim at another's place) and a state: how often and when it last failed,
 * in one word. An id has its places in one row of the table; where a row is full, the least of it makes room.
 */
#include <arpa/inet.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "keyed_table.h"
#include "throttle.h"

enum { ROWS = 1024, PLACES = 8, KEY = KEYED_TABLE_KEY, COUNT_BITS = 16, COUNT_MOST = 1000, NAME_MOST = 600 };

struct place {
    _Atomic(uint64_t) id;    /* 0: never used */
    _Atomic(uint64_t) state; /* ms << COUNT_BITS | count */
};

static struct table {
    unsigned char key[KEY];
    struct place places[ROWS][PLACES];
} * table;

bool
throttle_init(void)
{
    table = keyed_table_map(sizeof *table);
    return table != NULL;
}

static int
count_of(uint64_t state, int64_t now)
{
    bool stale = now - (int64_t)(state >> COUNT_BITS) > THROTTLE_FORGET_MS;

    return stale ? 0 : (int)(state & ((1 << COUNT_BITS) - 1));
}

static uint64_t
id_of(enum throttle_kind kind, const char *name)
{
    unsigned char text[KEY + 1 + NAME_MOST], digest[EVP_MAX_MD_SIZE] = {0};
    size_t length = strnlen(name, NAME_MOST);
    uint64_t id;

    memcpy(text, table->key, KEY);
    text[KEY] = (unsigned char)kind;
    memcpy(text + KEY + 1, name, length);
    EVP_Digest(text, KEY + 1 + length, digest, NULL, EVP_sha256(), NULL);
    memcpy(&id, digest, sizeof id);
    return id != 0 ? id : 1;
}

static struct place *
find(uint64_t id)
{
    struct place *row = table->places[id % ROWS];

    for (int i = 0; i < PLACES; i++)
        if (atomic_load(&row[i].id) == id)
            return &row[i];
    return NULL;
}

/* The place with the fewest failures that still count; of those the oldest. */
static struct place *
least(struct place *row, int64_t now)
{
    struct place *found = &row[0];

    for (int i = 1; i < PLACES; i++) {
        uint64_t state = atomic_load(&row[i].state), best = atomic_load(&found->state);
        int count = count_of(state, now), fewest = count_of(best, now);

        if (count < fewest || (count == fewest && state < best))
            found = &row[i];
    }
    return found;
}

/* The place of that id, another's where there is none; NULL when others were quicker, again and again. */
static struct place *
claim(uint64_t id, int64_t now)
{
    for (int tries = 0; tries < PLACES; tries++) {
        struct place *place = find(id);
        uint64_t before;

        if (place != NULL)
            return place;
        place = least(table->places[id % ROWS], now);
        before = atomic_load(&place->id);
        if (before != id && atomic_compare_exchange_strong(&place->id, &before, id)) {
            atomic_store(&place->state, 0);
            return place;
        }
    }
    return NULL;
}

static int64_t
penalty(enum throttle_kind kind, int count)
{
    int over = count - (kind == THROTTLE_ADDRESS ? THROTTLE_FREE_ADDRESS : THROTTLE_FREE_USER);

    if (over < 0)
        return 0;
    return over < 6 ? (int64_t)1000 << over : THROTTLE_MOST_MS;
}

int64_t
throttle_wait(enum throttle_kind kind, const char *name, int64_t now)
{
    struct place *place = find(id_of(kind, name));
    uint64_t state = place != NULL ? atomic_load(&place->state) : 0;
    int64_t until = (int64_t)(state >> COUNT_BITS) + penalty(kind, count_of(state, now));

    return until > now ? until - now : 0;
}

void
throttle_failed(enum throttle_kind kind, const char *name, int64_t now)
{
    struct place *place = claim(id_of(kind, name), now);
    uint64_t before, after;

    if (place == NULL)
        return;
    before = atomic_load(&place->state);
    do {
        int count = count_of(before, now);

        after = (uint64_t)now << COUNT_BITS | (unsigned)(count < COUNT_MOST ? count + 1 : count);
    } while (!atomic_compare_exchange_weak(&place->state, &before, after));
}

void
throttle_forgive(enum throttle_kind kind, const char *name)
{
    struct place *place = find(id_of(kind, name));

    if (place != NULL)
        atomic_store(&place->state, 0);
}

void
throttle_address(const char *peer, char *address, int size)
{
    const char *end = strrchr(peer, ':');
    struct in6_addr network;

    snprintf(address, (size_t)size, "%.*s",
             (int)(end != NULL ? end - peer : (ptrdiff_t)strlen(peer)), peer);
    if (address[0] != '[')
        return;
    address[strcspn(address, "%]")] = '\0'; /* a zone is no part of it */
    memmove(address, address + 1, strlen(address));
    if (inet_pton(AF_INET6, address, &network) != 1)
        return;
    memset(&network.s6_addr[8], 0, 8);
    inet_ntop(AF_INET6, &network, address, (socklen_t)size);
}
