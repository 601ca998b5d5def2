/*
 * `doip-store gc`: removes now what the service removes when it gets to it, and files that nobody
 * knows. In the tool's one thread, beside the service: what removes anything is the store's own
  * sweep (sweep.c), under its locks. A file that the catalog has no row for is removed under the write
 * lock; if it was coming in at this moment, its change puts it back under the same lock
 * (stage_confirm).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elements.h"
#include "repository_impl.h"
#include "source.h"
#include "tool_sql.h"

/* So many files are removed in one transaction: writers wait for no more. */
enum { BATCH = 16 };

struct gc {
    struct repository *repository;
    struct connection *source;
    struct blob list[BATCH];
    size_t count;
    int held[BATCH];
    json_int_t orphans;
    json_int_t orphan_bytes;
};

static bool
gc_is_known(struct connection *connection, const struct blob *blob)
{
    return source_blob(connection, blob, false) != 0 || connection->failed;
}

/* Under the write lock, and alone. */
static int
gc_work(struct connection *connection, void *closure, struct failure *failure)
{
    struct gc *gc = closure;

    for (size_t i = 0; i < gc->count; i++) {
        if (gc_is_known(connection, &gc->list[i]))
            continue;
        if (!blobs_remove(gc->repository->blobs, &gc->list[i], true, &gc->held[i]))
            return failure_set(failure, "elements/%.2s/%s can't be removed: %s", gc->list[i].name,
                               gc->list[i].name, strerror(errno));
        gc->orphans++;
        gc->orphan_bytes += (json_int_t)gc->list[i].length;
    }
    return connection_status(connection, failure);
}

static int
gc_flush(struct gc *gc, struct failure *failure)
{
    int status;

    if (gc->count == 0)
        return REPOSITORY_OK;
    for (size_t i = 0; i < gc->count; i++)
        gc->held[i] = -1;
    status = database_write_alone(gc->repository->database, gc_work, gc, failure);
    for (size_t i = 0; i < gc->count; i++) {
        if (gc->held[i] >= 0)
            close(gc->held[i]); /* which gives the blocks back, outside the lock */
    }
    gc->count = 0;
    return status;
}

static int
gc_file(int elements, const char *path, const struct blob *blob, void *closure,
        struct failure *failure)
{
    struct gc *gc = closure;
    struct stat status;

    if (blob == NULL || fstatat(elements, path, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return REPOSITORY_OK;
    if (gc_is_known(gc->source, blob))
        return connection_status(gc->source, failure);
    gc->list[gc->count] = *blob;
    gc->list[gc->count++].length = (uint64_t)status.st_size;
    return gc->count == BATCH ? gc_flush(gc, failure) : REPOSITORY_OK;
}

static int
gc_orphans(struct gc *gc, const char *root, struct failure *failure)
{
    int elements = elements_open(root, false, failure), status;

    if (elements < 0)
        return REPOSITORY_FAILED;
    status = elements_walk(elements, false, gc_file, gc, failure);
    close(elements);
    return status == REPOSITORY_OK ? gc_flush(gc, failure) : status;
}

/* Opening the repository takes care of what dead processes left in incoming/. */
static int
gc_run(struct gc *gc, const char *root, struct failure *failure)
{
    int status;

    gc->source = source_open(root, failure);
    if (gc->source == NULL || (gc->repository = repository_open(root, failure)) == NULL)
        return REPOSITORY_FAILED;
    status = gc_orphans(gc, root, failure);
    if (status == REPOSITORY_OK) {
        repository_sweep(gc->repository);
        janitor_settle(gc->repository->janitor); /* the index is the service's affair */
    }
    return status;
}

int
command_gc(const struct order *order)
{
    struct gc gc = {.count = 0};
    struct failure failure;
    json_t *result = NULL;
    json_int_t left = 0;

    if (gc_run(&gc, order->root, &failure) == REPOSITORY_OK) {
        if (atomic_load(blobs_untidy(gc.repository->blobs)))
            left = source_number(gc.source, TOOL_SQL_GARBAGE, 0);
        result = json_pack("{s:I, s:I, s:I, s:I, s:I}", "removed",
                           (json_int_t)atomic_load(&gc.repository->swept_count), "removedBytes",
                           (json_int_t)atomic_load(&gc.repository->swept), "orphans", gc.orphans,
                           "orphanBytes", gc.orphan_bytes, "left", left);
    }
    repository_close(&gc.repository);
    connection_free(&gc.source);
    if (result == NULL)
        return complain(EXIT_WRONG, "%s", failure.text);
    if (left > 0)
        complain(EXIT_WRONG, "some is left: a client reads an object of many elements, or a backup "
                             "runs; the service removes it when they are done");
    return say_result(result, order->json, left > 0 ? EXIT_WRONG : EXIT_GOOD);
}
