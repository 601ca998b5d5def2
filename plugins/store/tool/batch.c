/*
 * Objects on their way from a dump into a repository (batch.h). In the tool's one thread; the work
 * of a transaction is run by it, too. The order in which things become durable is the store's own
 * (change.c), but a batch shares the syncs.
 */
#include "batch.h"

#include <doip/object.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "source.h"
#include "tool_sql.h"

/* What a transaction takes at most, before the object that passes it. */
enum { OBJECTS_MAX = 256, BYTES_MAX = 1024, BATCH_SIZE = 64 << 20, SMALL_ALL = 16 << 20 };

int
batch_init(struct batch *batch, struct failure *failure)
{
    batch->objects = json_array();
    batch->places = json_object();
    if (batch->objects == NULL || batch->places == NULL)
        return failure_set(failure, "memory is short");
    return REPOSITORY_OK;
}

static void
batch_clear(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        free(batch->bytes[i].data);
    free(batch->bytes);
    batch->bytes = NULL;
    batch->count = 0;
    batch->size = batch->small = 0;
    json_array_clear(batch->objects);
    json_object_clear(batch->places);
}

void
batch_fini(struct batch *batch)
{
    if (batch->objects != NULL)
        batch_clear(batch);
    if (batch->repository != NULL)
        repository_abandon(batch->repository, &batch->stage);
    json_decref(batch->objects);
    json_decref(batch->places);
    batch->objects = batch->places = NULL;
}

/* ------------------------------------------------------------------ bytes */

static int
bytes_wrong(const struct blob *wanted, const struct blob *got, struct failure *failure)
{
    if (memcmp(wanted->sha256, got->sha256, sizeof(got->sha256)) == 0)
        return REPOSITORY_OK;
    return failure_set(failure, "elements/%s: its SHA-256 is %s", wanted->name, got->name);
}

static int
bytes_small(struct batch_bytes *bytes, int fd, struct failure *failure)
{
    struct blob got = {.length = 0};
    size_t length = bytes->blob.length;

    bytes->data = malloc(length + 1);
    if (bytes->data == NULL)
        return failure_set(failure, "memory is short");
    if (pread(fd, bytes->data, length, 0) != (ssize_t)length)
        return failure_set(failure, "elements/%s can't be read", bytes->blob.name);
    EVP_Digest(bytes->data, length, got.sha256, NULL, EVP_sha256(), NULL);
    blob_name(&got);
    return bytes_wrong(&bytes->blob, &got, failure);
}

static int
stage_from(struct batch *batch, const struct blob *blob, int fd, struct failure *failure)
{
    int status = stage_begin(batch->stage, failure);
    ssize_t size = 1;

    while (status == REPOSITORY_OK && size > 0) {
        size_t room;
        char *place = stage_room(batch->stage, &room);

        size = read(fd, place, room);
        if (size > 0) {
            progress_add(&batch->progress, (uint64_t)size);
            status = stage_write(batch->stage, place, (size_t)size, failure);
        }
    }
    if (status == REPOSITORY_OK && size < 0)
        status = failure_set(failure, "elements/%s: %s", blob->name, strerror(errno));
    return status;
}

static int
bytes_staged(struct batch *batch, struct batch_bytes *bytes, int fd, struct failure *failure)
{
    struct blob got;
    int status;

    if (batch->stage == NULL) {
        batch->stage = stage_new(batch->repository->blobs, failure);
        if (batch->stage == NULL)
            return REPOSITORY_FAILED;
        stage_defer(batch->stage);
    }
    status = stage_from(batch, &bytes->blob, fd, failure);
    if (status == REPOSITORY_OK)
        status = stage_end(batch->stage, &got, failure);
    bytes->staged = true;
    return status == REPOSITORY_OK ? bytes_wrong(&bytes->blob, &got, failure) : status;
}

