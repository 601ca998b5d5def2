/*
 * `doip-store backup`: a copy of a repository that doipd can serve. In the tool's one thread, beside
 * the service.
 *
 * What is there of an older backup stays whole until the new catalog takes the place of the old one:
 * files are only added before, and only removed after that. Element files never change, so one that
 * is there is not copied again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pieces.h"
#include "tool_sql.h"

#define FRESH "catalog.db.new"
#define MARK "backup.mark" /* says that a directory is a backup, or was to be one */

static char *
path_in(const char *place, const char *name, struct failure *failure)
{
    char *path;

    if (asprintf(&path, "%s/%s", place, name) >= 0)
        return path;
    failure_set(failure, "memory is short");
    return NULL;
}

/* ------------------------------------------------------------------ before */

static bool
has(int place, const char *name)
{
    return faccessat(place, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Only what is empty, or was made by a backup and not been served since. */
static int
place_check(const struct order *order, int place, struct failure *failure)
{
    int fd;

    if (pieces_same(place, order->root))
        return failure_set(failure, "%s: that is the repository itself", order->place);
    if (has(place, "writer.lock"))
        return failure_set(failure,
                           "%s: it has been served since it was made, and is a repository of its "
                           "own; take another directory",
                           order->place);
    if (!has(place, MARK) && !pieces_empty(place, NULL))
        return failure_set(failure, "%s: it is neither empty nor a backup", order->place);
    fd = openat(place, MARK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return failure_set(failure, "%s/" MARK ": %s", order->place, strerror(errno));
    close(fd);
    return REPOSITORY_OK;
}

/* The old catalog must have no log beside it, which would be taken for the new one's. Where there is
 * one, something has it open, or was killed. */
static int
place_settle(const struct order *order, int place, struct failure *failure)
{
    struct connection *old = NULL;
    struct failure reason;
    char *path;

    if (!has(place, "catalog.db-wal"))
        return REPOSITORY_OK;
    path = path_in(order->place, "catalog.db", &reason);
    if (path != NULL)
        old = connection_new("the catalog", path, TOOL_SQL_WAL, &reason);
    free(path);
    if (old == NULL)
        return failure_set(failure, "%s: something else uses it: %s", order->place, reason.text);
    connection_free(&old);
    return REPOSITORY_OK;
}

/* ------------------------------------------------------------------ the catalog */

static struct connection *
catalog_copy(const struct connection *source, const char *place, struct failure *failure)
{
    char *path = path_in(place, FRESH, failure);
    struct connection *copy = NULL;

    if (path != NULL && source_copy(source, path, failure) == REPOSITORY_OK)
        copy = connection_new("the catalog", path, TOOL_SQL_WAL, failure);
    free(path);
    return copy;
}

/* The moment at which the new backup takes the place of the old one. All that it needs is on disk
 * before, and it is after. */
static int
catalog_place(const struct order *order, int place, struct failure *failure)
{
    if (place_settle(order, place, failure) != REPOSITORY_OK)
        return REPOSITORY_FAILED;
    if (syncfs(place) == 0 && renameat(place, FRESH, place, "catalog.db") == 0 && fsync(place) == 0)
        return REPOSITORY_OK;
    return failure_set(failure, "%s/catalog.db: %s", order->place, strerror(errno));
}

/* ------------------------------------------------------------------ after */

static int
place_clean(const struct order *order, int elements, json_int_t *removed, struct failure *failure)
{
    char *path = path_in(order->place, "catalog.db", failure);
    struct connection *catalog =
        path == NULL ? NULL : connection_new("the catalog", path, TOOL_SQL_WAL, failure);
    int status = REPOSITORY_FAILED;

    if (catalog != NULL)
        status = pieces_clean(catalog, elements, false, removed, failure);
    connection_free(&catalog);
    free(path);
    return status;
}

/* ------------------------------------------------------------------ the command */

static int
backup_run(const struct order *order, struct connection *source, int place, struct copying *copying,
           json_int_t *removed, struct failure *failure)
{
    struct connection *copy;
    int status;

    if (place_check(order, place, failure) != REPOSITORY_OK ||
        place_settle(order, place, failure) != REPOSITORY_OK ||
        (copying->to = elements_open(order->place, true, failure)) < 0)
        return REPOSITORY_FAILED;
    copy = pieces_copy(source, order, copying, catalog_copy, failure);
    if (copy == NULL)
        return REPOSITORY_FAILED;
    connection_free(&copy);
    status = catalog_place(order, place, failure);
    return status == REPOSITORY_OK ? place_clean(order, copying->to, removed, failure) : status;
}

int
command_backup(const struct order *order)
{
    struct copying copying = {.to = -1, .link = !order->copy, .progress = {.what = "copied"}};
    json_int_t removed = 0;
    struct failure failure;
    struct connection *source = source_open(order->root, &failure);
    int place = source == NULL ? -1 : pieces_place(order->place, &failure);
    int status = place < 0 ? REPOSITORY_FAILED
                           : backup_run(order, source, place, &copying, &removed, &failure);

    if (copying.to >= 0)
        close(copying.to);
    if (place >= 0)
        close(place);
    connection_free(&source);
    if (status != REPOSITORY_OK)
        return complain(EXIT_WRONG, "%s", failure.text);
    return say_result(json_pack("{s:I, s:I, s:I, s:I}", "files", (json_int_t)copying.files, "bytes",
                                (json_int_t)copying.bytes, "removed", removed, "wrong",
                                (json_int_t)copying.wrong),
                      order->json, copying.wrong > 0 ? EXIT_WRONG : EXIT_GOOD);
}
