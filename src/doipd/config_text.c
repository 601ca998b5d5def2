/*
 * The flat text's own storage (see config_text.h): bytes, the origin of each line, the names
 * met. Called by config_scan.c and config_source.c, which fill it, and by config_read.c, which
 * asks it for places. Master process, one thread.
 */
#include "config_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_impl.h"

#define FILE_MAX_BYTES ((size_t)1024 * 1024)

void
config_text_add(struct config_text *text, char c)
{
    text->data = config_grow(text->data, text->used, &text->room, 1);
    text->data[text->used++] = c;
}

void
config_text_insert(struct config_text *text, size_t offset, char c)
{
    config_text_add(text, c);
    memmove(text->data + offset + 1, text->data + offset, text->used - 1 - offset);
    text->data[offset] = c;
}

void
config_text_add_line(struct config_text *text, const char *file, int line)
{
    text->lines =
        config_grow(text->lines, text->line_count, &text->line_room, sizeof(*text->lines));
    text->lines[text->line_count++] = (struct config_place){file, line};
}

void
config_text_add_name(struct config_text *text, const char *path)
{
    text->names =
        config_grow(text->names, text->name_count, &text->name_room, sizeof(*text->names));
    text->names[text->name_count++] =
        (struct config_name){config_copy(path), (int)text->line_count};
}

const char *
config_text_add_file(struct config_text *text, const char *file)
{
    text->files =
        config_grow(text->files, text->file_count, &text->file_room, sizeof(*text->files));
    return text->files[text->file_count++] = config_copy(file);
}

const struct config_place *
config_text_place(const struct config_text *text, int line)
{
    static const struct config_place nowhere = {"", 0};

    if (text->line_count == 0)
        return &nowhere;
    if (line < 1)
        line = 1;
    size_t index = (size_t)line - 1;
    return &text->lines[index < text->line_count ? index : text->line_count - 1];
}

/* Reads all of a descriptor: false, with errno, where that fails, or it is more. */
static bool
load_all(int fd, char *data, size_t *size)
{
    ssize_t got;

    *size = 0;
    while ((got = read(fd, data + *size, FILE_MAX_BYTES + 1 - *size)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got > 0)
            *size += (size_t)got;
        if (*size > FILE_MAX_BYTES)
            errno = EFBIG;
        if (got < 0 || *size > FILE_MAX_BYTES)
            return false;
    }
    return true;
}

/* Memory comes first: where it is short, whoever reads is left, and would leave the descriptor, too. */
char *
config_text_load(const char *file, size_t *size)
{
    char *data = config_alloc(FILE_MAX_BYTES + 2); /* a NUL is behind what is read */
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    bool good = fd >= 0 && load_all(fd, data, size);
    int error = errno;

    if (fd >= 0)
        close(fd);
    if (!good) {
        free(data);
        data = NULL;
    }
    errno = error;
    return data;
}

void
config_text_fini(struct config_text *text)
{
    for (size_t i = 0; i < text->name_count; i++)
        free(text->names[i].path);
    for (size_t i = 0; i < text->file_count; i++)
        free(text->files[i]);
    free(text->names);
    free(text->files);
    free(text->lines);
    free(text->data);
    *text = (struct config_text){0};
}
