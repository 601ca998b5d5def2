/*
 * Options of handlers that are groups and lists (DOIP_OPTION_JSON): from a libconfig setting to
 * JSON text, and back to libconfig's syntax for -T. Called by config_handlers.c and config_print.c;
 * master process.
 */
#include <doip/json.h>
#include <stdlib.h>
#include <string.h>

#include "config_impl.h"

static json_t *json_of(struct config_reader *reader, const char *key,
                       const config_setting_t *setting);

/* The members of a group or a list; NULL with the reason. */
static json_t *
members_of(struct config_reader *reader, const char *key, const config_setting_t *setting)
{
    bool group = config_setting_type(setting) == CONFIG_TYPE_GROUP;
    json_t *all = config_must(group ? json_object() : json_array());

    for (int i = 0; i < config_setting_length(setting); i++) {
        const config_setting_t *item = config_setting_get_elem(setting, (unsigned)i);
        char *inner = group ? config_format("%s.%s", key, config_setting_name(item))
                            : config_format("%s[%d]", key, i);
        json_t *value = json_of(reader, inner, item);

        free(inner);
        if (value == NULL) {
            json_decref(all);
            return NULL;
        }
        config_must((group ? json_object_set_new(all, config_setting_name(item), value)
                           : json_array_append_new(all, value)) == 0
                        ? all
                        : NULL);
    }
    return all;
}

static json_t *
json_of(struct config_reader *reader, const char *key, const config_setting_t *setting)
{
    const char *text;

    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_GROUP:
    case CONFIG_TYPE_LIST:
    case CONFIG_TYPE_ARRAY:
        return members_of(reader, key, setting);
    case CONFIG_TYPE_BOOL:
        return config_must(json_boolean(config_setting_get_bool(setting)));
    case CONFIG_TYPE_FLOAT:
        return config_must(json_real(config_setting_get_float(setting)));
    case CONFIG_TYPE_STRING:
        text = config_value_text(reader, key, setting);
        return text == NULL ? NULL : config_must(json_string(text));
    default:
        return config_must(json_integer(config_setting_get_int64(setting)));
    }
}

char *
config_json_text(struct config_reader *reader, const char *key, const config_setting_t *setting)
{
    json_t *value = json_of(reader, key, setting);
    char *text;

    if (value == NULL)
        return NULL;
    text = doip_json_text(value, NULL);
    json_decref(value);
    return config_must(text);
}

/* ------------------------------------------------------------------ printing */

static void print_value(const json_t *value, FILE *file);

static void
print_members(const json_t *group, FILE *file)
{
    const char *name;
    json_t *value;

    fputs("{ ", file);
    json_object_foreach((json_t *)(uintptr_t)group, name, value)
    {
        fprintf(file, "%s = ", name);
        print_value(value, file);
        fputs("; ", file);
    }
    fputc('}', file);
}

static void
print_items(const json_t *list, FILE *file)
{
    json_t *value;
    size_t i;

    fputs("( ", file);
    json_array_foreach(list, i, value)
    {
        fputs(i > 0 ? ", " : "", file);
        print_value(value, file);
    }
    fputs(json_array_size(list) > 0 ? " )" : ")", file);
}

static void
print_value(const json_t *value, FILE *file)
{
    char *text;

    if (json_is_object(value)) {
        print_members(value, file);
    } else if (json_is_array(value)) {
        print_items(value, file);
    } else if (json_is_string(value)) {
        config_value_print_string(json_string_value(value), file);
    } else {
        long long number = json_is_integer(value) ? json_integer_value(value) : 0;

        text = doip_json_text(value, NULL);
        fprintf(file, "%s%s", text == NULL ? "" : text,
                number > INT32_MAX || number < INT32_MIN ? "L" : "");
        free(text);
    }
}

void
config_json_print(const char *text, FILE *file)
{
    char reason[128];
    json_t *value = doip_json_parse(text, strlen(text), reason, sizeof(reason));

    print_value(value, file);
    json_decref(value);
}
