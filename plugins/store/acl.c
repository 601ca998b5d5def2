/*
 * Access lists: who may, and which lists hold (acl.h). Any thread.
 */
#include "acl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "copies.h"

#define PUBLIC "public"
#define AUTHENTICATED "authenticated"
#define CREATOR "creator"

static const char *const names[] = {[ACL_READ] = "readers", [ACL_WRITE] = "writers"};

struct acl_object
acl_object(const json_t *object)
{
    const json_t *attributes = json_object_get(object, "attributes");
    const json_t *metadata = json_object_get(attributes, "metadata");

    return (struct acl_object){.type = json_string_value(json_object_get(object, "type")),
                               .creator = json_string_value(json_object_get(metadata, "createdBy")),
                               .acl = json_object_get(attributes, ACL_ATTRIBUTE)};
}

/* ------------------------------------------------------------------ the list that holds */

/* Absent and null are the same. */
static const json_t *
member(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return json_is_null(value) ? NULL : value;
}

struct list {
    const json_t *ids;
    const char *word; /* all that is in it, where `ids` is NULL; NULL: nothing */
};

/* What the rules say for a type. */
static struct list
list_default(const struct acl_rules *rules, const char *type, enum acl_right right)
{
    const json_t *types = member(rules->defaults, "types"), *ids = NULL;
    json_t *rule;
    size_t i;

    json_array_foreach(types, i, rule)
    {
        if (strcmp(json_string_value(json_object_get(rule, "type")), type) == 0)
            ids = member(rule, names[right]);
    }
    if (ids == NULL)
        ids = member(rules->defaults, names[right]);
    return (struct list){ids, right == ACL_READ ? PUBLIC : NULL};
}

/* What was stored before lists were looked at may be anything: what is no list names nobody. */
static struct list
list_of(const struct acl_rules *rules, const struct acl_object *object, enum acl_right right)
{
    const json_t *ids = member(object->acl, names[right]);
    struct list list;

    if (ids != NULL)
        return (struct list){ids, NULL};
    if (object->acl != NULL && !json_is_object(object->acl) && !json_is_null(object->acl))
        return (struct list){NULL, NULL};
    list = list_default(rules, object->type, right);
    if (list.ids == NULL && object->creator == NULL)
        return (struct list){NULL, PUBLIC};
    return list;
}

/* ------------------------------------------------------------------ who may */

/* Whether that is the client's id, or that of a group of it. */
static bool
client_is(const struct acl_client *client, const char *id)
{
    json_t *group;
    size_t i;

    if (client->id != NULL && strcmp(client->id, id) == 0)
        return true;
    json_array_foreach(client->groups, i, group)
    {
        if (strcmp(json_string_value(group), id) == 0)
            return true;
    }
    return false;
}

static bool
client_fits(const struct acl_client *client, const struct acl_object *object, const char *entry)
{
    if (strcmp(entry, PUBLIC) == 0)
        return true;
    if (strcmp(entry, AUTHENTICATED) == 0)
        return client->id != NULL;
    if (strcmp(entry, CREATOR) == 0)
        return object->creator == NULL; /* who else it is may do everything anyway */
    return client_is(client, entry);
}

static bool
list_has(const struct list *list, const struct acl_object *object, const struct acl_client *client)
{
    json_t *entry;
    size_t i;

    if (list->ids == NULL)
        return list->word != NULL && client_fits(client, object, list->word);
    json_array_foreach(list->ids, i, entry)
    {
        if (json_is_string(entry) && client_fits(client, object, json_string_value(entry)))
            return true;
    }
    return false;
}

static bool
is_listed(const struct acl_rules *rules, const struct acl_object *object,
          const struct acl_client *client, enum acl_right right)
{
    const struct list list = list_of(rules, object, right);

    return list_has(&list, object, client);
}

static bool
is_administrator(const struct acl_rules *rules, const struct acl_client *client)
{
    json_t *id;
    size_t i;

    json_array_foreach(rules->administrators, i, id)
    {
        if (client_is(client, json_string_value(id)))
            return true;
    }
    return false;
}

bool
acl_may(const struct acl_rules *rules, const struct acl_object *object,
        const struct acl_client *client, enum acl_right right)
{
    if (object->creator != NULL && client->id != NULL && strcmp(object->creator, client->id) == 0)
        return true;
    return (right == ACL_READ && is_listed(rules, object, client, ACL_READ)) ||
           is_listed(rules, object, client, ACL_WRITE) || is_administrator(rules, client);
}

static json_t *
list_shown(const struct list *list)
{
    if (list->ids != NULL)
        return copy_strings(list->ids);
    return list->word == NULL ? json_array() : json_pack("[s]", list->word);
}

json_t *
acl_shown(const struct acl_rules *rules, const struct acl_object *object)
{
    struct list readers = list_of(rules, object, ACL_READ);
    struct list writers = list_of(rules, object, ACL_WRITE);

    return json_pack("{s:o,s:o}", names[ACL_READ], list_shown(&readers), names[ACL_WRITE],
                     list_shown(&writers));
}

/* ------------------------------------------------------------------ changes */

/* The attributes with that acl (NULL: none), a new reference. */
static json_t *
attributes_with(const json_t *attributes, json_t *acl)
{
    json_t *copy = copy_shallow(attributes);

    json_object_del(copy, ACL_ATTRIBUTE);
    if (acl == NULL || json_object_set(copy, ACL_ATTRIBUTE, acl) == 0)
        return copy;
    json_decref(copy);
    return NULL;
}

json_t *
acl_applied(const json_t *given, const json_t *is, json_t *wanted)
{
    const json_t *stored = json_object_get(is, "attributes");
    const json_t *attributes = wanted == NULL ? json_object_get(given, "attributes") : stored;
    json_t *acl = json_object_get(attributes, ACL_ATTRIBUTE), *object;

    if (wanted != NULL)
        acl = wanted;
    else if (acl == NULL)
        acl = json_object_get(stored, ACL_ATTRIBUTE);
    if (json_is_null(acl) || (wanted != NULL && json_object_size(wanted) == 0))
        acl = NULL;
    object = copy_shallow(given);
    if (attributes != NULL && acl != json_object_get(attributes, ACL_ATTRIBUTE) &&
        json_object_set_new(object, "attributes", attributes_with(attributes, acl)) != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}
