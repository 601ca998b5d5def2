/*
 * What is wrong with a configuration, and where: the sentences that refuse a setting, and how values are shown in them. Called by all of
 * config_*.c; master process.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "config_impl.h"

char *
config_where(const struct config_reader *reader, const config_setting_t *setting)
{
    if (reader->text == NULL || setting == NULL)
        return config_copy(reader->origin);
    int line = (int)config_setting_source_line(setting);
    const struct config_place *place = config_text_place(reader->text, line);
    return config_format("%s:%d", place->file, place->line);
}

bool
config_fail(struct config_reader *reader, const config_setting_t *setting, const char *key,
            const char *format, ...)
{
    char message[1024];
    char *where = config_where(reader, setting);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    snprintf(reader->reason, reader->size, "%s: %s: %s", where, key, message);
    free(where);
    return false;
}

const char *
config_value_shown(const config_setting_t *setting, char *text, size_t size)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_GROUP:
        return "a group";
    case CONFIG_TYPE_ARRAY:
    case CONFIG_TYPE_LIST:
        return "a list";
    case CONFIG_TYPE_BOOL:
        return config_setting_get_bool(setting) ? "true" : "false";
    case CONFIG_TYPE_FLOAT:
        snprintf(text, size, "%g", config_setting_get_float(setting));
        return text;
    case CONFIG_TYPE_STRING:
        snprintf(text, size, "\"%.*s\"", (int)size - 8, config_setting_get_string(setting));
        return text;
    default:
        snprintf(text, size, "%lld", config_setting_get_int64(setting));
        return text;
    }
}

/* The choices of a key as `"text" or "json"`. */
static void
show_choices(const struct config_key *key, char *text, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; key->choices[i] != NULL && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s\"%s\"",
                                 i == 0                        ? ""
                                 : key->choices[i + 1] == NULL ? " or "
                                                               : ", ",
                                 key->choices[i]);
}

void
config_size_show(uint64_t value, char *text, size_t size)
{
    static const struct {
        uint64_t unit;
        const char *letter;
    } units[] = {{UINT64_C(1) << 30, "G"}, {UINT64_C(1) << 20, "M"}, {UINT64_C(1) << 10, "K"}};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (value > 0 && value % units[i].unit == 0) {
            snprintf(text, size, "\"%" PRIu64 "%s\"", value / units[i].unit, units[i].letter);
            return;
        }
    snprintf(text, size, "%" PRIu64 "%s", value, value > INT32_MAX ? "L" : "");
}

bool
config_refuse(struct config_reader *reader, const struct config_key *key,
              const config_setting_t *setting)
{
    char wanted[256];
    char low[32];
    char high[32];
    char given[128];

    config_size_show((uint64_t)key->low, low, sizeof(low));
    config_size_show((uint64_t)key->high, high, sizeof(high));
    if (key->choices != NULL)
        show_choices(key, wanted, sizeof(wanted));
    else if (key->type == CONFIG_INT)
        snprintf(wanted, sizeof(wanted), "a whole number from %" PRId64 " to %" PRId64, key->low,
                 key->high);
    else if (key->type == CONFIG_BOOL)
        snprintf(wanted, sizeof(wanted), "true or false");
    else if (key->type == CONFIG_SIZE)
        snprintf(wanted, sizeof(wanted), "a size from %s to %s", low, high);
    else if (key->type == CONFIG_LISTEN)
        snprintf(wanted, sizeof(wanted),
                 "a list of addresses such as ( \"127.0.0.1:9000\", \"[::1]:9000\" )");
    else
        snprintf(wanted, sizeof(wanted), "a string, in quotes");
    return config_fail(reader, setting, key->name, "must be %s, not %s (%s)", wanted,
                       config_value_shown(setting, given, sizeof(given)), key->help);
}
