/*
 * Users: the key `users`, and the files of `users_files`, which hold nothing else. Called by the
 * other config*.c; master process. A password hash is never put into a message.
 */
#include <stdlib.h>
#include <string.h>

#include "config_impl.h"
#include "json_list.h"
#include "keys.h"
#include "password.h"

#define USERS_MAX 10000
#define NAME_BYTES 256
#define KEY_MAX 64
#define REASON_BYTES 512

/* A property of a user: its value, checked, into the user. `key` is its full name for messages. */
struct property {
    const char *name;
    bool (*set)(struct config_reader *reader, struct user *user, const char *key,
                const config_setting_t *setting);
};

/* A string of at most `most` bytes into *slot, NULL there for an empty one. */
static bool
set_text(struct config_reader *reader, char **slot, const char *key,
         const config_setting_t *setting, size_t most)
{
    const char *text = config_value_text(reader, key, setting);

    if (text == NULL)
        return false;
    if (strlen(text) > most)
        return config_fail(reader, setting, key, "is %zu bytes long; at most %zu", strlen(text),
                           most);
    config_replace(slot, *text == '\0' ? NULL : config_copy(text));
    return true;
}

static bool
set_id(struct config_reader *reader, struct user *user, const char *key,
       const config_setting_t *setting)
{
    return set_text(reader, &user->id, key, setting, DOIP_ID_MAX);
}

static bool
set_name(struct config_reader *reader, struct user *user, const char *key,
         const config_setting_t *setting)
{
    return set_text(reader, &user->name, key, setting, NAME_BYTES);
}

static bool
set_password_hash(struct config_reader *reader, struct user *user, const char *key,
                  const config_setting_t *setting)
{
    char why[REASON_BYTES];

    if (config_setting_type(setting) != CONFIG_TYPE_STRING)
        return config_fail(reader, setting, key,
                           "must be a string, in quotes, as doipd --hash-password prints it");
    const char *hash = config_setting_get_string(setting);
    if (*hash != '\0' && !password_hash_check(hash, why, sizeof(why)))
        return config_fail(reader, setting, key, "%s", why);
    config_replace(&user->password_hash, *hash == '\0' ? NULL : config_copy(hash));
    return true;
}

static bool
set_key(struct config_reader *reader, struct user *user, const char *key,
        const config_setting_t *setting)
{
    const char *text = config_value_text(reader, key, setting);
    char why[REASON_BYTES];

    if (text == NULL || *text == '\0')
        return text != NULL;
    config_replace(&user->key_path, config_absolute(reader, text, setting));
    user->key = key_load(user->key_path, why, sizeof(why));
    return user->key != NULL || config_fail(reader, setting, key, "%s", why);
}

static bool
set_groups(struct config_reader *reader, struct user *user, const char *key,
           const config_setting_t *setting)
{
    char **groups = config_list(reader, key, setting, "a list of groups, ( \"staff\" )");

    if (groups == NULL)
        return false;
    user->groups = json_array();
    for (char **group = groups; *group != NULL; group++)
        json_list_add(&user->groups, json_string(*group));
    config_must(user->groups);
    config_strings_free(&groups);
    return true;
}

static bool
set_may_act_as(struct config_reader *reader, struct user *user, const char *key,
               const config_setting_t *setting)
{
    user->may_act_as =
        config_list(reader, key, setting, "a list of shell patterns for client ids, ( \"*\" )");
    return user->may_act_as != NULL;
}

static bool
set_enabled(struct config_reader *reader, struct user *user, const char *key,
            const config_setting_t *setting)
{
    return config_value_bool(reader, key, setting, &user->enabled);
}

static const struct property properties[] = {
    {"id", set_id},           {"name", set_name},     {"password_hash", set_password_hash},
    {"key", set_key},         {"groups", set_groups}, {"may_act_as", set_may_act_as},
    {"enabled", set_enabled},
};

static bool
set_property(struct config_reader *reader, struct user *user, const char *key,
             const config_setting_t *setting)
{
    const char *name = config_setting_name(setting);

    for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]); i++)
        if (strcmp(properties[i].name, name) == 0)
            return properties[i].set(reader, user, key, setting);
    return config_fail(reader, setting, key,
                       "there is no such key; a user has id, name, password_hash, key, groups, "
                       "may_act_as, enabled");
}

/* Another user that already has one of this one's two names; each is good to log in with. */
static const struct user *
find_same(const struct user_list *users, const struct user *user, const char **name)
{
    *name = user->id;
    const struct user *other = users_find(users, user->id);
    if (other != NULL || user->name == NULL)
        return other;
    *name = user->name;
    return users_find(users, user->name);
}