static int
bytes_fetch(struct batch *batch, struct batch_bytes *bytes, struct failure *failure)
{
    int fd, status;

    if (source_blob(batch->source, &bytes->blob, true) != 0)
        return REPOSITORY_OK;
    if (connection_status(batch->source, failure) != REPOSITORY_OK)
        return REPOSITORY_FAILED;
    fd = dump_element(batch->dump, &bytes->blob, failure);
    if (fd < 0)
        return REPOSITORY_FAILED;
    if (bytes->blob.length <= REPOSITORY_SMALL_MAX && batch->small < SMALL_ALL) {
        status = bytes_small(bytes, fd, failure);
        batch->small += bytes->blob.length;
    } else {
        status = bytes_staged(batch, bytes, fd, failure);
    }
    close(fd);
    batch->size += bytes->blob.length;
    return status;
}

static int
bytes_add(struct batch *batch, const struct blob *blob, struct failure *failure)
{
    struct batch_bytes *grown;

    if (json_object_get(batch->places, blob->name) != NULL)
        return REPOSITORY_OK;
    grown = realloc(batch->bytes, (batch->count + 1) * sizeof(*grown));
    if (grown != NULL)
        batch->bytes = grown;
    if (grown == NULL ||
        json_object_set_new(batch->places, blob->name, json_integer((json_int_t)batch->count)) != 0)
        return failure_set(failure, "memory is short");
    grown[batch->count] = (struct batch_bytes){.blob = *blob};
    return bytes_fetch(batch, &grown[batch->count++], failure);
}

int
batch_add(json_t *object, void *closure, struct failure *failure)
{
    struct batch *batch = closure;
    const json_t *elements = json_object_get(object, "elements");
    int status = REPOSITORY_OK;
    json_t *element;
    struct blob blob;
    size_t i;

    json_array_foreach(elements, i, element)
    {
        if (status == REPOSITORY_OK && dump_bytes(element, &blob))
            status = bytes_add(batch, &blob, failure);
    }
    if (status == REPOSITORY_OK && json_array_append(batch->objects, object) != 0)
        status = failure_set(failure, "memory is short");
    return status;
}

int
batch_pause(void *closure, struct failure *failure)
{
    struct batch *batch = closure;

    if (json_array_size(batch->objects) < OBJECTS_MAX && batch->count < BYTES_MAX &&
        batch->size < BATCH_SIZE)
        return REPOSITORY_OK;
    return batch_flush(batch, failure);
}

/* ------------------------------------------------------------------ the transaction */

static void
object_metadata(struct connection *connection, int64_t number, const json_t *object)
{
    const json_t *metadata = json_object_get(json_object_get(object, "attributes"), "metadata");
    sqlite3_stmt *statement = source_query(connection, TOOL_SQL_METADATA, 0);
    static const char *const names[] = {"version", "createdOn", "createdBy", "modifiedOn",
                                        "modifiedBy"};

    for (int i = 0; i < 5; i++) {
        const json_t *value = json_object_get(metadata, names[i]);

        if (json_is_integer(value))
            sqlite3_bind_int64(statement, i + 1, json_integer_value(value));
        else if (json_is_string(value))
            sqlite3_bind_text(statement, i + 1, json_string_value(value), -1, SQLITE_STATIC);
    }
    sqlite3_bind_int64(statement, 6, number);
    connection_step(connection, statement);
    sqlite3_finalize(statement);
}

/* The numbers of the object's bytes, by element id, with a use for each. */
static json_t *
object_blobs(const struct batch *batch, struct connection *connection, const json_t *object)
{
    const json_t *elements = json_object_get(object, "elements");
    json_t *blobs = json_object(), *element;
    struct blob blob;
    size_t i;

    json_array_foreach(elements, i, element)
    {
        const char *id = json_string_value(json_object_get(element, "id"));

        if (dump_bytes(element, &blob)) {
            json_int_t place = json_integer_value(json_object_get(batch->places, blob.name));
            int64_t number = batch->bytes[place].blob.number;

            json_object_set_new_nocheck(blobs, id, json_integer(number));
            catalog_use(connection, number, 1);
        }
    }
    return blobs;
}

