/*
 * A dump (dump.h), read line by line and checked. In the tool's one thread.
 */
#ifndef STORE_TOOL_DUMP_READ_H
#define STORE_TOOL_DUMP_READ_H

#include "blobs.h"
#include "dump.h"

struct dump {
    const char *path;
    int place;
    int elements;
    json_t *manifest;
    uint64_t lines; /* that were read */
};

int dump_open(struct dump *dump, const char *path, struct failure *failure);
void dump_close(struct dump *dump);

/* Takes an object that is well-formed; REPOSITORY_OK to go on. */
typedef int (*dump_object)(json_t *object, void *closure, struct failure *failure);
/* Called after each, for what has nothing to do with that line; may be NULL. */
typedef int (*dump_pause)(void *closure, struct failure *failure);
/* All of them. The file must be the one that the manifest tells of: known only at the end. Failures
 * of `each` get file and line before them. */
int dump_read(struct dump *dump, dump_object each, dump_pause pause, void *closure,
              struct failure *failure);

/* What bytes an element of such an object has; false: none. */
bool dump_bytes(const json_t *element, struct blob *blob);
/* Them; -1: failed. They are as long as they should be, but may be others. */
int dump_element(const struct dump *dump, const struct blob *blob, struct failure *failure);

#endif
