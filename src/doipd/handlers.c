/*
 * Handlers: finding, loading, checking, opening: see handlers.h. Runs in a worker before its threads start, or in a check's child.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handlers.h"
#include "log.h"

/* What a load needs to know at every step, and where its complaint goes. */
struct load {
    const struct config *config;
    bool started_by_root;
    struct score_thread *score;
    char *reason;
    size_t size;
};

static bool complain(const struct load *load, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool
complain(const struct load *load, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vsnprintf(load->reason, load->size, format, ap);
    va_end(ap);
    return false;
}

/* ------------------------------------------------------------------ is the file to be trusted */

static bool
only_ours(const struct load *load, const char *path)
{
    struct stat status;

    if (stat(path, &status) < 0)
        return complain(load, "%s: %s", path, strerror(errno));
    if (!load->started_by_root)
        return true;
    if ((status.st_mode & 022) != 0)
        return complain(load, "%s: its group or others may write it, so it is not loaded by a service started as root; "
                              "chmod go-w it",
                        path);
    if (status.st_uid != 0)
        return complain(load, "%s: belongs to uid %u, so it is not loaded by a service started as root; chown it to root",
                        path, (unsigned)status.st_uid);
    return true;
}

/* ------------------------------------------------------------------ the descriptor */

/* The first version's descriptor: what was added since is at its end, and there only where `size` says so. */
#define DESCRIPTOR_LEAST offsetof(doip_descriptor, authenticate)

/* Each field is believed only after those before it. */
static bool
check_descriptor(const struct load *load, const char *path, const char *name, const doip_descriptor *descriptor)
{
    if (descriptor->magic != DOIP_MAGIC)
        return complain(load, "%s: `doip_handler` is no handler descriptor (magic %08x); define it with DOIP_HANDLER()", path,
                        descriptor->magic);
    if (descriptor->abi != DOIP_ABI)
        return complain(load, "%s: made for handler ABI %u, this doipd has ABI %u; rebuild it with this doipd's headers", path,
                        descriptor->abi, DOIP_ABI);
    if (descriptor->size < DESCRIPTOR_LEAST || descriptor->size > sizeof(doip_descriptor))
        return complain(load, "%s: its descriptor has %u bytes, this doipd's has %zu; rebuild it with this doipd's headers",
                        path, descriptor->size, sizeof(doip_descriptor));
    if (descriptor->name == NULL || strcmp(descriptor->name, name) != 0)
        return complain(load, "%s: its descriptor is named \"%s\"; a handler's file is its name and .so, so rename the one or the other",
                        path, descriptor->name != NULL ? descriptor->name : "");
    return true;
}

/* dlsym also finds what the object links: a symbol counts only if it lies in the object itself. */
static void *
own_symbol(void *object, const void *own, const char *symbol)
{
    void *found = dlsym(object, symbol);
    Dl_info here, there;

    if (found == NULL || dladdr(own, &here) == 0 || dladdr(found, &there) == 0)
        return NULL;
    return here.dli_fbase == there.dli_fbase ? found : NULL;
}

static void
find_functions(struct handler *handler)
{
    for (int i = 0; i < OPERATION_COUNT; i++) {
        void *found = own_symbol(handler->object, handler->descriptor, operation_symbol((enum operation)i));
        memcpy(&handler->functions[i], &found, sizeof found);
    }
}

static void
find_authenticate(struct handler *handler)
{
    if (handler->descriptor->size >= sizeof(doip_descriptor))
        handler->authenticate = handler->descriptor->authenticate;
}

static bool
check_options(const struct load *load, struct handler *handler)
{
    static const doip_setting none[] = {{.name = NULL}};

    handler->options = doip_options_new(handler->descriptor, load->config->service.id, load->config->state_directory,
                                        handler->section != NULL ? handler->section->options : none, load->reason,
                                        load->size);
    return handler->options != NULL;
}

/* What was said of a file or its directory, with where that is configured. */
static bool
complain_at(const struct load *load, const struct config_handler *section)
{
    char *said = strdup(load->reason);

    if (said == NULL)
        return false;
    if (section != NULL)
        complain(load, "%s: handler.%s: %s", section->where, section->name, said);
    else
        complain(load, "%s: handlers_directory: %s", config_origin(load->config, "handlers_directory"), said);
    free(said);
    return false;
}

static bool
load_object(const struct load *load, const char *path, struct handler *handler)
{
    if (!only_ours(load, path))
        return false;
    /* A thread that the handler has started, and forgotten, may still be in its code when it is closed. */
    handler->object = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (handler->object == NULL)
        return complain(load, "can't load handler %s: %s", handler->name, dlerror());
    handler->descriptor = dlsym(handler->object, "doip_handler");
    if (handler->descriptor == NULL ||
        own_symbol(handler->object, handler->descriptor, "doip_handler") == NULL)
        return complain(load, "%s: is not a handler: add DOIP_HANDLER(.name = \"%s\", .version = \"1.0\"); at file level", path,
                        handler->name);
    if (!check_descriptor(load, path, handler->name, handler->descriptor))
        return false;
    find_functions(handler);
    find_authenticate(handler);
    return true;
}

/* ------------------------------------------------------------------ which files */

static bool
load_one(const struct load *load, struct handler_set *set, const char *name, const struct config_handler *section)
{
    struct handler *grown = realloc(set->items, (set->count + 1) * sizeof *grown), *handler;
    char path[4096];
    bool found;

    if (grown == NULL)
        return complain(load, "out of memory");
    set->items = grown;
    handler = &grown[set->count++];
    memset(handler, 0, sizeof *handler);
    handler->section = section;
    handler->name = strdup(name); /* -fanalyzer: it stays in the set, which frees it */
    if (handler->name == NULL)
        return complain(load, "out of memory");
    snprintf(path, sizeof path, "%s/%s.so", load->config->handlers_directory, name);
    if (section != NULL && access(path, F_OK) < 0 && errno == ENOENT)
        return complain(load, "there is no file %s; install it, or set enabled = false", path) || complain_at(load, section);
    score_begin(load->score, name, "load", path);
    found = load_object(load, path, handler) || complain_at(load, section);
    score_end(load->score);
    return found && check_options(load, handler);
}

static const struct config_handler *
section_of(const struct config *config, const char *name, size_t length)
{
    for (size_t i = 0; i < config->handler_count; i++)
        if (strlen(config->handlers[i].name) == length && memcmp(config->handlers[i].name, name, length) == 0)
            return &config->handlers[i];
    return NULL;
}

static int
is_object_file(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);

    return entry->d_name[0] != '.' && length > 3 && strcmp(entry->d_name + length - 3, ".so") == 0;
}

