/*
 * Small secrets kept on disk by the master: in a directory of its own (0700) below another that workers may own, so every step
 * distrusts what it finds there.
 */
#ifndef DOIPD_PRIVATE_FILES_H
#define DOIPD_PRIVATE_FILES_H

#include <stdbool.h>
#include <stddef.h>

/* Reads base/directory/name whole (at most 1 MiB): 1 with *text (the caller frees it) and *length, 0 when it does not exist, -1 with
 * the reason. A directory or file of another owner, or open to others, is refused. */
int private_file_read(const char *base, const char *directory, const char *name, char **text, size_t *length,
                      char *reason, size_t size);

/* Writes it, mode 0600: a new file beside it, synced, renamed over it, the directory synced. Makes the directory where it is missing. */
bool private_file_write(const char *base, const char *directory, const char *name, const char *text, size_t length,
                        char *reason, size_t size);

#endif
