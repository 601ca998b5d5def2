/*
 * A file in memory, as open_memstream(3) makes it, but for this: glibc's loses bytes without a word
 * when memory is short. Here fclose() fails then. Any thread, as any FILE.
 */
#ifndef STORE_MEMORY_FILE_H
#define STORE_MEMORY_FILE_H

#include <stddef.h>
#include <stdio.h>

/* What was written is in *text, with a NUL after it, when fclose() has returned 0: the caller's.
 * Where that failed, *text is NULL. NULL: memory is short. */
FILE *memory_file(char **text, size_t *size);

#endif
