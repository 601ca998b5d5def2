/*
 * The quick way to read JSON that is plain. Internal to libdoip; pure, any thread.
 */
#ifndef DOIP_JSON_PLAIN_H
#define DOIP_JSON_PLAIN_H

#include <jansson.h>
#include <stddef.h>

/* What Jansson would make of the text: a new reference. NULL does not say that the text is wrong, only that Jansson must look at it. */
json_t *json_plain_read(const char *text, size_t length);

/* A member of an object, where it lies in the text. */
struct json_plain_member {
    const char *key;
    size_t key_length;
    const char *value;
    size_t length;
};

/*
 * The text as an object of at most `most` members that are plain strings, all in ASCII: how many it has, or -1 where it is anything else (which
 * does not say that it is wrong). No key is looked at, nor whether it is there twice.
 */
int json_plain_members(const char *text, size_t length, struct json_plain_member *members,
                       int most);

#endif
