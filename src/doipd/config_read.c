/*
 * From text to values: a file, an override or the defaults go through libconfig, and each
 * setting to the function that knows it. Called by config.c; master process.
 */
#include <stdlib.h>
#include <string.h>

#include "config_impl.h"

#define KEY_MAX 256

/* The name met at this line that was there before, with the line it was first met on. */
static const struct config_name *
find_twice(const struct config_text *text, int line, int *first)
{
    for (size_t i = 0; i < text->name_count; i++)
        for (size_t j = 0; text->names[i].line == line && j < i; j++)
            if (strcmp(text->names[i].path, text->names[j].path) == 0) {
                *first = text->names[j].line;
                return &text->names[i];
            }
    return NULL;
}

/* The last name met up to this line, "" for none. */
static const char *
last_name(const struct config_text *text, int line)
{
    const char *path = "";

    for (size_t i = 0; i < text->name_count && text->names[i].line <= line; i++)
        path = text->names[i].path;
    return path;
}

/* What libconfig did not like, in our words. It knows the line only. */
static bool
syntax_fail(struct config_reader *reader, const config_t *tree)
{
    int line = config_error_line(tree);
    int first_line = 0;
    const struct config_place *at = config_text_place(reader->text, line);
    const struct config_name *twice = find_twice(reader->text, line, &first_line);

    if (twice != NULL && strstr(config_error_text(tree), "duplicate") != NULL) {
        const struct config_place *first = config_text_place(reader->text, first_line);
        snprintf(reader->reason, reader->size, "%s:%d: %s: given twice, first at %s:%d; keep one",
                 at->file, at->line, twice->path, first->file, first->line);
        return false;
    }
    const char *name = last_name(reader->text, line);
    snprintf(reader->reason, reader->size, "%s:%d: %s%s%s; settings are written: name = value;",
             at->file, at->line, name, *name == '\0' ? "" : ": ", config_error_text(tree));
    return false;
}

static bool read_group(struct config_reader *reader, const config_setting_t *group,
                       const char *prefix);

static bool
read_setting(struct config_reader *reader, const config_setting_t *setting, const char *name)
{
    const struct config_key *key = config_key_find(name);
    char help[512];

    if (key != NULL)
        return config_value_set(reader, key, setting);
    if (strcmp(name, "handler") == 0)
        return config_handlers_set(reader, setting);
    if (!config_key_is_group(name)) {
        config_key_suggest(name, help, sizeof(help));
        return config_fail(reader, setting, name, "there is no such key; %s", help);
    }
    if (config_setting_type(setting) == CONFIG_TYPE_GROUP)
        return read_group(reader, setting, name);
    return config_fail(reader, setting, name, "must be a group, { … }, not %s",
                       config_value_shown(setting, help, sizeof(help)));
}

static bool
read_group(struct config_reader *reader, const config_setting_t *group, const char *prefix)
{
    char name[KEY_MAX];

    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
        snprintf(name, sizeof(name), "%s%s%s", prefix, *prefix == '\0' ? "" : ".",
                 config_setting_name(setting));
        if (!read_setting(reader, setting, name))
            return false;
    }
    return true;
}

/* What the text of a file could not be had for, with where the file is named. */
static bool
fail_named(const struct config *config, const char *key, char *reason, size_t size)
{
    char *said = config_copy(reason);

    snprintf(reason, size, "%s: %s: %s", config_origin(config, key), key, said);
    free(said);
    return false;
}

bool
config_file_read(struct config *config, const char *file, const char *named_by, config_take take,
                 char *reason, size_t size)
{
    struct config_text text;
    struct config_reader reader = {
        .config = config, .text = &text, .origin = file, .reason = reason, .size = size};
    bool good = config_text_read(&text, file, reason, size);
    config_t tree;

    config_init(&tree);
    if (!good && named_by != NULL)
        fail_named(config, named_by, reason, size);
    else if (good && config_read_string(&tree, text.data) != CONFIG_TRUE)
        good = syntax_fail(&reader, &tree);
    good = good && take(&reader, config_root_setting(&tree));
    config_destroy(&tree);
    config_text_fini(&text);
    return good;
}

static bool
read_root(struct config_reader *reader, const config_setting_t *root)
{
    return read_group(reader, root, "");
}

bool
config_read_path(struct config *config, const char *file, char *reason, size_t size)
{
    return config_file_read(config, file, NULL, read_root, reason, size);
}

/* Reads "value = TEXT" into a tree; NULL where that is not one setting in libconfig's syntax. */
static config_setting_t *
parse_value(config_t *tree, const char *value)
{
    char *line = config_format("value = %s", value);
    char ignored[256];
    struct config_text text;
    bool good = config_text_parse(&text, "-o", line, ignored, sizeof(ignored)) &&
                config_read_string(tree, text.data) == CONFIG_TRUE &&
                config_setting_length(config_root_setting(tree)) == 1;

    config_text_fini(&text);
    free(line);
    return good ? config_setting_get_elem(config_root_setting(tree), 0) : NULL;
}

