/*
 * Copies of JSON values, whole: Jansson's own quietly leave out what they have no memory for. Pure
 * functions, any thread.
 */
#ifndef STORE_COPIES_H
#define STORE_COPIES_H

#include <jansson.h>

/* A new array or object with the members of that one, which both then hold. NULL: memory is short
 * (or there is no value). */
json_t *copy_shallow(const json_t *value);
/* The same of an array of strings, which are copied, too. */
json_t *copy_strings(const json_t *array);

#endif
