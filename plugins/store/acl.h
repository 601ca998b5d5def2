/*
 * Who may read an object, and who may change it: rules, what decides about an object, and who asks.
 * It knows neither requests nor the catalog. Both sides of the store call it, and so does whoever
 * keeps an index of what whom may see. Any thread; nothing here is changed after it was made.
 *
 * The creator of an object may do everything with it, and so may administrators. Others may where
 * the list that holds names them: that in the object's own `attributes.acl`, else that of the rule
 * for its type, else the one for all types, else: everybody may read, nobody may write. Writers may
 * read, too.
 *
 * An object that nobody in particular has created belongs to everybody: everybody is its `creator` in
 * lists, and may do what no list says.
 */
#ifndef STORE_ACL_H
#define STORE_ACL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* The attribute of objects that holds their lists. */
#define ACL_ATTRIBUTE "acl"

enum acl_right { ACL_READ, ACL_WRITE };

struct acl_client {
    const char *id;       /* NULL: nobody in particular */
    const json_t *groups; /* array of strings; NULL: none */
};

/* What decides about an object. */
struct acl_object {
    const char *type;
    const char *creator; /* NULL: nobody in particular */
    const json_t *acl;   /* as it is stored; NULL: it has none */
};

/* Of one in its default serialization, out of which it is borrowed. */
struct acl_object acl_object(const json_t *object);

/* The options `acl` and `administrators`, borrowed; NULL where one is not set. */
struct acl_rules {
    const json_t *defaults;
    const json_t *administrators;
};

/* Whether they are well-formed; else what is wrong, and where in them, in `reason`. */
bool acl_defaults_check(const json_t *defaults, char *reason, size_t size);
bool acl_administrators_check(const json_t *administrators, char *reason, size_t size);
/* The same of what a client wants to be the acl of an object; `name` is what it is called there. */
bool acl_check(const json_t *acl, const char *name, char *reason, size_t size);

bool acl_may(const struct acl_rules *rules, const struct acl_object *object,
             const struct acl_client *client, enum acl_right right);

/* The lists that hold for the object, {"readers": […], "writers": […]}, the caller's; NULL: memory
 * is short. */
json_t *acl_shown(const struct acl_rules *rules, const struct acl_object *object);

/*
 * What an object is to be changed to, a new reference: `given`, with the acl that it is to have.
 * That is `wanted` (an empty one: none); where it is NULL, what the attributes in `given` have, a
 * null standing for none; where they have none, that of the object as it `is` (NULL: it is a new
 * one). So who replaces attributes does not take away protection without a word. NULL: memory is
 * short.
 */
json_t *acl_applied(const json_t *given, const json_t *is, json_t *wanted);

/*
 * An object's audience, as a text that an index can keep: objects of one audience may be read by the
 * same clients, whatever the rules. There are about as many as there are creators times types, and
 * lists that differ. The caller's; NULL: memory is short.
 */
char *acl_audience(const struct acl_object *object);
/* Whether a client may read the objects of that audience; -1: memory is short. */
int acl_audience_readable(const struct acl_rules *rules, const char *audience,
                          const struct acl_client *client);

#endif