/* Files without a section come after those with one, in name order. */
static bool
load_unnamed(const struct load *load, struct handler_set *set)
{
    struct dirent **entries = NULL;
    int count = scandir(load->config->handlers_directory, &entries, is_object_file, alphasort);
    bool good = true;

    if (count < 0 && errno == ENOENT) {
        log_warning(HANDLERS_MISSING, "handlers_directory %s does not exist: no handler is loaded from it", load->config->handlers_directory);
        return true;
    }
    if (count < 0)
        return complain(load, "can't read %s: %s", load->config->handlers_directory, strerror(errno)) || complain_at(load, NULL);
    for (int i = 0; i < count; i++) {
        char *name = entries[i]->d_name;
        size_t length = strlen(name) - 3;

        if (good && section_of(load->config, name, length) == NULL) {
            name[length] = '\0';
            good = load_one(load, set, name, NULL);
        }
        free(entries[i]);
    }
    free(entries);
    return good;
}

bool
handlers_load(struct handler_set *set, const struct config *config, bool started_by_root,
              struct score_thread *score, char *reason, size_t size)
{
    struct load load = {config, started_by_root, score, reason, size};
    bool good = true;

    memset(set, 0, sizeof *set);
    reason[0] = '\0';
    if (access(config->handlers_directory, F_OK) == 0)
        good = only_ours(&load, config->handlers_directory) || complain_at(&load, NULL);
    for (size_t i = 0; good && i < config->handler_count; i++)
        if (config->handlers[i].enabled)
            good = load_one(&load, set, config->handlers[i].name, &config->handlers[i]);
    if (good)
        good = load_unnamed(&load, set);
    if (!good)
        handlers_close(set, score);
    return good;
}

/* ------------------------------------------------------------------ open and close */

static bool
open_one(struct handler *handler, char *reason, size_t size)
{
    if (handler->descriptor->open != NULL &&
        handler->descriptor->open(handler->options, &handler->state) != DOIP_OK) {
        const char *why = doip_options_reason(handler->options);
        snprintf(reason, size, "handler %s can't open: %s", handler->name, why[0] != '\0' ? why : "it gave no reason");
        return false;
    }
    handler->opened = true;
    return true;
}

bool
handlers_open(struct handler_set *set, struct score_thread *score, char *reason, size_t size)
{
    bool good = true;

    for (size_t i = 0; good && i < set->count; i++) {
        score_begin(score, set->items[i].name, "open", "");
        good = open_one(&set->items[i], reason, size);
        score_end(score);
    }
    if (!good)
        handlers_close(set, score);
    return good;
}

void
handlers_close(struct handler_set *set, struct score_thread *score)
{
    for (size_t i = set->count; i-- > 0;) {
        struct handler *handler = &set->items[i];

        score_begin(score, handler->name, "close", "");
        if (handler->opened && handler->descriptor->close != NULL)
            handler->descriptor->close(handler->state);
        score_end(score);
        doip_options_free(&handler->options);
        if (handler->object != NULL)
            dlclose(handler->object);
        free((char *)(size_t)handler->name);
    }
    free(set->items);
    memset(set, 0, sizeof *set);
}

/* ------------------------------------------------------------------ who is asked */

static bool
matches(char *const *patterns, const char *text)
{
    for (; *patterns != NULL; patterns++)
        if (fnmatch(*patterns, text, 0) == 0)
            return true;
    return false;
}

bool
handler_allows(const struct handler *handler, enum operation operation, const char *id, const char *target)
{
    const struct config_handler *section = handler->section;

    return section == NULL ||
           (matches(section->targets, target) && operation_matches(section->operations, operation, id));
}
