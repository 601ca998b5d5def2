/*
 * Loading the configuration: defaults, the file, conf.d beside it, overrides, then what must be
 * found out. Called by the master (and by -t, -T); workers inherit the result. The steps are in
 * config_read.c (libconfig to values), config_value.c and config_listen.c (values),
 * config_lists.c, config_users.c, config_handlers.c, config_resolve.c, config_print.c; the keys in config_table.c; the text
 * under libconfig in config_scan.c.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_impl.h"

static int
is_conf(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);

    return entry->d_name[0] != '.' && length > 5 &&
           strcmp(entry->d_name + length - 5, ".conf") == 0;
}

/* By bytes, whatever the locale. */
static int
by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* The directory conf.d beside the file. malloc'd. */
static char *
beside(const char *file)
{
    const char *slash = strrchr(file, '/');

    return config_format("%.*sconf.d", slash == NULL ? 0 : (int)(slash + 1 - file), file);
}

static bool
read_entries(struct config *config, const char *directory, struct dirent **entries, int count,
             char *reason, size_t size)
{
    bool good = true;

    for (int i = 0; i < count; i++) {
        char *path = config_format("%s/%s", directory, entries[i]->d_name);
        good = good && config_read_path(config, path, reason, size);
        free(path);
        free(entries[i]);
    }
    return good;
}

static bool
read_directory(struct config *config, const char *file, char *reason, size_t size)
{
    char *directory = beside(file);
    struct dirent **entries = NULL;
    int count = scandir(directory, &entries, is_conf, by_name);
    bool good = count >= 0 || errno == ENOENT;

    if (!good)
        snprintf(reason, size, "%s: cannot read the directory: %s", directory, strerror(errno));
    else if (count > 0)
        good = read_entries(config, directory, entries, count, reason, size);
    free(entries);
    free(directory);
    return good;
}

static bool
read_all(struct config *config, const struct config_source *source, char *reason, size_t size)
{
    if (!config_read_defaults(config, reason, size) ||
        (source->listen != NULL && !config_read_override(config, source->listen, reason, size)))
        return false;
    if (source->file != NULL && !(config_read_path(config, source->file, reason, size) &&
                                  read_directory(config, source->file, reason, size)))
        return false;
    for (const char *const *one = source->overrides; one != NULL && *one != NULL; one++)
        if (!config_read_override(config, *one, reason, size))
            return false;
    return config_users_read_files(config, reason, size) && config_resolve(config, reason, size);
}

/* A reason is one line of text, whatever the names of files and keys hold, and wherever a character was cut. */
static void
make_printable(char *reason)
{
    while (*reason != '\0') {
        size_t length = config_printable((const unsigned char *)reason);

        if (length == 0)
            *reason = '?';
        reason += length > 0 ? length : 1;
    }
}

static struct config *
load(const struct config_source *source, char *reason, size_t size)
{
    struct config *config = config_alloc(sizeof(*config));

    reason[0] = '\0';
    config->origins = config_alloc((config_key_count() + 1) * sizeof(char *));
    if (!read_all(config, source, reason, size)) {
        make_printable(reason);
        config_free(&config);
    }
    config_memory_way_out(NULL);
    return config;
}

struct config *
config_load(const struct config_source *source, char *reason, size_t size)
{
    jmp_buf out;

    if (_setjmp(out) != 0) {
        config_memory_way_out(NULL);
        snprintf(reason, size, "out of memory while reading the configuration");
        return NULL;
    }
    config_memory_way_out(&out);
    return load(source, reason, size);
}

void
config_free(struct config **config)
{
    if (*config == NULL)
        return;
    for (const struct config_key *key = config_keys; key->name != NULL; key++) {
        config_value_free(*config, key);
        free((*config)->origins[key - config_keys]);
    }
    config_handlers_free(*config);
    free((*config)->origins);
    free(*config);
    *config = NULL;
}
