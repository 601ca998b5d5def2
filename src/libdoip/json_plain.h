/*
 * The quick way to read JSON that is plain. Internal to libdoip; pure, any thread.
 */
#ifndef DOIP_JSON_PLAIN_H
#define DOIP_JSON_PLAIN_H

#include <jansson.h>
#include <stddef.h>

/* What Jansson would make of the text: a new reference. NULL does not say that the text is wrong, only that Jansson must look at it. */
json_t *json_plain_read(const char *text, size_t length);

#endif
