/*
 * Lists of JSON values that are whole or not there: where memory is short for one value, the list goes, too, rather than lack it
 * silently. Master and workers, any thread.
 */
#ifndef DOIPD_JSON_LIST_H
#define DOIPD_JSON_LIST_H

#include <jansson.h>

/* Takes `value` over; NULL, as Jansson gives it where memory is short, makes *list NULL, and it stays NULL. */
static inline void
json_list_add(json_t **list, json_t *value)
{
    if (json_array_append_new(*list, value) == 0)
        return;
    json_decref(*list);
    *list = NULL;
}

#endif
