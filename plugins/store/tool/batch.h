/*
 * Objects on their way from a dump into a repository, many in one transaction. In the tool's one
 * thread, beside the service.
 */
#ifndef STORE_TOOL_BATCH_H
#define STORE_TOOL_BATCH_H

#include "dump_read.h"
#include "repository_impl.h"
#include "tool.h"

struct batch_bytes {
    struct blob blob;
    char *data;  /* of small ones */
    bool staged; /* neither: the repository has them already */
};

struct batch {
    struct repository *repository;
    struct connection *source; /* to look what is there */
    const struct dump *dump;
    bool merge;
    json_t *objects; /* of the batch at hand */
    json_t *places;  /* in `bytes`, by SHA-256 */
    struct batch_bytes *bytes;
    size_t count;
    struct stage *stage;
    uint64_t size;    /* of the bytes */
    uint64_t small;   /* of those in memory */
    json_int_t added; /* objects, of all batches */
    json_int_t present;
    json_int_t kept; /* that differ from the dump's: each was said */
    json_int_t now_added, now_present, now_kept;
    struct progress progress;
};

int batch_init(struct batch *batch, struct failure *failure);
void batch_fini(struct batch *batch);
/* Takes an object of the dump (dump_object). */
int batch_add(json_t *object, void *closure, struct failure *failure);
/* Commits when that is much (dump_pause). */
int batch_pause(void *closure, struct failure *failure);
/* Commits what there is: on disk when it gives REPOSITORY_OK, else nothing of this batch is. */
int batch_flush(struct batch *batch, struct failure *failure);

#endif
