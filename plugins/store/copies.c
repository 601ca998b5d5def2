/*
 * Whole copies of JSON values: see copies.h.
 */
#include "copies.h"

/* The copy, where it has as many members as the value. */
static json_t *
whole(json_t *copy, const json_t *value)
{
    if (json_object_size(copy) == json_object_size(value) &&
        json_array_size(copy) == json_array_size(value))
        return copy;
    json_decref(copy);
    return NULL;
}

json_t *
copy_shallow(const json_t *value)
{
    return whole(json_copy((json_t *)value), value);
}

json_t *
copy_strings(const json_t *array)
{
    return whole(json_deep_copy(array), array);
}
