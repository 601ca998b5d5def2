/*
 * Values: from a libconfig setting into struct config, checked as the table says, and back to
 * text. One function per type, and one table that names them. Called by config_read.c,
 * config_handlers.c and config_print.c; master process.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_impl.h"

size_t
config_printable(const unsigned char *at)
{
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = at[0] < 0x80 ? 1 : at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;

    if (length == 1)
        return at[0] >= 0x20 && at[0] != 0x7f;
    if (at[0] < 0xc2 || at[0] > 0xf4)
        return 0;
    unsigned code = at[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (at[i] & 0x3fu);
    }
    bool good = code >= least[length] && code >= 0xa0 && code <= 0x10ffff &&
                (code < 0xd800 || code > 0xdfff);
    return good ? length : 0;
}

const char *
config_value_text(struct config_reader *reader, const char *key, const config_setting_t *setting)
{
    char given[128];

    if (config_setting_type(setting) != CONFIG_TYPE_STRING) {
        config_fail(reader, setting, key, "must be a string, in quotes, not %s",
                    config_value_shown(setting, given, sizeof(given)));
        return NULL;
    }
    const char *text = config_setting_get_string(setting);
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0';
         at += config_printable(at))
        if (config_printable(at) == 0) {
            config_fail(reader, setting, key,
                        "the string holds a control character or invalid UTF-8");
            return NULL;
        }
    return text;
}

static void *
member(const struct config *config, const struct config_key *key)
{
    return (char *)(uintptr_t)config + key->offset;
}

/* The index in the key's choices, -1 for none. */
static int
choice(const struct config_key *key, const char *text)
{
    for (int i = 0; key->choices[i] != NULL; i++)
        if (strcmp(key->choices[i], text) == 0)
            return i;
    return -1;
}

/* The string of a key, with its bounds and choices checked; NULL with the reason. */
static const char *
checked_string(struct config_reader *reader, const struct config_key *key,
               const config_setting_t *setting)
{
    if (config_setting_type(setting) != CONFIG_TYPE_STRING) {
        config_refuse(reader, key, setting);
        return NULL;
    }
    const char *text = config_value_text(reader, key->name, setting);
    if (text == NULL)
        return NULL;
    if (key->choices != NULL) {
        if (choice(key, text) >= 0)
            return text;
        config_refuse(reader, key, setting);
        return NULL;
    }
    int64_t length = (int64_t)strlen(text);
    if (length < key->low)
        config_fail(reader, setting, key->name, "can't be empty (%s)", key->help);
    else if (length > key->high)
        config_fail(reader, setting, key->name, "is %" PRId64 " bytes long; at most %" PRId64,
                    length, key->high);
    else
        return text;
    return NULL;
}

static bool
set_string(struct config_reader *reader, const struct config_key *key,
           const config_setting_t *setting)
{
    const char *text = checked_string(reader, key, setting);

    if (text == NULL)
        return false;
    config_replace(member(reader->config, key), config_copy(text));
    return true;
}

char *
config_absolute(const struct config_reader *reader, const char *text,
                const config_setting_t *setting)
{
    if (text[0] == '/' || text[0] == '\0')
        return config_copy(text);
    char current[PATH_MAX] = "";
    char *base =
        reader->text == NULL
            ? config_copy("")
            : config_copy(
                  config_text_place(reader->text, (int)config_setting_source_line(setting))->file);
    char *slash = strrchr(base, '/');
    *(slash == NULL ? base : slash + 1) = '\0';
    if (base[0] != '/' && getcwd(current, sizeof(current) - 1) != NULL && strcmp(current, "/") != 0)
        strcat(current, "/");
    char *path = config_format("%s%s%s", current, base, text);
    free(base);
    return path;
}

/* A file that the service manager hands over (systemd's LoadCredential=). Outside of the service that is where root finds
 * what the running one was given. */
static char *
credential(const char *name)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY");

    return config_format("%s/%s", directory != NULL ? directory : "/run/credentials/doipd.service",
                         name);
}

char *
config_path(struct config_reader *reader, const char *key, const char *text,
            const config_setting_t *setting)
{
    static const char mark[] = "credential:";
    const char *name = text + sizeof(mark) - 1;

    if (strncmp(text, mark, sizeof(mark) - 1) != 0)
        return config_absolute(reader, text, setting);
    if (name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL)
        return credential(name);
    config_fail(reader, setting, key,
                "\"%s\": a credential is named as in LoadCredential=NAME:FILE", text);
    return NULL;
}

static bool
set_path(struct config_reader *reader, const struct config_key *key,
         const config_setting_t *setting)
{
    const char *text = checked_string(reader, key, setting);
    char *path = text != NULL ? config_path(reader, key->name, text, setting) : NULL;

    if (path != NULL)
        config_replace(member(reader->config, key), path);
    return path != NULL;
}

static bool
set_name(struct config_reader *reader, const struct config_key *key,
         const config_setting_t *setting)
{
    const char *text = checked_string(reader, key, setting);

    if (text != NULL)
        *(int *)member(reader->config, key) = choice(key, text);
    return text != NULL;
}