static bool
read_user(struct config_reader *reader, const config_setting_t *group, int index)
{
    struct user_list *users = &reader->config->users;
    struct user user = {.enabled = true, .where = config_where(reader, group)};
    char key[2 * KEY_MAX];
    char given[128];
    const char *name;
    bool good = true;

    snprintf(key, sizeof(key), "users.[%d]", index);
    if (config_setting_type(group) != CONFIG_TYPE_GROUP)
        good = config_fail(reader, group, key,
                           "must be a group, { id = \"20.500.123/alice\"; }, not %s",
                           config_value_shown(group, given, sizeof(given)));
    for (int i = 0; good && i < config_setting_length(group); i++) {
        const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
        snprintf(key, sizeof(key), "users.[%d].%.*s", index, KEY_MAX, config_setting_name(setting));
        good = set_property(reader, &user, key, setting);
    }
    snprintf(key, sizeof(key), "users.[%d]", index);
    if (good && user.id == NULL)
        good = config_fail(reader, group, key,
                           "has no id; say who this is: id = \"20.500.123/alice\";");
    const struct user *same = good ? find_same(users, &user, &name) : NULL;
    if (same != NULL)
        good = config_fail(reader, group, key, "\"%s\" is a user already, at %s; keep one", name,
                           same->where);
    /* also a bad one: the list's end frees it */
    users->items = config_grow(users->items, users->count, &users->room, sizeof(user));
    if (user.id == NULL)
        user.id = config_copy("");
    users->items[users->count++] = user;
    return good;
}

static bool
read_users(struct config_reader *reader, const config_setting_t *setting)
{
    int type = config_setting_type(setting);
    char given[128];

    if (type != CONFIG_TYPE_LIST &&
        !(type == CONFIG_TYPE_ARRAY && config_setting_length(setting) == 0))
        return config_fail(reader, setting, "users",
                           "must be a list of groups, ( { id = \"…\"; } ), not %s",
                           config_value_shown(setting, given, sizeof(given)));
    if (config_setting_length(setting) > USERS_MAX)
        return config_fail(reader, setting, "users", "more than %d users", USERS_MAX);
    for (int i = 0; i < config_setting_length(setting); i++)
        if (!read_user(reader, config_setting_get_elem(setting, (unsigned)i), i))
            return false;
    return true;
}

bool
config_users_set(struct config_reader *reader, const config_setting_t *setting)
{
    users_free(&reader->config->users);
    bool good = read_users(reader, setting);
    reader->config->users.own = reader->config->users.count;
    return good;
}

/* ------------------------------------------------------------------ files of users */

static bool
read_root(struct config_reader *reader, const config_setting_t *root)
{
    for (int i = 0; i < config_setting_length(root); i++) {
        const config_setting_t *setting = config_setting_get_elem(root, (unsigned)i);
        const char *name = config_setting_name(setting);
        if (strcmp(name, "users") != 0)
            return config_fail(reader, setting, name,
                               "a file of users_files holds users = ( … ) only");
        if (!read_users(reader, setting))
            return false;
    }
    return true;
}

bool
config_users_read_files(struct config *config, char *reason, size_t size)
{
    for (char **file = config->users_files; file != NULL && *file != NULL; file++)
        if (!config_file_read(config, *file, "users_files", read_root, reason, size))
            return false;
    return true;
}

/* ------------------------------------------------------------------ and back to text */

static void
print_text(const char *name, const char *text, FILE *file)
{
    if (text == NULL)
        return;
    fprintf(file, " %s = ", name);
    config_value_print_string(text, file);
    fputc(';', file);
}

static void
print_groups(const json_t *groups, FILE *file)
{
    if (groups == NULL)
        return;
    fputs(" groups = ( ", file);
    for (size_t i = 0; i < json_array_size(groups); i++) {
        fputs(i > 0 ? ", " : "", file);
        config_value_print_string(json_string_value(json_array_get(groups, i)), file);
    }
    fputs(" );", file);
}

static void
print_user(const struct user *user, FILE *file)
{
    fputs("{", file);
    print_text("id", user->id, file);
    print_text("name", user->name, file);
    if (user->password_hash != NULL)
        fputs(" /* password_hash: not shown */", file);
    print_text("key", user->key_path, file);
    print_groups(user->groups, file);
    if (user->may_act_as != NULL) {
        fputs(" may_act_as = ", file);
        config_list_print(user->may_act_as, file);
        fputc(';', file);
    }
    fprintf(file, " enabled = %s; }", user->enabled ? "true" : "false");
}

void
config_users_print(const struct config *config, FILE *file)
{
    fputs("( ", file);
    for (size_t i = 0; i < config->users.own; i++) {
        fputs(i > 0 ? ", " : "", file);
        print_user(&config->users.items[i], file);
    }
    fputs(config->users.own > 0 ? " )" : ")", file);
}
