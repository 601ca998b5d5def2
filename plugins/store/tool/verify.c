/*
 * `doip-store verify`: re-reads everything. In the tool's one thread, beside the service.
 *
 * Rows are looked at in a private copy of the catalog, made in one short read transaction: so
 * they are of one moment, however long it takes. Bytes are read where they lie. What is wrong with
 * them counts only when the service's catalog still says, after that, that they are needed: else
 * they were deleted meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blobs_impl.h"
#include "catalog.h"
#include "elements.h"
#include "findings.h"
#include "source.h"
#include "tool_sql.h"

struct verify {
    const struct order *order;
    struct connection *source;   /* the service's catalog */
    struct connection *snapshot; /* as it was */
    int elements;                /* -1: there are no files */
    struct findings findings;
    struct progress progress;
    uint64_t blobs;
    uint64_t bytes;
    uint64_t garbage;
    uint64_t orphans;
    uint64_t strays;
};

/* ------------------------------------------------------------------ bytes */

/* Whether a row of a statement with that number is there now, in the service's catalog. */
static bool
is_still_needed(struct verify *verify, int64_t number)
{
    sqlite3_stmt *statement = source_query(verify->source, TOOL_SQL_STILL, 1, number);
    bool still = connection_step(verify->source, statement) == 1;

    sqlite3_finalize(statement);
    return still;
}

/* Says it for each element that points to those bytes. */
static void
bytes_wrong(struct verify *verify, const struct blob *blob, struct finding *finding)
{
    sqlite3_stmt *statement = source_query(verify->snapshot, TOOL_SQL_POINTING, 1, blob->number);
    uint64_t said = verify->findings.said;

    verify->findings.wrong++;
    while (connection_step(verify->snapshot, statement) == 1) {
        finding->object = (const char *)sqlite3_column_text(statement, 0);
        finding->element = (const char *)sqlite3_column_text(statement, 1);
        findings_say(&verify->findings, finding);
    }
    sqlite3_finalize(statement);
    finding->object = finding->element = NULL;
    if (verify->findings.said == said)
        findings_say(&verify->findings, finding);
}

/* NULL: they are as they should be; else what they are, with the reason. */
static const char *
bytes_compare(const struct blob *wanted, const struct blob *got, bool digest, char reason[160])
{
    if (got->length != wanted->length)
        snprintf(reason, 160, "%llu bytes are there, not %llu", (unsigned long long)got->length,
                 (unsigned long long)wanted->length);
    else if (digest && memcmp(got->sha256, wanted->sha256, sizeof(got->sha256)) != 0)
        snprintf(reason, 160, "the SHA-256 of what is there is %s", got->name);
    else
        return NULL;
    return "damaged";
}

