/*
 * Access lists as clients and the configuration give them: whether they are well-formed (acl.h).
 * Any thread.
 */
#include "acl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct check {
    char *reason;
    size_t size;
};

__attribute__((format(printf, 2, 3))) static bool
wrong(const struct check *check, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(check->reason, check->size, format, arguments);
    va_end(arguments);
    return false;
}

/* True where the object has only the two lists, and `more` (NULL: nothing). */
static bool
check_names(const struct check *check, const json_t *object, const char *name, const char *more)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)object, key, value)
    {
        if (strcmp(key, "readers") != 0 && strcmp(key, "writers") != 0 &&
            (more == NULL || strcmp(key, more) != 0))
            return wrong(check, "%s has '%s'; it can have 'readers' and 'writers'%s%s", name, key,
                         more == NULL ? "" : ", and ", more == NULL ? "" : more);
    }
    return true;
}

/* An array of ids that are not empty; absent and null will do, too. */
static bool
check_list(const struct check *check, const json_t *list, const char *name, const char *key)
{
    json_t *id;
    size_t i;

    if (list == NULL || json_is_null(list))
        return true;
    if (!json_is_array(list))
        return wrong(check, "%s.%s is not a list of ids of clients and groups", name, key);
    json_array_foreach(list, i, id)
    {
        if (json_string_length(id) == 0)
            return wrong(check, "%s.%s[%zu] is not the id of a client or a group", name, key, i);
    }
    return true;
}

static bool
check_lists(const struct check *check, const json_t *lists, const char *name)
{
    return check_list(check, json_object_get(lists, "readers"), name, "readers") &&
           check_list(check, json_object_get(lists, "writers"), name, "writers");
}

bool
acl_check(const json_t *acl, const char *name, char *reason, size_t size)
{
    const struct check check = {reason, size};

    if (!json_is_object(acl))
        return wrong(&check, "%s is not an object with 'readers' and 'writers'", name);
    return check_names(&check, acl, name, NULL) && check_lists(&check, acl, name);
}

/* ------------------------------------------------------------------ options */

/* The rule for one type; none of those before it is for the same. */
static bool
check_type(const struct check *check, const json_t *types, size_t number)
{
    const json_t *rule = json_array_get(types, number);
    const json_t *type = json_object_get(rule, "type");
    char name[64];

    snprintf(name, sizeof(name), "acl.types[%zu]", number);
    if (!json_is_object(rule) || json_string_length(type) == 0)
        return wrong(check, "%s is not a group with a string 'type'", name);
    for (size_t i = 0; i < number; i++) {
        if (json_equal(json_object_get(json_array_get(types, i), "type"), type))
            return wrong(check, "%s is for the type '%s', as is one before it", name,
                         json_string_value(type));
    }
    return check_names(check, rule, name, "type") && check_lists(check, rule, name);
}

bool
acl_defaults_check(const json_t *defaults, char *reason, size_t size)
{
    const struct check check = {reason, size};
    const json_t *types = json_object_get(defaults, "types");

    if (defaults == NULL)
        return true;
    if (!json_is_object(defaults))
        return wrong(&check, "acl is not a group with 'readers', 'writers' and 'types'");
    if (types != NULL && !json_is_array(types))
        return wrong(&check, "acl.types is not a list of groups");
    for (size_t i = 0; i < json_array_size(types); i++) {
        if (!check_type(&check, types, i))
            return false;
    }
    return check_names(&check, defaults, "acl", "types") && check_lists(&check, defaults, "acl");
}

/* The words of lists would make everybody, or nobody, an administrator. */
bool
acl_administrators_check(const json_t *administrators, char *reason, size_t size)
{
    static const char *const words[] = {"public", "authenticated", "creator"};
    const struct check check = {reason, size};
    json_t *id;
    size_t i;

    if (administrators != NULL && !json_is_array(administrators))
        return wrong(&check, "administrators is not a list of ids of clients and groups");
    json_array_foreach(administrators, i, id)
    {
        if (json_string_length(id) == 0)
            return wrong(&check, "administrators[%zu] is not the id of a client or a group", i);
        for (size_t word = 0; word < sizeof(words) / sizeof(words[0]); word++) {
            if (strcmp(json_string_value(id), words[word]) == 0)
                return wrong(&check, "administrators[%zu] is '%s', which is no client and no group",
                             i, words[word]);
        }
    }
    return true;
}