/* There is one of that id: it is left alone. */
static int
object_there(struct batch *batch, struct connection *connection, int64_t number,
             const json_t *object, uint64_t line, struct failure *failure)
{
    json_t *there;

    if (!batch->merge)
        return failure_set(
            failure, "%.200s/" DUMP_OBJECTS ": line %llu: there is an object '%.200s' already",
            batch->dump->path, (unsigned long long)line, doip_object_id(object));
    there = catalog_object(connection, number);
    if (json_equal(there, object)) {
        batch->now_present++;
    } else {
        batch->now_kept++;
        complain(EXIT_WRONG, "the object '%s' is another than in the dump, and left as it is",
                 doip_object_id(object));
    }
    json_decref(there);
    return connection_status(connection, failure);
}

static int
object_work(struct batch *batch, struct connection *connection, const json_t *object, uint64_t line,
            struct failure *failure)
{
    const json_t *metadata = json_object_get(json_object_get(object, "attributes"), "metadata");
    const char *id = doip_object_id(object);
    int64_t version, time, number = catalog_find(connection, id, &version);
    json_t *blobs;

    if (connection_status(connection, failure) != REPOSITORY_OK)
        return REPOSITORY_FAILED;
    if (number != 0)
        return object_there(batch, connection, number, object, line, failure);
    blobs = object_blobs(batch, connection, object);
    catalog_add(connection, id, object, blobs,
                json_string_value(json_object_get(metadata, "createdBy")), &time);
    number = catalog_find(connection, id, &version);
    object_metadata(connection, number, object);
    json_decref(blobs);
    batch->now_added++;
    return connection_status(connection, failure);
}

static int
bytes_work(struct batch *batch, struct connection *connection, struct batch_bytes *bytes,
           struct failure *failure)
{
    if (bytes->staged && stage_confirm(batch->stage, &bytes->blob, failure) != REPOSITORY_OK)
        return REPOSITORY_FAILED;
    if (bytes->staged || bytes->data != NULL)
        bytes->blob.number = catalog_blob(connection, &bytes->blob, bytes->data, false);
    else
        bytes->blob.number = source_blob(connection, &bytes->blob, true);
    if (bytes->blob.number == 0 && !connection->failed)
        return failure_set(failure, "element bytes %s were deleted by a client at this moment",
                           bytes->blob.name);
    return connection_status(connection, failure);
}

/* Under the write lock. */
static int
batch_work(struct connection *connection, void *closure, struct failure *failure)
{
    struct batch *batch = closure;
    uint64_t first = batch->dump->lines - json_array_size(batch->objects) + 1;
    int status = REPOSITORY_OK;
    json_t *object;
    size_t i;

    batch->now_added = batch->now_present = batch->now_kept = 0;
    for (i = 0; i < batch->count && status == REPOSITORY_OK; i++)
        status = bytes_work(batch, connection, &batch->bytes[i], failure);
    json_array_foreach(batch->objects, i, object)
    {
        if (status == REPOSITORY_OK)
            status = object_work(batch, connection, object, first + i, failure);
    }
    return status;
}

static int
batch_publish(struct batch *batch, struct failure *failure)
{
    int status = batch->stage == NULL ? REPOSITORY_OK : stage_sync(batch->stage, failure);

    for (size_t i = 0; i < batch->count && status == REPOSITORY_OK; i++) {
        if (batch->bytes[i].staged)
            status = stage_publish(batch->stage, &batch->bytes[i].blob, failure);
    }
    return status == REPOSITORY_OK && batch->stage != NULL ? stage_sync(batch->stage, failure)
                                                           : status;
}

int
batch_flush(struct batch *batch, struct failure *failure)
{
    int status = batch_publish(batch, failure);

    if (status == REPOSITORY_OK)
        status = database_write_alone(batch->repository->database, batch_work, batch, failure);
    if (status != REPOSITORY_OK)
        return status;
    batch->added += batch->now_added;
    batch->present += batch->now_present;
    batch->kept += batch->now_kept;
    if (batch->now_added < (json_int_t)json_array_size(batch->objects))
        repository_abandon(batch->repository, &batch->stage); /* some may be needed by nobody */
    else
        stage_free(&batch->stage);
    batch_clear(batch);
    return REPOSITORY_OK;
}