static bool
set_switch(struct config_reader *reader, const struct config_key *key,
           const config_setting_t *setting)
{
    const char *text = checked_string(reader, key, setting);

    if (text != NULL)
        *(bool *)member(reader->config, key) = choice(key, text) == 1;
    return text != NULL;
}

bool
config_value_bool(struct config_reader *reader, const char *key, const config_setting_t *setting,
                  bool *value)
{
    char given[128];

    if (config_setting_type(setting) != CONFIG_TYPE_BOOL)
        return config_fail(reader, setting, key, "must be true or false, not %s",
                           config_value_shown(setting, given, sizeof(given)));
    *value = config_setting_get_bool(setting);
    return true;
}

static bool
set_bool(struct config_reader *reader, const struct config_key *key,
         const config_setting_t *setting)
{
    if (config_setting_type(setting) != CONFIG_TYPE_BOOL)
        return config_refuse(reader, key, setting);
    *(bool *)member(reader->config, key) = config_setting_get_bool(setting);
    return true;
}

/* A whole number within the key's bounds. */
static bool
whole_number(const struct config_key *key, const config_setting_t *setting, int64_t *value)
{
    int type = config_setting_type(setting);

    if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64)
        return false;
    *value = config_setting_get_int64(setting);
    return *value >= key->low && *value <= key->high;
}

static bool
set_int(struct config_reader *reader, const struct config_key *key, const config_setting_t *setting)
{
    int64_t value;

    if (!whole_number(key, setting, &value))
        return config_refuse(reader, key, setting);
    *(int *)member(reader->config, key) = (int)value;
    return true;
}

/* "64K": digits and perhaps a letter, without overflow. */
static bool
size_text(const char *text, int64_t *value)
{
    static const char letters[] = "KMGT";
    size_t digits = strspn(text, "0123456789");
    int shift = 0;

    if (digits == 0 || digits > 18)
        return false;
    if (text[digits] != '\0') {
        const char *letter = strchr(letters, text[digits]);
        if (letter == NULL || text[digits + 1] != '\0')
            return false;
        shift = 10 * (int)(letter - letters + 1);
    }
    *value = strtoll(text, NULL, 10);
    if (*value > INT64_MAX >> shift)
        return false;
    *value <<= shift;
    return true;
}

static bool
set_size(struct config_reader *reader, const struct config_key *key,
         const config_setting_t *setting)
{
    int64_t value = 0;
    bool good = config_setting_type(setting) == CONFIG_TYPE_STRING
                    ? size_text(config_setting_get_string(setting), &value) && value >= key->low &&
                          value <= key->high
                    : whole_number(key, setting, &value);

    if (!good)
        return config_refuse(reader, key, setting);
    *(uint64_t *)member(reader->config, key) = (uint64_t)value;
    return true;
}

static bool
set_certificates(struct config_reader *reader, const struct config_key *key,
                 const config_setting_t *setting)
{
    (void)key;
    return config_certificates_set(reader, setting);
}

static bool
set_users(struct config_reader *reader, const struct config_key *key,
          const config_setting_t *setting)
{
    (void)key;
    return config_users_set(reader, setting);
}

static bool
set_listen(struct config_reader *reader, const struct config_key *key,
           const config_setting_t *setting)
{
    int type = config_setting_type(setting);

    if (type != CONFIG_TYPE_LIST && type != CONFIG_TYPE_ARRAY)
        return config_refuse(reader, key, setting);
    return config_listen_set(reader, setting);
}

bool
config_value_set(struct config_reader *reader, const struct config_key *key,
                 const config_setting_t *setting)
{
    static bool (*const set[])(struct config_reader *, const struct config_key *,
                               const config_setting_t *) = {
        [CONFIG_STRING] = set_string,     [CONFIG_PATH] = set_path,
        [CONFIG_NAME] = set_name,         [CONFIG_SWITCH] = set_switch,
        [CONFIG_INT] = set_int,           [CONFIG_BOOL] = set_bool,
        [CONFIG_SIZE] = set_size,         [CONFIG_LISTEN] = set_listen,
        [CONFIG_PATHS] = config_list_set, [CONFIG_ACCESS] = config_list_set,
        [CONFIG_USERS] = set_users,       [CONFIG_CERTIFICATES] = set_certificates,
    };

    if (!set[key->type](reader, key, setting))
        return false;
    config_replace(&reader->config->origins[key - config_keys], config_where(reader, setting));
    return true;
}

void
config_value_free(struct config *config, const struct config_key *key)
{
    if (key->type == CONFIG_STRING || key->type == CONFIG_PATH)
        config_replace(member(config, key), NULL);
    else if (key->type == CONFIG_LISTEN)
        config_listen_free(config);
    else if (key->type == CONFIG_PATHS || key->type == CONFIG_ACCESS)
        config_strings_free(member(config, key));
    else if (key->type == CONFIG_USERS)
        users_free(&config->users);
    else if (key->type == CONFIG_CERTIFICATES)
        config_certificates_free(config);
}
