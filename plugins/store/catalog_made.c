/*
 * What a create leaves in the catalog (catalog.h), told from what was given rather than read back:
 * that would be an eighth of its cost, and under the write lock. In each worker process, from any
 * thread.
 */
#include <string.h>

#include "catalog.h"
#include "copies.h"

/* The attributes given to an object or an element, without the one that the store keeps: a new
 * reference; NULL: memory is short. */
static json_t *
made_given(const json_t *given, const char *kept)
{
    json_t *attributes = json_object_get(given, "attributes");

    attributes = attributes == NULL ? json_object() : copy_shallow(attributes);
    json_object_del(attributes, kept);
    return attributes;
}

/* The same with that one in its place; `value` is taken over. */
static json_t *
made_attributes(const json_t *given, const char *kept, json_t *value)
{
    json_t *attributes = made_given(given, kept);

    if (json_object_set_new(attributes, kept, value) == 0)
        return attributes;
    json_decref(attributes);
    return NULL;
}

static bool
made_string(json_t *made, const json_t *given, const char *key)
{
    json_t *value = json_object_get(given, key);

    return value == NULL || json_object_set(made, key, value) == 0;
}

static bool
made_data(json_t *made, const json_t *given, const struct blob *blob)
{
    return json_object_set_new(made, "length", json_integer((json_int_t)blob->length)) == 0 &&
           json_object_set_new(made, "attributes",
                               made_attributes(given, CATALOG_DIGEST, json_string(blob->name))) ==
               0;
}

static json_t *
made_element(const json_t *given, const struct blob *blob)
{
    json_t *made = json_object();

    if (made != NULL && made_string(made, given, "id") && made_string(made, given, "type") &&
        (blob != NULL
             ? made_data(made, given, blob)
             : json_object_get(given, "attributes") == NULL ||
                   json_object_set_new(made, "attributes", made_given(given, CATALOG_DIGEST)) == 0))
        return made;
    json_decref(made);
    return NULL;
}

static bool
made_elements(json_t *made, const json_t *given, catalog_staged staged, void *closure)
{
    json_t *elements = json_array(), *element;
    bool good = elements != NULL;
    size_t i;

    json_array_foreach(json_object_get(given, "elements"), i, element)
    {
        const char *id = json_string_value(json_object_get(element, "id"));

        good = good &&
               json_array_append_new(elements, made_element(element, staged(id, closure))) == 0;
    }
    if (good && json_array_size(elements) > 0)
        return json_object_set_new(made, "elements", elements) == 0;
    json_decref(elements);
    return good;
}

static json_t *
made_metadata(int64_t time, const char *client)
{
    return client == NULL ? json_pack("{s:I, s:I, s:i}", "createdOn", (json_int_t)time,
                                      "modifiedOn", (json_int_t)time, "version", 1)
                          : json_pack("{s:I, s:s, s:I, s:s, s:i}", "createdOn", (json_int_t)time,
                                      "createdBy", client, "modifiedOn", (json_int_t)time,
                                      "modifiedBy", client, "version", 1);
}

json_t *
catalog_made(struct connection *connection, const char *id, const json_t *given, int64_t time,
             const char *client, catalog_staged staged, void *closure)
{
    json_t *made = json_object();

    if (made != NULL && json_object_set_new(made, "id", json_string(id)) == 0 &&
        made_string(made, given, "type") &&
        json_object_set_new(
            made, "attributes",
            made_attributes(given, CATALOG_METADATA, made_metadata(time, client))) == 0 &&
        made_elements(made, given, staged, closure))
        return made;
    connection_fail(connection, "memory is short");
    json_decref(made);
    return NULL;
}
