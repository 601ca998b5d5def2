/*
 * Element bytes as files, as `doip-store` reads and copies them: ROOT/elements, its copy in a
 * backup, and the elements/ of a dump, which has no directories in it.
 */
#ifndef STORE_TOOL_ELEMENTS_H
#define STORE_TOOL_ELEMENTS_H

#include "blobs.h"
#include "tool.h"

/* The directory `elements` below `root`, made where `make` says; -1: failed. */
int elements_open(const char *root, bool make, struct failure *failure);

/* Takes a file below elements/: where it is, and what bytes it is (NULL: it is none of the store's).
 * REPOSITORY_OK to go on. */
typedef int (*elements_found)(int elements, const char *path, const struct blob *blob,
                              void *closure, struct failure *failure);
int elements_walk(int elements, bool flat, elements_found found, void *closure,
                  struct failure *failure);

/* Reads the bytes behind a descriptor from the disk, to their end: how many, and their SHA-256.
 * `out`: where they are written to as well, -1 for nowhere. False with errno. */
bool elements_read(int in, int out, struct blob *read, struct progress *progress);

/* What is to be copied, and what came of it. */
struct copying {
    int from;       /* an elements/ with directories */
    int to;         /* another one, or a flat one */
    bool flat;      /* `to` is */
    bool link;      /* hard links, where that is possible */
    bool last;      /* what is not there is missing: else it comes later, or not at all */
    uint64_t files; /* that were made */
    uint64_t bytes; /* in them */
    uint64_t wrong; /* missing or damaged ones: each was said */
    struct progress progress;
};

/* Sees to it that those bytes are in `to`. */
int elements_copy(struct copying *copying, const struct blob *blob, struct failure *failure);

#endif
