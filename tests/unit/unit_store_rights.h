/*
 * For tests of who may what in the store: requests of different clients, and objects with lists.
 */
#ifndef UNIT_STORE_RIGHTS_H
#define UNIT_STORE_RIGHTS_H

#include "unit_store_ask.h"

#define GOOD "0.DOIP/Status.001"

#define ACL(readers, writers) "{\"readers\":[" readers "],\"writers\":[" writers "]}"
#define WITH_ACL(id, acl)                                                   \
    CREATE("{\"id\":\"" id "\",\"type\":\"T\",\"attributes\":{\"acl\":" acl \
           "},\"elements\":[{\"id\":\"e\"}]}")

static inline const char *
answer_of(const char *client, const char *group, exchange_handler handler, const char *request)
{
    return ask_of(client, group, DOIP_OUTCOME_COMPLETE, handler, request);
}

/* As that client without groups, and without what the store keeps in objects. */
static inline const char *
answer_to(const char *client, exchange_handler handler, const char *request)
{
    return plain(answer_of(client, NULL, handler, request));
}

static inline void
expect(const char *answer, const char *what)
{
    ck_assert_msg(strstr(answer, what) != NULL, "%s is not in %s", what, answer);
}

#endif
