/*
 * Lists of strings in the configuration: from libconfig to NULL-ended arrays, and back to text.
 * Called by the other config*.c; master process.
 */
#include <string.h>

#include "config_impl.h"
#include "operations.h"

char **
config_list(struct config_reader *reader, const char *key, const config_setting_t *setting,
            const char *what)
{
    int type = config_setting_type(setting);
    char given[128];

    if (type != CONFIG_TYPE_LIST && type != CONFIG_TYPE_ARRAY) {
        config_fail(reader, setting, key, "must be %s, not %s", what,
                    config_value_shown(setting, given, sizeof(given)));
        return NULL;
    }
    size_t count = (size_t)config_setting_length(setting);
    char **all = config_alloc((count + 1) * sizeof(char *));
    for (size_t i = 0; i < count; i++) {
        const config_setting_t *item = config_setting_get_elem(setting, (unsigned)i);
        const char *text = config_value_text(reader, key, item);
        if (text != NULL && *text == '\0')
            config_fail(reader, item, key, "an empty string matches nothing; \"*\" matches all");
        if (text == NULL || *text == '\0') {
            config_strings_free(&all);
            return NULL;
        }
        all[i] = config_copy(text);
    }
    return all;
}

char **
config_value_strings(struct config_reader *reader, const char *key, const config_setting_t *setting)
{
    char **all = config_list(reader, key, setting, "a list of shell patterns, ( \"*\" )");

    if (all == NULL || all[0] != NULL)
        return all;
    config_strings_free(&all);
    config_fail(reader, setting, key,
                "the list is empty; ( \"*\" ) stands for all, enabled = false for none");
    return NULL;
}

/* A word that is neither a pattern nor an operation's id is a basic operation's short name. */
static bool
names_operation(const char *text)
{
    if (strpbrk(text, "*?[/.:") != NULL)
        return true;
    for (int i = 0; i < OPERATION_EXTENDED; i++)
        if (strcmp(operation_short((enum operation)i), text) == 0)
            return true;
    return false;
}

static bool
check_access(struct config_reader *reader, const struct config_key *key,
             const config_setting_t *setting, char *const *patterns)
{
    for (int i = 0; patterns[i] != NULL; i++)
        if (!names_operation(patterns[i]))
            return config_fail(
                reader, config_setting_get_elem(setting, (unsigned)i), key->name,
                "there is no basic operation %s; these are Hello, ListOperations, Create, "
                "Retrieve, Update, Delete and Search, others are written with their whole id",
                patterns[i]);
    return true;
}

bool
config_list_set(struct config_reader *reader, const struct config_key *key,
                const config_setting_t *setting)
{
    char ***at = (char ***)(void *)((char *)reader->config + key->offset);
    bool paths = key->type == CONFIG_PATHS;
    char **all = config_list(reader, key->name, setting,
                             paths ? "a list of files, ( \"users.conf\" )"
                                   : "a list of operations, ( \"Hello\", \"Retrieve\" )");

    if (all == NULL)
        return false;
    for (int i = 0; paths && all[i] != NULL; i++)
        config_replace(&all[i], config_absolute(reader, all[i],
                                                config_setting_get_elem(setting, (unsigned)i)));
    if (!paths && !check_access(reader, key, setting, all)) {
        config_strings_free(&all);
        return false;
    }
    config_strings_free(at);
    *at = all;
    return true;
}

void
config_list_print(char *const *strings, FILE *file)
{
    fputs("( ", file);
    for (size_t i = 0; strings != NULL && strings[i] != NULL; i++) {
        fputs(i > 0 ? ", " : "", file);
        config_value_print_string(strings[i], file);
    }
    fputs(strings != NULL && strings[0] != NULL ? " )" : ")", file);
}
