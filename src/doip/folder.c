/*
 * An object with all its elements, as files in a directory. Called by the command retrieve. The
 * files have no names until the answer has come to its end, so that a broken one leaves nothing
 * behind that looks complete.
 */
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <doip/object.h>

#include "names.h"
#include "partial.h"
#include "sink.h"

#define FOLDER_OBJECT "object.json"

typedef struct entry {
    struct entry *next;
    partial *file;
    bool published;
    char name[NAME_SAFE_MAX + 1];
} entry;

typedef struct folder {
    const char *path;
    entry *entries; /* the last first */
} folder;

static bool
folder_has(const folder *into, const char *name)
{
    for (const entry *at = into->entries; at != NULL; at = at->next) {
        if (strcmp(at->name, name) == 0)
            return true;
    }
    return false;
}

static bool
folder_exists(const folder *into, const char *name)
{
    char path[4096];
    struct stat status;

    snprintf(path, sizeof(path), "%s/%s", into->path, name);
    return lstat(path, &status) == 0;
}

/* A new file under a safe form of `name`; NULL after saying why. */
static entry *
folder_add(folder *into, const char *name)
{
    entry *added = calloc(1, sizeof(*added));
    char reason[REASON_MAX] = "out of memory";

    if (added != NULL)
        name_safe(name, added->name);
    if (added != NULL && folder_has(into, added->name))
        snprintf(reason, sizeof(reason), "%s would be the name of two files", added->name);
    else if (added != NULL && folder_exists(into, added->name))
        snprintf(reason, sizeof(reason), "%s exists", added->name);
    else if (added != NULL)
        added->file = partial_new(into->path, reason, sizeof(reason));
    if (added == NULL || added->file == NULL) {
        complain(EXIT_USAGE, "%s: %s", into->path, reason);
        free(added);
        return NULL;
    }
    added->next = into->entries;
    into->entries = added;
    return added;
}

/* What is not published vanishes; what is, stays, but for `failed`. */
static void
folder_close(folder *into, bool failed)
{
    entry *gone;

    while ((gone = into->entries) != NULL) {
        into->entries = gone->next;
        if (failed && gone->published)
            partial_unpublish(gone->file, gone->name);
        partial_free(&gone->file);
        free(gone);
    }
}

static int
folder_publish(folder *into)
{
    char reason[REASON_MAX];

    for (entry *at = into->entries; at != NULL; at = at->next) {
        at->published = partial_publish(at->file, at->name, false, reason, sizeof(reason));
        if (!at->published)
            return complain(EXIT_USAGE, "%s: %s", into->path, reason);
    }
    return EXIT_DONE;
}

/* ------------------------------------------------------------------ receiving */

static int
folder_receive_object(folder *into, const json_t *object)
{
    entry *file = folder_add(into, FOLDER_OBJECT);
    size_t length = 0;
    char *text = file != NULL ? json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(17)) : NULL;
    bool written;

    if (file == NULL)
        return EXIT_USAGE;
    length = text != NULL ? strlen(text) : 0;
    written = text != NULL && sink_write_all(partial_fd(file->file), text, length) &&
              sink_write_all(partial_fd(file->file), "\n", 1);
    free(text);
    return written ? EXIT_DONE
                   : complain(EXIT_USAGE, "cannot write %s: %s", FOLDER_OBJECT, strerror(errno));
}

static int
folder_receive_element(folder *into, const json_t *element, session *from, doip_message *message)
{
    const char *id = json_string_value(json_object_get(element, "id"));
    const json_t *length = json_object_get(element, "length");
    entry *file = folder_add(into, id);

    if (file == NULL)
        return EXIT_USAGE;
    return sink_receive_fd(partial_fd(file->file), file->name, from, message, id,
                           json_is_integer(length) ? json_integer_value(length) : -1);
}

static int
folder_receive_all(folder *into, doip_object_reader *reader, session *from, doip_message *message)
{
    json_t *object = doip_object_reader_object(reader), *element;
    int status = EXIT_DONE, more = object != NULL ? 1 : -1;

    if (object != NULL)
        status = folder_receive_object(into, object);
    while (status == EXIT_DONE && more > 0) {
        more = doip_object_reader_next(reader, &element);
        if (more > 0)
            status = folder_receive_element(into, element, from, message);
    }
    if (status == EXIT_DONE && more < 0)
        status = complain(EXIT_BROKEN, "%s port %d: the answer is broken: %s", from->given->host,
                          from->given->port, doip_object_reader_reason(reader));
    return status == EXIT_DONE ? folder_publish(into) : status;
}

/* Every element keeps a descriptor until the end. */
static void
folder_raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int
folder_receive(session *from, doip_message *message, const char *directory)
{
    folder into = {.path = directory};
    bool made = mkdir(directory, 0777) == 0;
    doip_object_reader *reader;
    int status;

    if (!made && errno != EEXIST)
        return complain(EXIT_USAGE, "cannot make the directory %s: %s", directory, strerror(errno));
    folder_raise_descriptors();
    reader = doip_object_reader_new(message, 0);
    status = reader != NULL ? folder_receive_all(&into, reader, from, message)
                            : complain(EXIT_USAGE, "out of memory");
    doip_object_reader_free(&reader);
    folder_close(&into, status != EXIT_DONE);
    if (status != EXIT_DONE && made)
        rmdir(directory);
    return status;
}