/* The empty tree with `value` of that type in it. */
static config_setting_t *
fresh_value(config_t *tree, int type)
{
    config_destroy(tree);
    config_init(tree);
    return config_setting_add(config_root_setting(tree), "value", type);
}

/* "a,b" as a list of strings; blanks around the commas are dropped. */
static config_setting_t *
split_value(config_t *tree, const char *value)
{
    config_setting_t *list = fresh_value(tree, CONFIG_TYPE_LIST);

    for (const char *at = value;; at++) {
        at += strspn(at, " \t");
        size_t length = strcspn(at, ",");
        size_t kept = length;
        while (kept > 0 && strchr(" \t", at[kept - 1]) != NULL)
            kept--;
        char *item = config_format("%.*s", (int)kept, at);
        config_setting_set_string_elem(list, -1, item);
        free(item);
        at += length;
        if (*at == '\0')
            return list;
    }
}

/* A list is one in libconfig's syntax, or separated by commas. */
static config_setting_t *
list_value(config_t *tree, const char *value)
{
    config_setting_t *setting = parse_value(tree, value);

    if (setting != NULL && config_setting_is_aggregate(setting))
        return setting;
    if (setting == NULL || config_setting_type(setting) != CONFIG_TYPE_STRING)
        return split_value(tree, value);
    char *text = config_copy(config_setting_get_string(setting));
    setting = split_value(tree, text);
    free(text);
    return setting;
}

/* A string is taken as it stands, unless it is written in quotes: "1.2" and 1.2 are the same
 * here. */
static config_setting_t *
string_value(config_t *tree, const char *value)
{
    config_setting_t *setting = value[0] == '"' ? parse_value(tree, value) : NULL;

    if (setting != NULL)
        return setting;
    setting = fresh_value(tree, CONFIG_TYPE_STRING);
    config_setting_set_string(setting, value);
    return setting;
}

static config_setting_t *
scalar_value(config_t *tree, const char *value)
{
    config_setting_t *setting = parse_value(tree, value);

    return setting != NULL ? setting : string_value(tree, value);
}

static bool
override_key(struct config_reader *reader, const struct config_key *key, const char *value,
             config_t *tree)
{
    switch (key->type) {
    case CONFIG_LISTEN:
    case CONFIG_PATHS:
    case CONFIG_ACCESS:
        return config_value_set(reader, key, list_value(tree, value));
    case CONFIG_USERS:
    case CONFIG_CERTIFICATES:
    case CONFIG_INT:
    case CONFIG_BOOL:
    case CONFIG_SIZE:
        return config_value_set(reader, key, scalar_value(tree, value));
    default:
        return config_value_set(reader, key, string_value(tree, value));
    }
}

static bool
override_handler(struct config_reader *reader, const char *path, const char *value, config_t *tree)
{
    config_setting_t *setting;

    if (config_handler_wants_list(path))
        setting = list_value(tree, value);
    else if (strstr(path, ".options.") != NULL)
        setting = string_value(tree, value);
    else
        setting = scalar_value(tree, value);
    return config_handler_override(reader, path, setting);
}

static bool
override_name(struct config_reader *reader, const char *name, const char *value, config_t *tree)
{
    const struct config_key *key = config_key_find(name);
    char help[512];

    if (key != NULL)
        return override_key(reader, key, value, tree);
    if (strncmp(name, "handler.", 8) == 0)
        return override_handler(reader, name + 8, value, tree);
    if (config_key_is_group(name) || strcmp(name, "handler") == 0)
        return config_fail(reader, NULL, name,
                           "is a group; name a key of it, as in -o workers.threads=8");
    config_key_suggest(name, help, sizeof(help));
    return config_fail(reader, NULL, name, "there is no such key; %s", help);
}

bool
config_read_override(struct config *config, const char *override, char *reason, size_t size)
{
    struct config_reader reader = {
        .config = config, .origin = "-o", .reason = reason, .size = size};
    const char *equals = strchr(override, '=');
    config_t tree;

    if (equals == NULL || equals == override) {
        snprintf(reason, size, "-o: %s: must be KEY=VALUE, as in -o workers.threads=8", override);
        return false;
    }
    char *name = config_format("%.*s", (int)(equals - override), override);
    config_init(&tree);
    bool good = override_name(&reader, name, equals + 1, &tree);
    config_destroy(&tree);
    free(name);
    return good;
}

bool
config_read_defaults(struct config *config, char *reason, size_t size)
{
    struct config_reader reader = {
        .config = config, .origin = "default", .reason = reason, .size = size};
    bool good = true;

    for (const struct config_key *key = config_keys; good && key->name != NULL; key++) {
        config_t tree;
        config_init(&tree);
        good = config_value_set(&reader, key, scalar_value(&tree, key->value));
        config_destroy(&tree);
    }
    return good;
}
