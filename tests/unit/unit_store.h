/*
 * For tests of the store: a repository in a scratch directory, and a look at it from outside,
 * through SQLite and the files themselves.
 */
#ifndef UNIT_STORE_H
#define UNIT_STORE_H

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "repository.h"
#include "unit.h"

static char scratch_root[4096];
/* The repository whose janitor scratch_check() waits for, where there is one. */
static struct repository **scratch_settled;

/* In memory where that is possible: what these tests show does not depend on a disk. */
static inline const char *
scratch_base(void)
{
    const char *base = getenv("TMPDIR");

    if (base != NULL)
        return base;
    return access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
}

static inline void
scratch_setup(void)
{
    snprintf(scratch_root, sizeof(scratch_root), "%s/test_store.XXXXXX", scratch_base());
    ck_assert_ptr_nonnull(mkdtemp(scratch_root));
}

static inline int
scratch_unlink(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

static inline void
scratch_teardown(void)
{
    nftw(scratch_root, scratch_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

static inline const char *
scratch_path(const char *name)
{
    static char path[8192];

    snprintf(path, sizeof(path), "%s/%s", scratch_root, name);
    return path;
}

static inline struct repository *
scratch_open(void)
{
    struct failure failure;
    struct repository *repository = repository_open(scratch_root, &failure);

    ck_assert_msg(repository != NULL, "open: %s", failure.text);
    return repository;
}

/* The first column of a query's first row. */
static inline int64_t
scratch_sql_of(const char *file, const char *sql)
{
    sqlite3 *handle;
    sqlite3_stmt *statement;
    int64_t value;

    ck_assert_int_eq(sqlite3_open(scratch_path(file), &handle), SQLITE_OK);
    sqlite3_busy_timeout(handle, 10000);
    ck_assert_msg(sqlite3_prepare_v2(handle, sql, -1, &statement, NULL) == SQLITE_OK, "%s",
                  sqlite3_errmsg(handle));
    value = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : -1;
    sqlite3_finalize(statement);
    sqlite3_close(handle);
    return value;
}

static inline int64_t
scratch_sql(const char *sql)
{
    return scratch_sql_of("catalog.db", sql);
}

/* Statements run on the catalog. */
static inline void
scratch_execute(const char *sql)
{
    sqlite3 *handle;

    ck_assert_int_eq(sqlite3_open(scratch_path("catalog.db"), &handle), SQLITE_OK);
    sqlite3_busy_timeout(handle, 10000);
    ck_assert_msg(sqlite3_exec(handle, sql, NULL, NULL, NULL) == SQLITE_OK, "%s",
                  sqlite3_errmsg(handle));
    sqlite3_close(handle);
}

/* The index, which has been asked or settled, has what the catalog has, and no words or values of
 * anything else. */
static inline void
scratch_check_index(void)
{
    char sql[9000];

    ck_assert_int_eq(
        scratch_sql_of("index.db", "INSERT INTO word (word) VALUES ('integrity-check')"), -1);
    ck_assert_int_eq(scratch_sql_of("index.db",
                                    "SELECT (SELECT count(*) FROM word) -"
                                    " (SELECT count(*) FROM entry) + (SELECT abs(entries -"
                                    " (SELECT count(*) FROM entry)) FROM state) +"
                                    " (SELECT count(*) FROM field"
                                    " WHERE object NOT IN (SELECT number FROM entry))"),
                     0);
    snprintf(sql, sizeof(sql), "ATTACH '%s' AS i", scratch_path("index.db"));
    sqlite3 *handle;
    sqlite3_stmt *statement;

    ck_assert_int_eq(sqlite3_open(scratch_path("catalog.db"), &handle), SQLITE_OK);
    sqlite3_busy_timeout(handle, 10000);
    ck_assert_int_eq(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(
        sqlite3_prepare_v2(handle,
                           "SELECT count(*) FROM object o FULL JOIN i.entry e USING (number)"
                           " WHERE o.id IS NOT e.id OR o.type IS NOT e.type"
                           " OR o.version IS NOT e.version OR o.modified_on IS NOT e.modified_on",
                           -1, &statement, NULL),
        SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    ck_assert_int_eq(sqlite3_column_int(statement, 0), 0);
    sqlite3_finalize(statement);
    sqlite3_close(handle);
}

/* Entries of incoming/. */
static inline int
scratch_incoming(void)
{
    DIR *names = opendir(scratch_path("incoming"));
    int count = -2; /* "." and ".." */

    ck_assert_ptr_nonnull(names);
    while (readdir(names) != NULL)
        count++;
    closedir(names);
    return count;
}

/* How many different bytes there are, and how many of them are files. */
static int scratch_blob_count, scratch_file_count;

/* The SHA-256 in hexadecimal digits; valid until the next call. */
static inline const char *
sha256_text(const void *data, size_t size)
{
    static char hex[65];
    unsigned char digest[32];

    EVP_Digest(data, size, digest, NULL, EVP_sha256(), NULL);
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return hex;
}

/* So many bytes that they are a file, made of that letter. */
static inline const char *
big(char letter)
{
    static char texts[256][20001];

    return memset(texts[(unsigned char)letter], letter, 20000);
}

/* Where they lie, below the root. */
static inline const char *
big_path(char letter)
{
    static char path[100];
    const char *hash = sha256_text(big(letter), 20000);

    snprintf(path, sizeof(path), "elements/%.2s/%s", hash, hash);
    return path;
}

/* Each file below elements/ holds what its name says, and the catalog knows it. */
static inline int
scratch_file(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    const char *name = path + walk->base;
    char sql[256], *data;
    const char *hex;
    FILE *file;

    if (kind != FTW_F)
        return 0;
    scratch_file_count++;
    data = malloc((size_t)status->st_size + 1);
    file = fopen(path, "r");
    ck_assert(data != NULL && file != NULL);
    ck_assert_uint_eq(fread(data, 1, (size_t)status->st_size + 1, file), (size_t)status->st_size);
    fclose(file);
    hex = sha256_text(data, (size_t)status->st_size);
    free(data);
    ck_assert_str_eq(name, hex);
    ck_assert_int_eq(status->st_mode & 0777, 0600);
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM blob WHERE sha256 = x'%s' AND length = %lld",
             hex, (long long)status->st_size);
    ck_assert_msg(scratch_sql(sql) == 1, "%s points nowhere", path);
    return 0;
}

/* What the catalog holds of bytes is what it says. */
static inline void
scratch_small(void)
{
    sqlite3 *handle;
    sqlite3_stmt *statement;

    ck_assert_int_eq(sqlite3_open(scratch_path("catalog.db"), &handle), SQLITE_OK);
    sqlite3_busy_timeout(handle, 10000);
    ck_assert_int_eq(sqlite3_prepare_v2(handle,
                                        "SELECT data, length, lower(hex(sha256)) FROM blob"
                                        " WHERE data IS NOT NULL",
                                        -1, &statement, NULL),
                     SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW) {
        size_t size = (size_t)sqlite3_column_bytes(statement, 0);

        ck_assert_uint_eq(size, (size_t)sqlite3_column_int64(statement, 1));
        ck_assert_str_eq(sha256_text(sqlite3_column_blob(statement, 0), size),
                         (const char *)sqlite3_column_text(statement, 2));
    }
    sqlite3_finalize(statement);
    sqlite3_close(handle);
}

/* What the catalog counts of bytes. */
#define SCRATCH_USAGE \
    "SELECT max(past.added, coalesce((SELECT max(added) FROM blob), 0)) - past.removed FROM past"

/* Nothing is missing, left over, or counted wrong. */
static inline void
scratch_check(void)
{
    if (scratch_settled != NULL && *scratch_settled != NULL)
        repository_settle(*scratch_settled);
    scratch_file_count = 0;
    ck_assert_int_eq(nftw(scratch_path("elements"), scratch_file, 16, FTW_PHYS), 0);
    scratch_blob_count = (int)scratch_sql("SELECT count(*) FROM blob");
    ck_assert_int_eq(scratch_blob_count,
                     scratch_file_count + scratch_sql("SELECT count(data) FROM blob"));
    scratch_small();
    ck_assert_int_eq(scratch_sql(SCRATCH_USAGE),
                     scratch_sql("SELECT coalesce(sum(length), 0) FROM blob"));
    ck_assert_int_eq(scratch_sql("SELECT count(*) FROM blob b WHERE uses = 0 OR"
                                 " uses <> (SELECT count(*) FROM element WHERE blob = b.number)"),
                     0);
    ck_assert_int_eq(
        scratch_sql("SELECT count(*) FROM element WHERE object NOT IN (SELECT number FROM object)"),
        0);
    ck_assert_int_eq(scratch_sql("SELECT count(*) FROM element WHERE blob IS NOT NULL AND"
                                 " blob NOT IN (SELECT number FROM blob)"),
                     0);
    ck_assert_int_eq(
        scratch_sql("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
        0);
    ck_assert_int_eq(scratch_incoming(), 0);
}

static inline void
stage_text(struct repository_change *change, const char *element, const void *data, size_t size)
{
    struct failure failure;

    ck_assert_msg(repository_stage_begin(change, element, &failure) == REPOSITORY_OK, "%s",
                  failure.text);
    ck_assert_msg(repository_stage_write(change, data, size, &failure) == REPOSITORY_OK, "%s",
                  failure.text);
    ck_assert_msg(repository_stage_end(change, &failure) == REPOSITORY_OK, "%s", failure.text);
}

/* Creates (or updates) `id` with the object given as JSON text and pairs of element id and text,
 * ended by NULL. */
#define object_create(repository, id, ...) object_put(repository, true, id, __VA_ARGS__, NULL)
#define object_update(repository, id, ...) object_put(repository, false, id, __VA_ARGS__, NULL)

static inline int
object_put(struct repository *repository, bool create, const char *id, const char *json, ...)
{
    struct repository_change *change = repository_change_new(repository, NULL);
    json_t *object = json_loads(json, 0, NULL);
    json_t *stored = NULL;
    const struct repository_terms terms = {.version = REPOSITORY_ANY_VERSION};
    struct failure failure;
    const char *element;
    va_list list;
    int status;

    ck_assert_ptr_nonnull(object);
    va_start(list, json);
    while ((element = va_arg(list, const char *)) != NULL) {
        const char *text = va_arg(list, const char *);

        stage_text(change, element, text, strlen(text));
    }
    va_end(list);
    status = create ? repository_create(change, id, object, &stored, &failure)
                    : repository_update(change, id, object, &terms, &stored, &failure);
    ck_assert((stored != NULL) == (status == REPOSITORY_OK));
    if (status == REPOSITORY_OK) {
        json_t *read = NULL;
        char *told = json_dumps(stored, JSON_COMPACT), *is;

        ck_assert_int_eq(repository_object(repository, NULL, id, &read, &failure), REPOSITORY_OK);
        is = json_dumps(read, JSON_COMPACT);
        ck_assert_str_eq(told, is);
        free(told);
        free(is);
        json_decref(read);
    }
    json_decref(stored);
    json_decref(object);
    repository_change_free(&change);
    return status;
}

/* Takes out of the attributes what the store keeps there, and the attributes where nothing stays. */
static inline void
without_kept(json_t *value, const char *kept)
{
    json_t *attributes = json_object_get(value, "attributes");

    if (json_object_del(attributes, kept) == 0 && json_object_size(attributes) == 0)
        json_object_del(value, "attributes");
}

static inline void
object_without_kept(json_t *object)
{
    json_t *element;
    size_t i;

    ck_assert(json_is_object(json_object_get(json_object_get(object, "attributes"), "metadata")));
    without_kept(object, "metadata");
    json_array_foreach(json_object_get(object, "elements"), i, element)
        without_kept(element, "sha256");
}

/* The object as JSON text, without what the store itself keeps in it; "" where there is none; valid
 * until the next call. */
static inline const char *
object_text(struct repository *repository, const char *id)
{
    static char *text;
    struct failure failure;
    json_t *object;
    int status = repository_object(repository, NULL, id, &object, &failure);

    free(text);
    text = NULL;
    ck_assert_msg(status != REPOSITORY_FAILED, "%s", failure.text);
    if (status == REPOSITORY_UNKNOWN)
        return "";
    object_without_kept(object);
    text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return text;
}

/* Reads them, wherever they are. */
static inline ssize_t
bytes_text(const struct repository_bytes *bytes, char *text, size_t size)
{
    if (bytes->data == NULL)
        return pread(bytes->fd, text, size, 0);
    ck_assert_uint_le(bytes->length, size);
    memcpy(text, bytes->data, bytes->length);
    return (ssize_t)bytes->length;
}

/* The element's bytes as a string, NULL where there is no such element, "(none)" without data;
 * valid until the next call. */
static inline const char *
element_text(struct repository *repository, const char *id, const char *element_id)
{
    static char text[80000];
    struct repository_bytes bytes;
    struct failure failure;
    json_t *element;
    ssize_t got;
    int status = repository_element(repository, NULL, id, element_id, &element, &bytes, &failure);

    ck_assert_msg(status != REPOSITORY_FAILED, "%s", failure.text);
    if (status == REPOSITORY_UNKNOWN)
        return NULL;
    json_decref(element);
    if (bytes.fd < 0 && bytes.data == NULL)
        return "(none)";
    got = bytes_text(&bytes, text, sizeof(text) - 1);
    ck_assert_int_eq(got, (ssize_t)bytes.length);
    text[got] = '\0';
    repository_bytes_fini(&bytes);
    return text;
}

/* No file of this process grows beyond that: writes fail with EFBIG. */
static inline void
limit_files(rlim_t size)
{
    struct rlimit limit;

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = size;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

#endif