static const char *
file_look(struct verify *verify, const struct blob *blob, const char *path, char reason[160])
{
    int fd = verify->elements < 0
                 ? -1
                 : openat(verify->elements, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    const char *what = NULL;
    struct blob got = {.length = 0};
    struct stat status;

    if (verify->elements < 0)
        errno = ENOENT;
    if (fd < 0 && errno == ENOENT)
        what = "missing";
    else if (fd < 0 || fstat(fd, &status) != 0 ||
             (!verify->order->quick && !elements_read(fd, -1, &got, &verify->progress)))
        what = "unreadable";
    if (what != NULL)
        snprintf(reason, 160, "%s", strerror(errno));
    else if (verify->order->quick)
        got.length = (uint64_t)status.st_size;
    if (fd >= 0)
        close(fd);
    return what != NULL ? what : bytes_compare(blob, &got, !verify->order->quick, reason);
}

/* What is needed still after a first look is looked at once more: it may have been removed and
 * stored again between the two. */
static void
file_verify(struct verify *verify, const struct blob *blob)
{
    char path[BLOB_PATH], where[BLOB_PATH + 16], reason[160];
    struct finding finding = {.where = where, .reason = reason};

    blob_path(blob, path);
    snprintf(where, sizeof(where), "elements/%s", path);
    if (file_look(verify, blob, path, reason) == NULL || !is_still_needed(verify, blob->number))
        return;
    finding.what = file_look(verify, blob, path, reason);
    if (finding.what != NULL && is_still_needed(verify, blob->number))
        bytes_wrong(verify, blob, &finding);
}

static void
small_verify(struct verify *verify, const struct blob *blob, const void *data, size_t size)
{
    struct blob got = {.length = size};
    char reason[160];
    struct finding finding = {.where = "catalog.db", .reason = reason};

    EVP_Digest(data, size, got.sha256, NULL, EVP_sha256(), NULL);
    blob_name(&got);
    progress_add(&verify->progress, size);
    finding.what = bytes_compare(blob, &got, true, reason);
    if (finding.what != NULL && is_still_needed(verify, blob->number))
        bytes_wrong(verify, blob, &finding);
}

static void
verify_bytes(struct verify *verify)
{
    sqlite3_stmt *statement = source_query(verify->snapshot, TOOL_SQL_BLOBS, 0);
    struct blob blob;

    while (!verify->source->failed && connection_step(verify->snapshot, statement) == 1) {
        catalog_sha256(statement, 1, &blob);
        blob.number = sqlite3_column_int64(statement, 0);
        blob.length = (uint64_t)sqlite3_column_int64(statement, 2);
        if (sqlite3_column_int64(statement, 3) == 0) {
            verify->garbage++;
            continue;
        }
        verify->blobs++;
        verify->bytes += blob.length;
        if (sqlite3_column_type(statement, 4) == SQLITE_NULL)
            file_verify(verify, &blob);
        else
            small_verify(verify, &blob, sqlite3_column_blob(statement, 4),
                         (size_t)sqlite3_column_bytes(statement, 4));
    }
    sqlite3_finalize(statement);
}

/* ------------------------------------------------------------------ files */

/* Files that nobody knows do no harm, and may be on their way in: they are told, not counted. */
static int
file_known(int elements, const char *path, const struct blob *blob, void *closure,
           struct failure *failure)
{
    struct verify *verify = closure;
    char where[300];
    struct finding finding = {.where = where, .reason = "nothing like it belongs there"};

    (void)elements;
    if (blob != NULL && (source_blob(verify->snapshot, blob, false) != 0 ||
                         source_blob(verify->source, blob, false) != 0))
        return REPOSITORY_OK;
    snprintf(where, sizeof(where), "elements/%s", path);
    finding.what = blob != NULL ? "orphan" : "stray";
    if (blob != NULL) {
        finding.reason = "the catalog does not know it (it comes in now, or `gc` removes it)";
        verify->orphans++;
    } else {
        verify->strays++;
    }
    findings_say(&verify->findings, &finding);
    return connection_status(verify->source, failure);
}

/* ------------------------------------------------------------------ rows */

static void
rows_wrong(struct verify *verify, const char *text)
{
    sqlite3_stmt *statement = source_query(verify->snapshot, text, 0);

    while (connection_step(verify->snapshot, statement) == 1) {
        const struct finding finding = {.what = "contradiction",
                                        .where = "catalog.db",
                                        .reason = (const char *)sqlite3_column_text(statement, 0),
                                        .object = (const char *)sqlite3_column_text(statement, 1),
                                        .element = (const char *)sqlite3_column_text(statement, 2)};

        verify->findings.wrong++;
        findings_say(&verify->findings, &finding);
    }
    sqlite3_finalize(statement);
}

static void
verify_rows(struct verify *verify)
{
#define VERIFY_ROWS(text) rows_wrong(verify, text);
    TOOL_SQL_CONTRADICTIONS(VERIFY_ROWS)
#undef VERIFY_ROWS
}

/* What SQLite says of its own structures. */
static void
verify_structure(struct verify *verify)
{
    sqlite3_stmt *statement = source_query(
        verify->snapshot, verify->order->quick ? TOOL_SQL_INTEGRITY_QUICK : TOOL_SQL_INTEGRITY, 0);

    while (connection_step(verify->snapshot, statement) == 1) {
        const struct finding finding = {.what = "damaged",
                                        .where = "catalog.db",
                                        .reason = (const char *)sqlite3_column_text(statement, 0)};

        if (finding.reason != NULL && strcmp(finding.reason, "ok") == 0)
            continue;
        verify->findings.wrong++;
        findings_say(&verify->findings, &finding);
    }
    sqlite3_finalize(statement);
}

/* ------------------------------------------------------------------ the command */

static void
verify_all(struct verify *verify, struct failure *failure)
{
    const struct connection *failed;
    int status = REPOSITORY_OK;

    verify_structure(verify);
    connection_execute(verify->snapshot, TOOL_SQL_POINTERS);
    verify_rows(verify);
    verify->progress.total =
        verify->order->quick ? 0 : (uint64_t)source_number(verify->snapshot, TOOL_SQL_BYTES, 0);
    verify_bytes(verify);
    if (verify->elements >= 0)
        status = elements_walk(verify->elements, false, file_known, verify, failure);
    failed = verify->snapshot->failed ? verify->snapshot : verify->source;
    if (connection_status(failed, failure) != REPOSITORY_OK || status != REPOSITORY_OK) {
        const struct finding finding = {
            .what = "unreadable", .where = verify->order->root, .reason = failure->text};

        verify->findings.wrong++;
        findings_say(&verify->findings, &finding);
    }
}

static json_t *
verify_summary(struct verify *verify)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "pieces", (json_int_t)verify->blobs,
                     "bytes", (json_int_t)verify->bytes, "garbage", (json_int_t)verify->garbage,
                     "orphans", (json_int_t)verify->orphans, "strays", (json_int_t)verify->strays,
                     "wrong", (json_int_t)verify->findings.wrong, "good",
                     verify->findings.wrong == 0);
}

int
command_verify(const struct order *order)
{
    struct verify verify = {.order = order, .progress = {.what = "read"}};
    struct failure failure;
    int status = EXIT_WRONG;

    verify.findings = (struct findings){.json = order->json, .progress = &verify.progress};
    verify.source = source_open(order->root, &failure);
    if (verify.source != NULL)
        verify.snapshot = source_snapshot(verify.source, NULL, &failure);
    if (verify.snapshot == NULL)
        complain(EXIT_WRONG, "%s", failure.text);
    if (verify.snapshot != NULL) {
        verify.elements = elements_open(order->root, false, &failure);
        findings_begin(&verify.findings);
        verify_all(&verify, &failure);
        status = findings_end(&verify.findings, verify_summary(&verify));
        if (verify.elements >= 0)
            close(verify.elements);
    }
    connection_free(&verify.snapshot);
    connection_free(&verify.source);
    return status;
}
