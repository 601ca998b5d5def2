/*
 * The group `handler`: a section per handler, which later files and overrides change key by
 * key, and options one by one. Called by config_read.c; master process.
 */
#include <stdlib.h>
#include <string.h>

#include "config_impl.h"

#define HANDLERS_MAX 256
#define OPTIONS_MAX 256
#define KEY_MAX 256

static struct config_handler *
handler_add(struct config *config, const char *name, const char *where)
{
    size_t size = (config->handler_count + 1) * sizeof(*config->handlers);
    struct config_handler *handlers = config_alloc(size);

    if (config->handler_count > 0)
        memcpy(handlers, config->handlers, size - sizeof(*handlers));
    free(config->handlers);
    config->handlers = handlers;
    struct config_handler *handler = &handlers[config->handler_count++];
    handler->name = config_copy(name);
    handler->where = config_copy(where);
    handler->enabled = true;
    handler->targets = config_alloc(2 * sizeof(char *));
    handler->targets[0] = config_copy("*");
    handler->operations = config_alloc(2 * sizeof(char *));
    handler->operations[0] = config_copy("*");
    handler->enabled_where = config_copy("default");
    handler->targets_where = config_copy("default");
    handler->operations_where = config_copy("default");
    handler->options = config_alloc(sizeof(*handler->options));
    return handler;
}

/* A name that a file could have as well: -o would take any. */
static bool
is_name(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
                      others[] = "0123456789_-";
    size_t first = strspn(name, letters), length = first;

    while (first > 0 && name[length] != '\0' &&
           (strchr(letters, name[length]) != NULL || strchr(others, name[length]) != NULL))
        length++;
    return first > 0 && name[length] == '\0' && length <= NAME_MAX_BYTES;
}

/* The section of that name, made where it is new; NULL with the reason. */
static struct config_handler *
handler_get(struct config_reader *reader, const char *name, const config_setting_t *setting)
{
    struct config *config = reader->config;
    char key[KEY_MAX];

    for (size_t i = 0; i < config->handler_count; i++)
        if (strcmp(config->handlers[i].name, name) == 0)
            return &config->handlers[i];
    snprintf(key, sizeof(key), "handler.%s", name);
    if (!is_name(name)) {
        config_fail(reader, setting, key,
                    "must be a handler's file name without .so: at most %d letters, digits, _ and -", NAME_MAX_BYTES);
        return NULL;
    }
    if (config->handler_count == HANDLERS_MAX) {
        config_fail(reader, setting, key, "more than %d handlers", HANDLERS_MAX);
        return NULL;
    }
    char *where = config_where(reader, setting);
    struct config_handler *handler = handler_add(config, name, where);
    free(where);
    return handler;
}

static size_t
option_count(const struct config_handler *handler)
{
    size_t count = 0;

    while (handler->options[count].name != NULL)
        count++;
    return count;
}

static void
option_free(doip_setting *option)
{
    free((char *)(uintptr_t)option->name);
    free((char *)(uintptr_t)option->value);
    free((char *)(uintptr_t)option->where);
}

/* Puts an option in the place of one of the same name, or at the end; takes over the strings. */
static void
option_put(struct config_handler *handler, doip_setting option)
{
    size_t count = option_count(handler);

    for (size_t i = 0; i < count; i++)
        if (strcmp(handler->options[i].name, option.name) == 0) {
            option_free(&handler->options[i]);
            handler->options[i] = option;
            return;
        }
    doip_setting *options = config_alloc((count + 2) * sizeof(*options));
    memcpy(options, handler->options, count * sizeof(*options));
    options[count] = option;
    free(handler->options);
    handler->options = options;
}

/* A value as text, groups and lists as JSON; NULL with the reason. malloc'd. */
static char *
option_text(struct config_reader *reader, const char *key, const config_setting_t *setting)
{
    char given[128];
    const char *text;

    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
    case CONFIG_TYPE_BOOL:
        return config_copy(config_value_shown(setting, given, sizeof(given)));
    case CONFIG_TYPE_STRING:
        text = config_value_text(reader, key, setting);
        return text == NULL ? NULL : config_copy(text);
    case CONFIG_TYPE_GROUP:
    case CONFIG_TYPE_LIST:
    case CONFIG_TYPE_ARRAY:
        return config_json_text(reader, key, setting);
    default:
        config_fail(reader, setting, key,
                    "must be a string, a whole number, true or false, a group or a list, not %s",
                    config_value_shown(setting, given, sizeof(given)));
        return NULL;
    }
}

/* How the option was written; on a command line everything is text. */
static doip_option_type
option_type(const struct config_reader *reader, const config_setting_t *setting)
{
    if (reader->text == NULL)
        return 0;
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_STRING:
        return DOIP_OPTION_STRING;
    case CONFIG_TYPE_BOOL:
        return DOIP_OPTION_BOOL;
    case CONFIG_TYPE_GROUP:
    case CONFIG_TYPE_LIST:
    case CONFIG_TYPE_ARRAY:
        return DOIP_OPTION_JSON;
    default:
        return DOIP_OPTION_INT;
    }
}

