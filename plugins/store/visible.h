/*
 * What of the index a client may read (acl.h): objects of one audience are told apart once, not one by
 * one. Only listing.c uses it, on a connection to the index inside a transaction. One thread each.
 */
#ifndef STORE_VISIBLE_H
#define STORE_VISIBLE_H

#include "acl.h"
#include "where.h"

struct visible {
    bool all;       /* the client may read everything that there is */
    char *readable; /* audiences, as JSON arrays */
    char *hidden;
    uint64_t readable_count; /* of their objects */
    uint64_t hidden_count;
};

/* Asks the rules about each audience (a NULL client may read everything). False: failed, which is latched. To be ended by _fini()
 * either way. */
bool visible_init(struct visible *visible, struct connection *connection,
                  const struct acl_rules *rules, const struct acl_client *client);
void visible_fini(struct visible *visible);

/* Takes out of *set what the client may not read; *set is NULL where that failed (latched). */
void visible_keep(const struct visible *visible, struct where *where, struct set **set);

#endif
