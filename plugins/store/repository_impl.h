/*
 * What the parts behind repository.h share: repository.c, change.c with its kin, deletion.c, whole.c, results.c
 * and sweep.c.
 * Beside them, only the tool (tool/) includes it.
 */
#ifndef STORE_REPOSITORY_IMPL_H
#define STORE_REPOSITORY_IMPL_H

#include <stdatomic.h>

#include "blobs.h"
#include "catalog.h"
#include "database.h"
#include "index.h"
#include "janitor.h"
#include "repository.h"

struct repository {
    struct database *database;
    struct index *index;
    struct blobs *blobs;
    struct janitor *janitor;
    struct repository_limits limits;
    struct acl_rules rules;
    atomic_ullong swept;       /* so many bytes of elements, in */
    atomic_ullong swept_count; /* so many pieces, were removed */
};

/* Work that somebody is told of when it has ended. */
struct repository_later {
    struct database_job job;
    struct failure failure;
    repository_done done;
    void *closure;
};

/* Elements up to this size are kept in the catalog. */
#define REPOSITORY_SMALL_MAX ((size_t)16 << 10)

/* How often a reader looks again when bytes were replaced or deleted between its look into the
 * catalog and opening them. */
#define LOOKS_MAX 32

/* Says that bytes that the catalog has are not on disk. */
int repository_missing(const struct blob *blob, int error, struct failure *failure);

/* OK, or REFUSED when a client wanted another version than there is. */
int repository_expect(const char *id, int64_t version, int64_t wanted, struct failure *failure);

/* OK, or DENIED: whether the client may do that with the object, which is given by its default
 * serialization (its elements are not looked at; NULL: there is none, which is OK) or by its row. */
int repository_allow(const struct repository *repository, const struct acl_client *client,
                     enum acl_right right, const json_t *object, struct failure *failure);
int repository_allow_row(const struct repository *repository, const struct acl_client *client,
                         enum acl_right right, struct connection *connection, sqlite3_stmt *row,
                         struct failure *failure);

/* Has the janitor remove the bytes that nothing points to any more. Failures only leave them for the
 * next time. */
void repository_sweep(struct repository *repository);
/* What the janitor does; `closure` is the repository. False: something is left to be done later. */
bool repository_clean(void *closure);
/* To be called when it is opened: takes care of what dead processes left, and sweeps. */
void repository_begin(struct repository *repository);
/* Ends a stage some of whose bytes were published, but not committed: they become garbage. *stage
 * is freed. */
void repository_abandon(struct repository *repository, struct stage **stage);

#endif
