/*
 * Memory of the configuration's parts: strings and arrays of a few kilobytes in all. Called by
 * config*.c only, in the master. There is no way on without them: running out of memory ends
 * the reading (what it had by then is lost), or the process, with a message.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_impl.h"
#include "log.h"

static jmp_buf *way_out;

void
config_memory_way_out(jmp_buf *out)
{
    way_out = out;
}

void *
config_must(void *memory)
{
    if (memory == NULL && way_out != NULL)
        longjmp(*way_out, 1);
    if (memory == NULL) {
        log_error(NO_MEMORY, "out of memory while reading the configuration");
        abort();
    }
    return memory;
}

void *
config_alloc(size_t size)
{
    return config_must(calloc(1, size));
}

void *
config_grow(void *items, size_t count, size_t *room, size_t item)
{
    if (count < *room)
        return items;
    *room = *room == 0 ? 16 : *room * 2;
    return config_must(reallocarray(items, *room, item));
}

char *
config_copy(const char *text)
{
    return config_must(strdup(text));
}

char *
config_format(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    return config_must(length < 0 ? NULL : text);
}

void
config_replace(char **slot, char *text)
{
    free(*slot);
    *slot = text;
}

void
config_strings_free(char ***strings)
{
    if (*strings == NULL)
        return;
    for (char **string = *strings; *string != NULL; string++)
        free(*string);
    free(*strings);
    *strings = NULL;
}
