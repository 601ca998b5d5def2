/*
 * The calls for memory that the fault layer (layer.h) stands in for. The C library's own calls of
 * them (strdup, open_memstream, fopen) come here, too, and those of all libraries.
 */
#include "layer.h"

#include <stdlib.h>
#include <sys/mman.h>

void *
malloc(size_t size)
{
    return layer_fails(CALL_MEMORY) ? NULL : REAL(malloc)(size);
}

void *
calloc(size_t count, size_t size)
{
    return layer_fails(CALL_MEMORY) ? NULL : REAL(calloc)(count, size);
}

void *
realloc(void *memory, size_t size)
{
    return layer_fails(CALL_MEMORY) ? NULL : REAL(realloc)(memory, size);
}

void *
mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    return layer_fails(CALL_MAP) ? MAP_FAILED
                                 : REAL(mmap)(address, size, protection, flags, fd, offset);
}

void *
mmap64(void *address, size_t size, int protection, int flags, int fd, off64_t offset)
{
    return mmap(address, size, protection, flags, fd, offset);
}
