/*
 * Element bytes as files. Only repository.c and its kin (whole.c, results.c, sweep.c) and the
 * tool (tool/) call it; it knows nothing of the catalog. Thread-safe; a stage belongs to one thread
 * at a time. Names of files are made of random or SHA-256 digits, never of ids.
 *
 *   ROOT/elements/ab/SHA256      Bytes that the catalog points to, stored once per content.
 *   ROOT/incoming/RANDOM/        A stage: the directory of one change under way, locked with
 *                                flock() while its process lives.
 *   ROOT/incoming/RANDOM/data    The bytes that come in now.
 *   ROOT/incoming/RANDOM/SHA256  Bytes that are here whole. stage_publish() links them into
 *                                elements/; they stay here, too, until the change is committed,
 *                                so that after a crash it is known what may point nowhere.
 */
#ifndef STORE_BLOBS_H
#define STORE_BLOBS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "repository.h"

struct blob {
    unsigned char sha256[32];
    char name[65]; /* the same in hexadecimal digits */
    uint64_t length;
    int64_t number; /* in the catalog, where it comes from there */
    ino_t inode;    /* the file that stage_publish() saw in elements/ */
};

/* Sets name from sha256. */
void blob_name(struct blob *blob);
/* The reverse: false for what is no such name. */
bool blob_parse(struct blob *blob, const char *name);

struct blobs;

/* The name of a network file system, by its number in statfs(2); NULL: it is none that is known. */
const char *blobs_network(long type);

/* The files under `root`, made where needed. NULL: failed. */
struct blobs *blobs_open(const char *root, struct failure *failure);
void blobs_close(struct blobs **blobs);

/* Set when something that is not needed could not be removed: to be tried again. */
atomic_bool *blobs_untidy(struct blobs *blobs);

/* A descriptor of the bytes; -1 with errno (ENOENT: removed since). */
int blobs_bytes(const struct blobs *blobs, const struct blob *blob);
/* Removes the bytes from elements/, durably (`perhaps`: where they are there at all). The disk's
 * blocks are given back when *held is closed, if that is not -1: which takes its time for a large
 * file, and need not happen under a lock. False with errno. */
bool blobs_remove(const struct blobs *blobs, const struct blob *blob, bool perhaps, int *held);
/* A file without a name, for the caller's own use; -1: failed. */
int blobs_scratch(const struct blobs *blobs, struct failure *failure);
/* The lock that a reader of many elements holds shared, and the sweep alone: a new descriptor,
 * locked; -1 with errno. */
int blobs_readers(const struct blobs *blobs, int operation);

struct stage;

struct stage *stage_new(struct blobs *blobs, struct failure *failure);
/* Removes all that was staged and not published; what can't be removed is left (blobs_untidy). */
void stage_free(struct stage **stage);
/* Leaves the stage where it is, to be adopted later, by any process. */
void stage_leave(struct stage **stage);

int stage_begin(struct stage *stage, struct failure *failure);
/* Where the next bytes may be put, *room of them at the most: what is there when stage_write() is
 * called with it is not copied. */
char *stage_room(struct stage *stage, size_t *room);
int stage_write(struct stage *stage, const void *data, size_t size, struct failure *failure);
/* The bytes are whole and on disk; *blob says which. */
int stage_end(struct stage *stage, struct blob *blob, struct failure *failure);
/* Puts what was staged among the elements, durably. Not under the catalog's lock. */
int stage_publish(struct stage *stage, struct blob *blob, struct failure *failure);
/* To be called before the first of them. */
int stage_seal(struct stage *stage, struct failure *failure);
/* Under the catalog's write lock: sees to it that what was published is (still, or again) there. */
int stage_confirm(struct stage *stage, const struct blob *blob, struct failure *failure);

/* Of a stage for very many elements: nothing is synced one by one, but all at once by stage_sync(),
 * which is to be called before the first stage_publish(), and after the last. */
void stage_defer(struct stage *stage);
int stage_sync(struct stage *stage, struct failure *failure);

/* A stage that a dead process left, for its heir to look at and free; NULL: there is none (any
 * more). `blobs` keeps the place in the directory in *place, NULL at first; freed at the end. */
struct stage *stage_adopt(struct blobs *blobs, void **place);
/* The bytes that are whole in it; *list is the caller's. */
int stage_list(struct stage *stage, struct blob **list, size_t *count, struct failure *failure);

#endif
