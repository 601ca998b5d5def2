/*
 * The files that become elements. Called by the commands create and update.
 */
#include "sources.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "progress.h"

enum { SOURCE_BUFFER = 64 * 1024 };

static bool
source_is_stdin(const source *file)
{
    return strcmp(file->what.file, "-") == 0;
}

static int
source_open(source *file, const char *argument)
{
    char reason[REASON_MAX];
    struct stat status;

    if (!argument_element_parse(argument, &file->what, reason, sizeof(reason)))
        return complain(EXIT_USAGE, "--element: %s", reason);
    file->fd =
        source_is_stdin(file) ? dup(STDIN_FILENO) : open(file->what.file, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0 || fstat(file->fd, &status) < 0)
        return complain(EXIT_USAGE, "cannot read %s: %s", file->what.file, strerror(errno));
    if (S_ISDIR(status.st_mode))
        return complain(EXIT_USAGE, "cannot read %s: %s", file->what.file, strerror(EISDIR));
    /* Standard input may stand somewhere inside its file. */
    file->length = S_ISREG(status.st_mode) && !source_is_stdin(file) ? (int64_t)status.st_size : -1;
    return EXIT_DONE;
}

static int
sources_add(sources *files, const char *argument)
{
    source *file = &files->items[files->count];
    int status;

    file->fd = -1;
    status = source_open(file, argument);
    files->count++;
    for (size_t i = 0; status == EXIT_DONE && i + 1 < files->count; i++) {
        if (strcmp(files->items[i].what.id, file->what.id) == 0)
            return complain(EXIT_USAGE, "--element: %s is given twice", file->what.id);
        if (source_is_stdin(file) && source_is_stdin(&files->items[i]))
            return complain(EXIT_USAGE, "--element: standard input can be only one of them");
    }
    return status;
}

int
sources_open(sources *files, const option_list *arguments)
{
    int status = EXIT_DONE;

    files->count = 0;
    files->items = calloc(arguments->count + 1, sizeof(source));
    if (files->items == NULL)
        return complain(EXIT_USAGE, "out of memory");
    for (size_t i = 0; status == EXIT_DONE && i < arguments->count; i++)
        status = sources_add(files, arguments->items[i]);
    return status;
}

void
sources_close(sources *files)
{
    for (size_t i = 0; i < files->count; i++) {
        argument_element_fini(&files->items[i].what);
        if (files->items[i].fd >= 0)
            close(files->items[i].fd);
    }
    free(files->items);
    files->items = NULL;
    files->count = 0;
}

/* ------------------------------------------------------------------ the object's side */

/* The name goes into the attributes, where clients look for one when they fetch the element. One
 * that is not UTF-8 stays out. */
static json_t *
source_describe(const source *file)
{
    const char *slash = strrchr(file->what.file, '/');
    json_t *name =
        source_is_stdin(file) ? NULL : json_string(slash != NULL ? slash + 1 : file->what.file);
    json_t *attributes = name != NULL ? json_pack("{s:o}", "filename", name) : NULL;
    json_t *element = json_pack("{s:s, s:s*, s:o*}", "id", file->what.id, "type", file->what.type,
                                "attributes", attributes);

    if (element != NULL && file->length >= 0)
        json_object_set_new(element, "length", json_integer(file->length));
    return element;
}

json_t *
sources_describe(const sources *files)
{
    json_t *list = json_array();
    json_t *element;

    for (size_t i = 0; i < files->count; i++) {
        element = source_describe(&files->items[i]);
        if (element == NULL) {
            complain(EXIT_USAGE, "--element: %s or its type is not UTF-8 text",
                     files->items[i].what.id);
            json_decref(list);
            return NULL;
        }
        json_array_append_new(list, element);
    }
    return list;
}

/* ------------------------------------------------------------------ the bytes */

/* The next piece: of a regular file no more than was announced, should it grow meanwhile. */
static ssize_t
source_read(const source *file, void *buffer, int64_t done)
{
    size_t size = SOURCE_BUFFER;
    ssize_t count;

    if (file->length >= 0 && file->length - done < (int64_t)size)
        size = (size_t)(file->length - done);
    do
        count = read(file->fd, buffer, size);
    while (count < 0 && errno == EINTR);
    return count;
}

/* A failure on our side breaks the request off: nothing says to the service that the element ends
 * here. */
static int
source_failed(const source *file, ssize_t count, int64_t done)
{
    if (count < 0)
        return complain(EXIT_USAGE, "cannot read %s: %s", file->what.file, strerror(errno));
    if (file->length >= 0 && done < file->length)
        return complain(EXIT_USAGE, "%s became shorter while it was sent", file->what.file);
    return EXIT_DONE;
}

static int
source_send(const source *file, doip_writer *writer, int *error)
{
    static char buffer[SOURCE_BUFFER];
    progress bar;
    ssize_t count;

    *error = doip_writer_bytes_begin(writer);
    progress_begin(&bar, file->what.id, file->length, false);
    while (*error == 0) {
        count = source_read(file, buffer, bar.done);
        if (count <= 0) {
            progress_end(&bar);
            return source_failed(file, count, bar.done);
        }
        *error = doip_writer_bytes(writer, buffer, (size_t)count);
        progress_add(&bar, count);
    }
    progress_end(&bar);
    return EXIT_DONE;
}

int
sources_send(const sources *files, session *to, int *error)
{
    doip_writer *writer = doip_client_writer(to->client);
    int status = EXIT_DONE;
    json_t *header;

    for (size_t i = 0; status == EXIT_DONE && *error == 0 && i < files->count; i++) {
        header = json_pack("{s:s}", "id", files->items[i].what.id);
        *error = doip_writer_json(writer, header);
        json_decref(header);
        if (*error == 0)
            status = source_send(&files->items[i], writer, error);
    }
    return status;
}
