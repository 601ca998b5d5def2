/*
 * `doip-store export`: a repository in portable form (dump.h), one state of all of it. In the tool's
 * one thread, beside the service. Objects come from a private copy of the catalog.
 */
#include <doip/json.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "catalog.h"
#include "dump.h"
#include "pieces.h"
#include "tool_sql.h"

struct dumping {
    const struct order *order;
    struct connection *source;
    int place;
    struct copying copying;
    FILE *file; /* objects.jsonl */
    EVP_MD_CTX *digest;
    struct blob written; /* its SHA-256, at the end */
    json_int_t objects;
    json_int_t elements;
    json_int_t pieces;
    json_int_t bytes;
};

static int
export_fail(const struct dumping *dumping, const char *name, struct failure *failure)
{
    return failure_set(failure, "%s/%s: %s", dumping->order->place, name, strerror(errno));
}

static FILE *
export_open(const struct dumping *dumping, const char *name)
{
    int fd = openat(dumping->place, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

    if (file == NULL && fd >= 0)
        close(fd);
    return file;
}

/* ------------------------------------------------------------------ bytes */

/* The copy lies on the disk of the dump, where there is room. */
static struct connection *
export_snapshot(const struct connection *source, const char *place, struct failure *failure)
{
    return source_snapshot(source, place, failure);
}

static int
export_piece(struct dumping *dumping, const struct blob *blob, const void *data, size_t size,
             struct failure *failure)
{
    int fd =
        openat(dumping->copying.to, blob->name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    unsigned char sha256[32];
    bool good;

    if (file == NULL)
        return export_fail(dumping, "elements", failure);
    good = size == 0 || fwrite(data, 1, size, file) == size; /* none: no data, either */
    good = fclose(file) == 0 && good;
    if (!good)
        return export_fail(dumping, "elements", failure);
    EVP_Digest(data, size, sha256, NULL, EVP_sha256(), NULL);
    if (memcmp(sha256, blob->sha256, sizeof(sha256)) != 0) {
        dumping->copying.wrong++;
        complain(EXIT_WRONG, "element bytes %s: damaged in the repository, and copied as they are",
                 blob->name);
    }
    return REPOSITORY_OK;
}

/* What the catalog has of them. */
static int
export_small(struct dumping *dumping, struct connection *snapshot, struct failure *failure)
{
    sqlite3_stmt *statement = source_query(snapshot, TOOL_SQL_SMALL, 0);
    int status = REPOSITORY_OK;
    struct blob blob;

    while (status == REPOSITORY_OK && connection_step(snapshot, statement) == 1) {
        catalog_sha256(statement, 0, &blob);
        status = export_piece(dumping, &blob, sqlite3_column_blob(statement, 1),
                              (size_t)sqlite3_column_bytes(statement, 1), failure);
    }
    sqlite3_finalize(statement);
    return status == REPOSITORY_OK ? connection_status(snapshot, failure) : status;
}

/* ------------------------------------------------------------------ objects */

static void
export_count(struct dumping *dumping, const json_t *object)
{
    const json_t *elements = json_object_get(object, "elements");
    json_t *element;
    size_t i;

    dumping->objects++;
    json_array_foreach(elements, i, element) dumping->elements +=
        json_object_get(element, "length") != NULL;
}

static int
export_object(struct dumping *dumping, struct connection *snapshot, int64_t number,
              struct failure *failure)
{
    json_t *object = catalog_object(snapshot, number);
    size_t length = 0;
    char *text = object == NULL ? NULL : doip_json_text(object, &length);
    bool good = text != NULL;

    if (good) {
        text[length++] = '\n'; /* in place of its end */
        EVP_DigestUpdate(dumping->digest, text, length);
        good = fwrite(text, 1, length, dumping->file) == length;
        export_count(dumping, object);
    }
    free(text);
    json_decref(object);
    if (connection_status(snapshot, failure) != REPOSITORY_OK)
        return REPOSITORY_FAILED;
    return good ? REPOSITORY_OK : export_fail(dumping, DUMP_OBJECTS, failure);
}

static int
export_objects(struct dumping *dumping, struct connection *snapshot, struct failure *failure)
{
    sqlite3_stmt *statement = source_query(snapshot, TOOL_SQL_OBJECTS, 0);
    int status = REPOSITORY_OK;

    while (status == REPOSITORY_OK && connection_step(snapshot, statement) == 1)
        status = export_object(dumping, snapshot, sqlite3_column_int64(statement, 0), failure);
    sqlite3_finalize(statement);
    return status == REPOSITORY_OK ? connection_status(snapshot, failure) : status;
}

static int
export_lines(struct dumping *dumping, struct connection *snapshot, struct failure *failure)
{
    int status = REPOSITORY_FAILED, closed;

    dumping->digest = EVP_MD_CTX_new();
    dumping->file = export_open(dumping, DUMP_OBJECTS);
    if (dumping->file == NULL)
        export_fail(dumping, DUMP_OBJECTS, failure);
    else if (dumping->digest == NULL || EVP_DigestInit_ex(dumping->digest, EVP_sha256(), NULL) != 1)
        failure_set(failure, "memory is short");
    else
        status = export_objects(dumping, snapshot, failure);
    closed = dumping->file == NULL ? 0 : fclose(dumping->file);
    if (status == REPOSITORY_OK && closed != 0)
        status = export_fail(dumping, DUMP_OBJECTS, failure);
    if (status == REPOSITORY_OK)
        EVP_DigestFinal_ex(dumping->digest, dumping->written.sha256, NULL);
    EVP_MD_CTX_free(dumping->digest);
    blob_name(&dumping->written);
    return status;
}

/* ------------------------------------------------------------------ the end */

/* On disk is first what the manifest tells of, then the manifest. */
static int
export_manifest(const struct dumping *dumping, struct failure *failure)
{
    json_t *manifest =
        json_pack("{s:s, s:i, s:s, s:I, s:I, s:I, s:I, s:s}", "format", DUMP_FORMAT, "version",
                  DUMP_VERSION, "tool", "doip-store " DOIP_VERSION, "objects", dumping->objects,
                  "elements", dumping->elements, "pieces", dumping->pieces, "bytes", dumping->bytes,
                  "sha256", dumping->written.name);
    char *text = doip_json_text(manifest, NULL);
    FILE *file = NULL;
    bool good = text != NULL && syncfs(dumping->place) == 0 &&
                (file = export_open(dumping, DUMP_MANIFEST ".new")) != NULL;

    if (good)
        good = fprintf(file, "%s\n", text) > 0 && fflush(file) == 0 && fsync(fileno(file)) == 0;
    if (file != NULL)
        good = fclose(file) == 0 && good;
    good = good &&
           renameat(dumping->place, DUMP_MANIFEST ".new", dumping->place, DUMP_MANIFEST) == 0 &&
           fsync(dumping->place) == 0;
    free(text);
    json_decref(manifest);
    return good ? REPOSITORY_OK : export_fail(dumping, DUMP_MANIFEST, failure);
}

static int
export_run(struct dumping *dumping, struct failure *failure)
{
    const struct order *order = dumping->order;
    struct connection *snapshot;
    json_int_t removed = 0;
    int status = REPOSITORY_FAILED;

    if (!pieces_empty(dumping->place, NULL))
        return failure_set(failure, "%s: it is not empty", order->place);
    dumping->copying.to = elements_open(order->place, true, failure);
    if (dumping->copying.to < 0)
        return REPOSITORY_FAILED;
    snapshot = pieces_copy(dumping->source, order, &dumping->copying, export_snapshot, failure);
    if (snapshot != NULL) {
        dumping->pieces = source_number(snapshot, TOOL_SQL_PIECES, 0);
        dumping->bytes = source_number(snapshot, TOOL_SQL_BYTES, 0);
        status = pieces_clean(snapshot, dumping->copying.to, true, &removed, failure);
    }
    if (status == REPOSITORY_OK)
        status = export_small(dumping, snapshot, failure);
    if (status == REPOSITORY_OK)
        status = export_lines(dumping, snapshot, failure);
    connection_free(&snapshot);
    return status == REPOSITORY_OK ? export_manifest(dumping, failure) : status;
}

int
command_export(const struct order *order)
{
    struct dumping dumping = {.order = order,
                              .copying = {.to = -1, .flat = true, .progress = {.what = "copied"}}};
    struct failure failure;
    int status = REPOSITORY_FAILED;

    dumping.source = source_open(order->root, &failure);
    dumping.place = dumping.source == NULL ? -1 : pieces_place(order->place, &failure);
    if (dumping.place >= 0)
        status = export_run(&dumping, &failure);
    if (dumping.copying.to >= 0)
        close(dumping.copying.to);
    if (dumping.place >= 0)
        close(dumping.place);
    connection_free(&dumping.source);
    if (status != REPOSITORY_OK)
        return complain(EXIT_WRONG, "%s", failure.text);
    return say_result(json_pack("{s:I, s:I, s:I, s:I, s:I}", "objects", dumping.objects, "elements",
                                dumping.elements, "pieces", dumping.pieces, "bytes", dumping.bytes,
                                "wrong", (json_int_t)dumping.copying.wrong),
                      order->json, dumping.copying.wrong > 0 ? EXIT_WRONG : EXIT_GOOD);
}
