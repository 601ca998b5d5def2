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
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "repository.h"
#include "unit.h"

static char scratch_root[4096];

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
scratch_sql(const char *sql)
{
    sqlite3 *handle;
    sqlite3_stmt *statement;
    int64_t value;

    ck_assert_int_eq(sqlite3_open(scratch_path("catalog.db"), &handle), SQLITE_OK);
    sqlite3_busy_timeout(handle, 10000);
    ck_assert_msg(sqlite3_prepare_v2(handle, sql, -1, &statement, NULL) == SQLITE_OK, "%s",
                  sqlite3_errmsg(handle));
    value = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : -1;
    sqlite3_finalize(statement);
    sqlite3_close(handle);
    return value;
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

static int scratch_file_count;

/* Each file below elements/ holds what its name says, and the catalog knows it. */
static inline int
scratch_file(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    const char *name = path + walk->base;
    unsigned char digest[32];
    char hex[65], sql[256], *data;
    FILE *file;

    if (kind != FTW_F)
        return 0;
    scratch_file_count++;
    data = malloc((size_t)status->st_size + 1);
    file = fopen(path, "r");
    ck_assert(data != NULL && file != NULL);
    ck_assert_uint_eq(fread(data, 1, (size_t)status->st_size + 1, file), (size_t)status->st_size);
    fclose(file);
    EVP_Digest(data, (size_t)status->st_size, digest, NULL, EVP_sha256(), NULL);
    free(data);
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    ck_assert_str_eq(name, hex);
    ck_assert_int_eq(status->st_mode & 0777, 0600);
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM blob WHERE sha256 = x'%s' AND length = %lld",
             hex, (long long)status->st_size);
    ck_assert_msg(scratch_sql(sql) == 1, "%s points nowhere", path);
    return 0;
}

/* Nothing is missing, left over, or counted wrong. */
static inline void
scratch_check(void)
{
    scratch_file_count = 0;
    ck_assert_int_eq(nftw(scratch_path("elements"), scratch_file, 16, FTW_PHYS), 0);
    ck_assert_int_eq(scratch_file_count, scratch_sql("SELECT count(*) FROM blob"));
    ck_assert_int_eq(scratch_sql("SELECT count(*) FROM blob b WHERE uses = 0 OR"
                                 " uses <> (SELECT count(*) FROM element WHERE blob = b.number)"),
                     0);
    ck_assert_int_eq(
        scratch_sql("SELECT count(*) FROM element WHERE object NOT IN (SELECT number FROM object)"),
        0);
    ck_assert_int_eq(
        scratch_sql("SELECT count(*) FROM element WHERE blob NOT IN (SELECT number FROM blob)"), 0);
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
                    : repository_update(change, id, object, &stored, &failure);
    ck_assert((stored != NULL) == (status == REPOSITORY_OK));
    json_decref(stored);
    json_decref(object);
    repository_change_free(&change);
    return status;
}

/* The object as JSON text, "" where there is none; valid until the next call. */
static inline const char *
object_text(struct repository *repository, const char *id)
{
    static char *text;
    struct failure failure;
    json_t *object;
    int status = repository_object(repository, id, &object, &failure);

    free(text);
    text = NULL;
    ck_assert_msg(status != REPOSITORY_FAILED, "%s", failure.text);
    if (status == REPOSITORY_UNKNOWN)
        return "";
    text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return text;
}

/* The element's bytes as a string, NULL where there is no such element, "(none)" without data;
 * valid until the next call. */
static inline const char *
element_text(struct repository *repository, const char *id, const char *element_id)
{
    static char text[65536];
    struct repository_bytes bytes;
    struct failure failure;
    json_t *element;
    ssize_t got;
    int status = repository_element(repository, id, element_id, &element, &bytes, &failure);

    ck_assert_msg(status != REPOSITORY_FAILED, "%s", failure.text);
    if (status == REPOSITORY_UNKNOWN)
        return NULL;
    json_decref(element);
    if (bytes.fd < 0)
        return "(none)";
    got = pread(bytes.fd, text, sizeof(text) - 1, 0);
    ck_assert_int_eq(got, (ssize_t)bytes.length);
    text[got] = '\0';
    close(bytes.fd);
    return text;
}

#endif
