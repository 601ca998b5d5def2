/*
 * The memory stream: what is fed is read, what is written is kept. For tests, fuzzers and handler authors; never waits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream_impl.h"

struct bytes {
    char *data;
    size_t size;
    size_t room;
};

struct memory {
    doip_stream base;
    struct bytes in;
    struct bytes out;
    size_t at; /* first byte of `in` not yet read */
    size_t step;
    bool end;
};

static bool
bytes_append(struct bytes *bytes, const void *data, size_t size)
{
    if (size > bytes->room - bytes->size) {
        size_t room = (bytes->size + size) * 2;
        char *grown = realloc(bytes->data, room);
        if (grown == NULL)
            return false;
        bytes->data = grown;
        bytes->room = room;
    }
    if (size > 0)
        memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
    return true;
}

static ssize_t
memory_read(doip_stream *stream, void *data, size_t size)
{
    struct memory *memory = (struct memory *)stream;
    size_t left = memory->in.size - memory->at;

    if (left == 0) {
        stream->wants = DOIP_WANT_READ;
        return memory->end ? 0 : DOIP_E_AGAIN;
    }
    if (size > left)
        size = left;
    if (memory->step != 0 && size > memory->step)
        size = memory->step;
    memcpy(data, memory->in.data + memory->at, size);
    memory->at += size;
    return (ssize_t)size;
}

static ssize_t
memory_write(doip_stream *stream, const void *data, size_t size)
{
    struct memory *memory = (struct memory *)stream;

    if (!bytes_append(&memory->out, data, size))
        return stream_fail(stream, DOIP_E_SYSTEM, "out of memory");
    return (ssize_t)size;
}

static int
memory_finish(doip_stream *stream)
{
    (void)stream;
    return 0;
}

static bool
memory_pending(doip_stream *stream)
{
    struct memory *memory = (struct memory *)stream;

    return memory->at < memory->in.size;
}

static void
memory_free(doip_stream *stream)
{
    struct memory *memory = (struct memory *)stream;

    free(memory->in.data);
    free(memory->out.data);
    free(memory);
}

static const struct doip_stream_ops memory_ops = {
    .read = memory_read,
    .write = memory_write,
    .finish = memory_finish,
    .pending = memory_pending,
    .free = memory_free,
};

doip_stream *
doip_memory_new(void)
{
    struct memory *memory = calloc(1, sizeof *memory);

    if (memory == NULL)
        return NULL;
    stream_init(&memory->base, &memory_ops, -1);
    return &memory->base;
}

void
doip_memory_feed(doip_stream *stream, const void *data, size_t size)
{
    struct memory *memory = (struct memory *)stream;

    if (!bytes_append(&memory->in, data, size))
        stream_fail(stream, DOIP_E_SYSTEM, "out of memory");
}

void
doip_memory_end(doip_stream *stream)
{
    ((struct memory *)stream)->end = true;
}

void
doip_memory_set_step(doip_stream *stream, size_t step)
{
    ((struct memory *)stream)->step = step;
}

const char *
doip_memory_output(const doip_stream *stream, size_t *size)
{
    const struct memory *memory = (const struct memory *)stream;

    *size = memory->out.size;
    return memory->out.data != NULL ? memory->out.data : "";
}
