/*
 * The key `tls.certificates`: a list of certificates, each with its key. Called by the other config*.c;
 * master process.
 */
#include <stdlib.h>
#include <string.h>

#include "config_impl.h"

#define CERTIFICATES_MAX 64
#define KEY_MAX 64
#define LIST "tls.certificates"

static bool
set_path(struct config_reader *reader, char **slot, const char *key,
         const config_setting_t *setting)
{
    const char *text = config_value_text(reader, key, setting);
    char *path = text != NULL && *text != '\0' ? config_path(reader, key, text, setting) : NULL;

    config_replace(slot, path);
    return path != NULL || (text != NULL && *text == '\0');
}

static bool
set_property(struct config_reader *reader, struct config_certificate *one, const char *key,
             const config_setting_t *setting)
{
    const char *name = config_setting_name(setting);

    if (strcmp(name, "certificate") == 0)
        return set_path(reader, &one->certificate, key, setting);
    if (strcmp(name, "key") == 0)
        return set_path(reader, &one->key, key, setting);
    if (strcmp(name, "ocsp") == 0)
        return set_path(reader, &one->ocsp, key, setting);
    return config_fail(reader, setting, key,
                       "there is no such key; the keys here are certificate, key, ocsp");
}

static bool
read_one(struct config_reader *reader, const config_setting_t *group, int index,
         struct config_certificate *one)
{
    char key[2 * KEY_MAX], given[128];

    snprintf(key, sizeof(key), LIST ".[%d]", index);
    one->where = config_where(reader, group);
    one->name = config_copy(key);
    if (config_setting_type(group) != CONFIG_TYPE_GROUP)
        return config_fail(reader, group, key,
                           "must be a group, { certificate = \"…\"; key = \"…\"; }, not %s",
                           config_value_shown(group, given, sizeof(given)));
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
        snprintf(key, sizeof(key), LIST ".[%d].%.*s", index, KEY_MAX, config_setting_name(setting));
        if (!set_property(reader, one, key, setting))
            return false;
    }
    if (one->certificate != NULL)
        return true;
    snprintf(key, sizeof(key), LIST ".[%d]", index);
    return config_fail(reader, group, key,
                       "has no certificate; name its file: certificate = \"…\";");
}

bool
config_certificates_set(struct config_reader *reader, const config_setting_t *setting)
{
    struct config *config = reader->config;
    int type = config_setting_type(setting), length;
    char given[128];

    config_certificates_free(config);
    if (type != CONFIG_TYPE_LIST &&
        !(type == CONFIG_TYPE_ARRAY && config_setting_length(setting) == 0))
        return config_fail(
            reader, setting, LIST,
            "must be a list of groups, ( { certificate = \"…\"; key = \"…\"; } ), not %s",
            config_value_shown(setting, given, sizeof(given)));
    length = config_setting_length(setting);
    if (length > CERTIFICATES_MAX)
        return config_fail(reader, setting, LIST, "more than %d certificates", CERTIFICATES_MAX);
    config->tls.certificates =
        config_alloc((size_t)(length + 1) * sizeof(*config->tls.certificates));
    for (int i = 0; i < length; i++)
        if (!read_one(reader, config_setting_get_elem(setting, (unsigned)i), i,
                      &config->tls.certificates[config->tls.certificate_count++]))
            return false;
    return true;
}

void
config_certificates_free(struct config *config)
{
    for (size_t i = 0; i < config->tls.certificate_count; i++) {
        free(config->tls.certificates[i].name);
        free(config->tls.certificates[i].where);
        free(config->tls.certificates[i].certificate);
        free(config->tls.certificates[i].key);
        free(config->tls.certificates[i].ocsp);
    }
    free(config->tls.certificates);
    config->tls.certificates = NULL;
    config->tls.certificate_count = 0;
}

static void
print_path(const char *name, const char *path, FILE *file)
{
    if (path == NULL)
        return;
    fprintf(file, " %s = ", name);
    config_value_print_string(path, file);
    fputc(';', file);
}

void
config_certificates_print(const struct config *config, FILE *file)
{
    fputs("( ", file);
    for (size_t i = 0; i < config->tls.certificate_count; i++) {
        fputs(i > 0 ? ", {" : "{", file);
        print_path("certificate", config->tls.certificates[i].certificate, file);
        print_path("key", config->tls.certificates[i].key, file);
        print_path("ocsp", config->tls.certificates[i].ocsp, file);
        fputs(" }", file);
    }
    fputs(config->tls.certificate_count > 0 ? " )" : ")", file);
}
