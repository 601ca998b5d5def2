/*
 * What change.c (bytes come in) and change_commit.c (it becomes true) share. Nobody else includes it.
 */
#ifndef STORE_CHANGE_IMPL_H
#define STORE_CHANGE_IMPL_H

#include "repository_impl.h"

struct staged {
    char *element;
    struct blob blob;
    uint64_t size; /* so far */
    char *data;    /* of a small one; NULL: it is in the stage */
};

/* A create (no terms) or an update, and what stands in the catalog after it. */
struct writing {
    struct repository_change *change;
    const char *id;
    const json_t *object;
    const struct repository_terms *terms; /* NULL: create */
    json_t *stored;
};

struct repository_change {
    struct repository *repository;
    const struct acl_client *client;
    struct stage *stage; /* NULL: no file yet */
    struct staged *staged;
    size_t count;
    size_t small;   /* bytes in memory */
    uint64_t total; /* bytes of all elements so far */
    uint64_t room;  /* so many the quota left when the first file was begun */
    struct writing writing;
    struct repository_later later;
};

/* Sets the text, and returns REPOSITORY_REFUSED. */
int limit_passed(struct failure *failure, const char *what, uint64_t limit, const char *name);

#endif
