/*
 * What the tests of the configuration share: a directory for each test, files in it, and
 * loading them.
 */
#ifndef UNIT_CONFIG_H
#define UNIT_CONFIG_H

#include "unit.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doipd/config_impl.h"
#include "doipd/log.h"

#define REASON_MAX 2048

static char directory[PATH_MAX];
static char reason[REASON_MAX];

static inline void
setup(void)
{
    char made[] = "/tmp/doipd-test-config.XXXXXX";

    ck_assert_ptr_nonnull(mkdtemp(made));
    snprintf(directory, sizeof(directory), "%s", made);
}

static inline void
teardown(void)
{
    char command[PATH_MAX + 16];

    snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    ck_assert_int_eq(system(command), 0);
}

static inline const char *
path_of(const char *name)
{
    static char path[2 * PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static inline void
put(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "w");

    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static inline struct config *
load(const char *file, const char *const *overrides)
{
    struct config_source source = {.file = file, .overrides = overrides};

    return config_load(&source, reason, sizeof(reason));
}

static inline struct config *
load_good(const char *file, const char *const *overrides)
{
    struct config *config = load(file, overrides);

    ck_assert_msg(config != NULL, "refused: %s", reason);
    return config;
}

static inline struct config *
load_text(const char *text)
{
    put("doipd.conf", text);
    return load_good(path_of("doipd.conf"), NULL);
}

/* The reason with the test's own directory left out of it. */
static inline const char *
short_reason(void)
{
    static char text[REASON_MAX];
    size_t used = 0;
    size_t prefix = strlen(directory) + 1;

    for (const char *at = reason; *at != '\0'; at++) {
        if (strncmp(at, directory, prefix - 1) == 0 && at[prefix - 1] == '/')
            at += prefix;
        text[used++] = *at;
    }
    text[used] = '\0';
    return text;
}

#endif
