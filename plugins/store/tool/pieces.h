/*
 * All element files of a repository, as they belong to one state of its catalog, while the service
 * changes both. What backup.c and export.c have in common.
 */
#ifndef STORE_TOOL_PIECES_H
#define STORE_TOOL_PIECES_H

#include "elements.h"
#include "source.h"

/*
 * Copies them as `copying` says, and calls `snapshot` in the middle for a private copy of the
 * catalog. First comes what can be had without any lock, however long it takes; then, with the
 * sweep locked out, the copy of the catalog and the few files that it has and the first round did
 * not. The private copy, for the caller to free; NULL: failed.
 */
typedef struct connection *(*pieces_snapshot)(const struct connection *source, const char *place,
                                              struct failure *failure);
struct connection *pieces_copy(struct connection *source, const struct order *order,
                               struct copying *copying, pieces_snapshot snapshot,
                               struct failure *failure);

/* Removes from a copied `elements` what nothing in `catalog` points to. */
int pieces_clean(struct connection *catalog, int elements, bool flat, json_int_t *removed,
                 struct failure *failure);

/* Opens (and where there is none, makes) the directory that a command writes to, and sees to it that
 * no other does: -1 failed, else to be closed at the end. */
int pieces_place(const char *place, struct failure *failure);
/* Whether it is empty, but for these names (ended by NULL; NULL: none); whether it is the one that `path` names. */
bool pieces_empty(int place, const char *const *besides);
bool pieces_same(int place, const char *path);

#endif
