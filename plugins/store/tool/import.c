/*
 * `doip-store import`: reads a dump (dump.h) into a repository. In the tool's one thread, beside the
 * service. All of the dump but the digests of the elements is checked before anything is written;
 * what is written, is so in transactions of whole objects.
 */
#include <doip/object.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "batch.h"
#include "pieces.h"
#include "tool_sql.h"

/* Before anything is written: its bytes are there. */
static int
object_check(json_t *object, void *closure, struct failure *failure)
{
    const json_t *elements = json_object_get(object, "elements");
    json_t *element;
    struct blob blob;
    size_t i;

    json_array_foreach(elements, i, element)
    {
        int fd;

        if (!dump_bytes(element, &blob))
            continue;
        if ((fd = dump_element(closure, &blob, failure)) < 0)
            return REPOSITORY_FAILED;
        close(fd);
    }
    return REPOSITORY_OK;
}

/* ------------------------------------------------------------------ the repository */

/* What is there must be a repository of this version, or nothing. */
static int
root_check(const struct order *order, struct batch *batch, struct failure *failure)
{
    /* All that there is when an import was killed before it had made the catalog. */
    static const char *const made_first[] = {
        "elements",   "incoming",           "readers.lock",   "queue.lock",     "writer.lock",
        "catalog.db", "catalog.db-journal", "catalog.db-wal", "catalog.db-shm", NULL};
    struct failure reason;
    int place;
    bool fresh = access(order->root, F_OK) != 0 && errno == ENOENT;

    if (fresh)
        return REPOSITORY_OK;
    place = pieces_place(order->root, failure);
    if (place < 0)
        return REPOSITORY_FAILED;
    fresh = pieces_empty(place, NULL) ||
            (pieces_empty(place, made_first) && !source_is_made(order->root));
    close(place);
    if (fresh)
        return REPOSITORY_OK;
    batch->source = source_open(order->root, &reason);
    if (batch->source == NULL)
        return failure_set(failure, "%s", reason.text);
    if (source_number(batch->source, TOOL_SQL_ANY_OBJECT, 0) != 0 && !order->merge)
        return failure_set(failure,
                           "%s: there are objects in it; with --merge those of the dump that are "
                           "not there are added",
                           order->root);
    return connection_status(batch->source, failure);
}

static int
import_open(const struct order *order, struct batch *batch, struct failure *failure)
{
    if (root_check(order, batch, failure) != REPOSITORY_OK ||
        batch_init(batch, failure) != REPOSITORY_OK)
        return REPOSITORY_FAILED;
    batch->repository = repository_open(order->root, failure);
    if (batch->repository == NULL)
        return REPOSITORY_FAILED;
    if (batch->source == NULL)
        batch->source = source_open(order->root, failure);
    return batch->source != NULL ? REPOSITORY_OK : REPOSITORY_FAILED;
}

/* ------------------------------------------------------------------ the command */

static int
import_run(const struct order *order, struct dump *dump, struct batch *batch,
           struct failure *failure)
{
    int status = dump_open(dump, order->place, failure);

    if (status == REPOSITORY_OK)
        status = dump_read(dump, object_check, NULL, dump, failure);
    if (status == REPOSITORY_OK)
        status = import_open(order, batch, failure);
    if (status == REPOSITORY_OK)
        status = dump_read(dump, batch_add, batch_pause, batch, failure);
    if (status == REPOSITORY_OK)
        status = batch_flush(batch, failure);
    progress_clear(&batch->progress);
    return status;
}

int
command_import(const struct order *order)
{
    struct dump dump = {.place = -1, .elements = -1};
    struct batch batch = {.dump = &dump, .merge = order->merge, .progress = {.what = "read"}};
    struct failure failure;
    int status = import_run(order, &dump, &batch, &failure);

    batch_fini(&batch);
    repository_close(&batch.repository);
    connection_free(&batch.source);
    dump_close(&dump);
    if (status == REPOSITORY_OK)
        return say_result(json_pack("{s:I, s:I, s:I}", "added", batch.added, "present",
                                    batch.present, "kept", batch.kept),
                          order->json, batch.kept > 0 ? EXIT_WRONG : EXIT_GOOD);
    complain(EXIT_WRONG, "%s", failure.text);
    if (batch.added > 0)
        complain(EXIT_WRONG,
                 "%lld objects were imported before that; with --merge it goes on there",
                 (long long)batch.added);
    return EXIT_WRONG;
}