static bool
set_option(struct config_reader *reader, struct config_handler *handler, const char *name,
           const config_setting_t *setting)
{
    char key[KEY_MAX];

    snprintf(key, sizeof(key), "handler.%s.options.%s", handler->name, name);
    if (!is_name(name))
        return config_fail(reader, setting, key, "is no name of an option: at most %d letters, digits, _ and -", NAME_MAX_BYTES);
    if (option_count(handler) >= OPTIONS_MAX)
        return config_fail(reader, setting, key, "more than %d options", OPTIONS_MAX);
    char *text = option_text(reader, key, setting);
    if (text == NULL)
        return false;
    option_put(handler, (doip_setting){config_copy(name), text, config_where(reader, setting),
                                       option_type(reader, setting)});
    return true;
}

static bool
set_options(struct config_reader *reader, struct config_handler *handler, const char *key,
            const config_setting_t *group)
{
    char given[128];

    if (config_setting_type(group) != CONFIG_TYPE_GROUP)
        return config_fail(reader, group, key, "must be a group, { name = value; }, not %s",
                           config_value_shown(group, given, sizeof(given)));
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *option = config_setting_get_elem(group, (unsigned)i);
        if (!set_option(reader, handler, config_setting_name(option), option))
            return false;
    }
    return true;
}

static bool
set_enabled(struct config_reader *reader, struct config_handler *handler, const char *key,
            const config_setting_t *setting)
{
    if (!config_value_bool(reader, key, setting, &handler->enabled))
        return false;
    config_replace(&handler->enabled_where, config_where(reader, setting));
    return true;
}

static bool
set_patterns(struct config_reader *reader, const char *key, const config_setting_t *setting,
             char ***patterns, char **where)
{
    char **strings = config_value_strings(reader, key, setting);

    if (strings == NULL)
        return false;
    config_strings_free(patterns);
    *patterns = strings;
    config_replace(where, config_where(reader, setting));
    return true;
}

/* One key of a section, by the name it has there. */
static bool
set_key(struct config_reader *reader, struct config_handler *handler, const char *name,
        const config_setting_t *setting)
{
    char key[KEY_MAX];

    snprintf(key, sizeof(key), "handler.%s.%s", handler->name, name);
    if (strcmp(name, "enabled") == 0)
        return set_enabled(reader, handler, key, setting);
    if (strcmp(name, "targets") == 0)
        return set_patterns(reader, key, setting, &handler->targets, &handler->targets_where);
    if (strcmp(name, "operations") == 0)
        return set_patterns(reader, key, setting, &handler->operations, &handler->operations_where);
    if (strcmp(name, "options") == 0)
        return set_options(reader, handler, key, setting);
    return config_fail(
        reader, setting, key,
        "there is no such key; the keys here are enabled, targets, operations, options "
        "(what is the handler's own belongs into options)");
}

static bool
set_section(struct config_reader *reader, const config_setting_t *section)
{
    struct config_handler *handler = handler_get(reader, config_setting_name(section), section);
    char key[KEY_MAX];
    char given[128];

    if (handler == NULL)
        return false;
    snprintf(key, sizeof(key), "handler.%s", handler->name);
    if (config_setting_type(section) != CONFIG_TYPE_GROUP)
        return config_fail(reader, section, key, "must be a group, { enabled = true; }, not %s",
                           config_value_shown(section, given, sizeof(given)));
    for (int i = 0; i < config_setting_length(section); i++) {
        const config_setting_t *setting = config_setting_get_elem(section, (unsigned)i);
        if (!set_key(reader, handler, config_setting_name(setting), setting))
            return false;
    }
    return true;
}

bool
config_handlers_set(struct config_reader *reader, const config_setting_t *group)
{
    char given[128];

    if (config_setting_type(group) != CONFIG_TYPE_GROUP)
        return config_fail(reader, group, "handler",
                           "must be a group of sections, { store = { … }; }, not %s",
                           config_value_shown(group, given, sizeof(given)));
    for (int i = 0; i < config_setting_length(group); i++)
        if (!set_section(reader, config_setting_get_elem(group, (unsigned)i)))
            return false;
    return true;
}

bool
config_handler_wants_list(const char *path)
{
    const char *dot = strchr(path, '.');

    return dot != NULL && (strcmp(dot, ".targets") == 0 || strcmp(dot, ".operations") == 0);
}

bool
config_handler_override(struct config_reader *reader, const char *path,
                        const config_setting_t *setting)
{
    const char *dot = strchr(path, '.');
    char name[KEY_MAX];

    snprintf(name, sizeof(name), "%.*s", dot == NULL ? 0 : (int)(dot - path), path);
    if (dot == NULL || *name == '\0' || strcmp(dot, ".options") == 0)
        return config_fail(
            reader, setting, "handler",
            "name a key of a section, as in -o handler.store.options.root=/srv/doip");
    struct config_handler *handler = handler_get(reader, name, setting);
    if (handler == NULL)
        return false;
    if (strncmp(dot, ".options.", 9) == 0)
        return set_option(reader, handler, dot + 9, setting);
    return set_key(reader, handler, dot + 1, setting);
}

static void
handler_fini(struct config_handler *handler)
{
    for (doip_setting *option = handler->options; option->name != NULL; option++)
        option_free(option);
    free(handler->options);
    config_strings_free(&handler->targets);
    config_strings_free(&handler->operations);
    free(handler->name);
    free(handler->where);
    free(handler->enabled_where);
    free(handler->targets_where);
    free(handler->operations_where);
}

void
config_handlers_free(struct config *config)
{
    for (size_t i = 0; i < config->handler_count; i++)
        handler_fini(&config->handlers[i]);
    free(config->handlers);
    config->handlers = NULL;
    config->handler_count = 0;
}
