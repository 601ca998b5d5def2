/*
 * Files in memory: see memory_file.h.
 */
#include "memory_file.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_FIRST = 1024 };

struct memory {
    char **text;
    size_t *size; /* told at the end */
    size_t length;
    size_t room;
    bool failed;
};

/* One byte more than that, for the NUL. */
static bool
make_room(struct memory *memory, size_t size)
{
    size_t room = memory->room == 0 ? ROOM_FIRST : memory->room;
    char *grown;

    while (room <= size)
        room *= 2;
    if (room == memory->room)
        return true;
    grown = realloc(*memory->text, room);
    if (grown == NULL)
        return false;
    *memory->text = grown;
    memory->room = room;
    return true;
}

static ssize_t
memory_write(void *cookie, const char *data, size_t size)
{
    struct memory *memory = cookie;

    memory->failed = memory->failed || !make_room(memory, memory->length + size);
    if (memory->failed)
        return 0;
    memcpy(*memory->text + memory->length, data, size);
    memory->length += size;
    return (ssize_t)size;
}

static int
memory_close(void *cookie)
{
    struct memory *memory = cookie;
    bool good = !memory->failed && make_room(memory, memory->length);

    if (good) {
        (*memory->text)[memory->length] = '\0';
        *memory->size = memory->length;
    } else {
        free(*memory->text);
        *memory->text = NULL;
    }
    free(memory);
    return good ? 0 : -1;
}

FILE *
memory_file(char **text, size_t *size)
{
    struct memory *memory = malloc(sizeof(*memory));
    FILE *file;

    *text = NULL;
    if (memory == NULL)
        return NULL;
    *memory = (struct memory){.text = text, .size = size};
    file = fopencookie(memory, "w",
                       (cookie_io_functions_t){.write = memory_write, .close = memory_close});
    if (file == NULL)
        free(memory);
    return file;
}
