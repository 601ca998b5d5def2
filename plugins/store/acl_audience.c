/*
 * Audiences (acl.h): all that decides who may read an object, in one spelling. Any thread.
 */
#include "acl.h"

#include <doip/json.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int
compare(const void *one, const void *other)
{
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

/* The strings of a list in order, each once; what is no list has none. NULL: memory is short. */
static json_t *
list_sorted(const json_t *list)
{
    size_t size = json_array_size(list), count = 0;
    const char **all = calloc(size + 1, sizeof(*all));
    json_t *sorted = all == NULL ? NULL : json_array();

    for (size_t i = 0; sorted != NULL && i < size; i++) {
        if (json_is_string(json_array_get(list, i)))
            all[count++] = json_string_value(json_array_get(list, i));
    }
    if (count > 0)
        qsort(all, count, sizeof(*all), compare);
    for (size_t i = 0; sorted != NULL && i < count; i++) {
        if (i > 0 && strcmp(all[i - 1], all[i]) == 0)
            continue;
        if (json_array_append_new(sorted, json_string(all[i])) != 0) {
            json_decref(sorted);
            sorted = NULL;
        }
    }
    free(all);
    return sorted;
}

/* Puts a list into the audience, unless the rules decide: then *open. */
static bool
audience_list(json_t *audience, const json_t *acl, const char *name, bool *open)
{
    const json_t *list = json_object_get(acl, name);
    bool none = acl == NULL || json_is_null(acl);

    if (none || (json_is_object(acl) && (list == NULL || json_is_null(list)))) {
        *open = true;
        return true;
    }
    return json_object_set_new(audience, name, list_sorted(list)) == 0;
}

/* The type counts only where the rules decide. */
char *
acl_audience(const struct acl_object *object)
{
    json_t *audience = json_object();
    bool open = false;
    bool good = audience != NULL && audience_list(audience, object->acl, "readers", &open) &&
                audience_list(audience, object->acl, "writers", &open);
    char *text = NULL;

    if (good && object->creator != NULL)
        good = json_object_set_new(audience, "creator", json_string(object->creator)) == 0;
    if (good && open)
        good = json_object_set_new(audience, "type", json_string(object->type)) == 0;
    if (good)
        text = json_dumps(audience, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(audience);
    return text;
}

int
acl_audience_readable(const struct acl_rules *rules, const char *audience,
                      const struct acl_client *client)
{
    char reason[100];
    /* The lists are named as in an acl. */
    json_t *parts = doip_json_parse(audience, strlen(audience), reason, sizeof(reason));
    bool memory_short = parts == NULL && errno == ENOMEM;
    const char *type = json_string_value(json_object_get(parts, "type"));
    const char *creator = json_string_value(json_object_get(parts, "creator"));
    const struct acl_object object = {type == NULL ? "" : type, creator, parts};
    bool readable = parts != NULL && acl_may(rules, &object, client, ACL_READ);

    json_decref(parts);
    return memory_short ? -1 : readable;
}
