/*
 * The repository on a local disk (repository.h): a catalog in SQLite beside element bytes in files.
 * Opening, who may, reading, deleting. In each worker process, from any thread. A connection to the catalog
 * is held only for a look or a commit, never while a client is waited for.
 */
#include "repository_impl.h"

#include <doip/json.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int
failure_set(struct failure *failure, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    /* cppcheck-suppress ctuuninitvar ; this is what fills it */
    vsnprintf(failure->text, sizeof(failure->text), format, arguments);
    va_end(arguments);
    return REPOSITORY_FAILED;
}

int
repository_missing(const struct blob *blob, int error, struct failure *failure)
{
    return failure_set(failure, "element bytes %s can't be read: %s", blob->name, strerror(error));
}

int
repository_expect(const char *id, int64_t version, int64_t wanted, struct failure *failure)
{
    if (wanted == REPOSITORY_ANY_VERSION || wanted == version)
        return REPOSITORY_OK;
    failure_set(failure, "The object '%s' has version %lld, not %lld as 'ifVersion' demands.", id,
                (long long)version, (long long)wanted);
    return REPOSITORY_REFUSED;
}

/* ------------------------------------------------------------------ opening */

struct repository *
repository_open(const char *root, struct failure *failure)
{
    struct repository *repository = calloc(1, sizeof(*repository));
    char *path = NULL;

    if (repository == NULL) {
        failure_set(failure, "memory is short");
        return NULL;
    }
    repository->blobs = blobs_open(root, failure);
    /* The catalog is opened by name, again and again: the name must not depend on the working
     * directory. */
    repository->janitor = janitor_new("store-sweep", repository_clean, repository);
    if (repository->janitor == NULL)
        failure_set(failure, "memory is short");
    else if (repository->blobs != NULL && (path = realpath(root, NULL)) == NULL)
        failure_set(failure, "%s: %s", root, strerror(errno));
    if (path != NULL)
        repository->database = database_open(path, failure);
    if (repository->database != NULL)
        repository->index = index_open(path, repository->database, repository->blobs, failure);
    free(path);
    if (repository->index == NULL) {
        repository_close(&repository);
        return NULL;
    }
    repository_begin(repository);
    return repository;
}

void
repository_limit(struct repository *repository, const struct repository_limits *limits)
{
    repository->limits = *limits;
}

void
repository_index_text(struct repository *repository, uint64_t size)
{
    index_set_text(repository->index, size > INDEX_TEXT_MOST ? INDEX_TEXT_MOST : (int64_t)size);
}

void
repository_close(struct repository **repository)
{
    if (*repository == NULL)
        return;
    janitor_free(&(*repository)->janitor);
    index_close(&(*repository)->index);
    database_close(&(*repository)->database);
    blobs_close(&(*repository)->blobs);
    free(*repository);
    *repository = NULL;
}

/* ------------------------------------------------------------------ who may */

void
repository_rules(struct repository *repository, const struct acl_rules *rules)
{
    repository->rules = *rules;
}

static int
deny(const struct acl_client *client, enum acl_right right, const char *id, struct failure *failure)
{
    const char *what = right == ACL_READ ? "read" : "change";

    if (client->id == NULL)
        failure_set(failure, "To %s the object '%s', authentication is needed.", what, id);
    else
        failure_set(failure, "'%s' may not %s the object '%s'.", client->id, what, id);
    return REPOSITORY_DENIED;
}

int
repository_allow(const struct repository *repository, const struct acl_client *client,
                 enum acl_right right, const json_t *object, struct failure *failure)
{
    const struct acl_object about = acl_object(object);

    if (client == NULL || object == NULL || acl_may(&repository->rules, &about, client, right))
        return REPOSITORY_OK;
    return deny(client, right, json_string_value(json_object_get(object, "id")), failure);
}

int
repository_allow_row(const struct repository *repository, const struct acl_client *client,
                     enum acl_right right, struct connection *connection, sqlite3_stmt *row,
                     struct failure *failure)
{
    struct acl_object about;
    json_t *attributes;
    int status;

    if (client == NULL)
        return REPOSITORY_OK;
    about = catalog_acl(connection, row, &attributes);
    status = connection_status(connection, failure);
    if (status == REPOSITORY_OK && !acl_may(&repository->rules, &about, client, right))
        status = deny(client, right, (const char *)sqlite3_column_text(row, CATALOG_ID), failure);
    json_decref(attributes);
    return status;
}

/* ------------------------------------------------------------------ reading */

/* A reader at the row of an object that the client may do that with: OK with *connection to be
 * released; all else without. */
static int
repository_row(struct repository *repository, const struct acl_client *client, enum acl_right right,
               const char *id, struct connection **connection, sqlite3_stmt **row,
               struct failure *failure)
{
    int status;

    *connection = database_looker(repository->database, failure);
    if (*connection == NULL)
        return REPOSITORY_FAILED;
    *row = catalog_row(*connection, id);
    status = connection_status(*connection, failure);
    if (status == REPOSITORY_OK && *row == NULL)
        status = REPOSITORY_UNKNOWN;
    if (status == REPOSITORY_OK)
        status = repository_allow_row(repository, client, right, *connection, *row, failure);
    if (status != REPOSITORY_OK)
        database_release(connection);
    return status;
}

int
repository_check(struct repository *repository, const struct acl_client *client,
                 enum acl_right right, const char *id, int64_t version, struct failure *failure)
{
    struct connection *connection;
    sqlite3_stmt *row;
    int64_t is;
    int status = repository_row(repository, client, right, id, &connection, &row, failure);

    if (status != REPOSITORY_OK)
        return status;
    is = sqlite3_column_int64(row, CATALOG_VERSION);
    database_release(&connection);
    return repository_expect(id, is, version, failure);
}

int
repository_text(struct repository *repository, const struct acl_client *client, const char *id,
                char **text, struct failure *failure)
{
    struct connection *connection;
    sqlite3_stmt *row;
    int status = repository_row(repository, client, ACL_READ, id, &connection, &row, failure);

    if (status != REPOSITORY_OK)
        return status;
    *text = catalog_text(connection, row, true);
    status = connection_status(connection, failure);
    database_release(&connection);
    return status;
}

int
repository_object(struct repository *repository, const struct acl_client *client, const char *id,
                  json_t **object, struct failure *failure)
{
    char reason[128], *text;
    int status = repository_text(repository, client, id, &text, failure);

    *object = NULL;
    if (status != REPOSITORY_OK)
        return status;
    *object = doip_json_parse(text, strlen(text), reason, sizeof(reason));
    free(text);
    return *object != NULL ? REPOSITORY_OK : failure_set(failure, "%s", reason);
}

void
repository_bytes_fini(struct repository_bytes *bytes)
{
    free(bytes->data);
    if (bytes->fd >= 0)
        close(bytes->fd);
    *bytes = (struct repository_bytes){.fd = -1};
}

/* One look into the catalog, which may have the bytes, too. */
static int
element_look(struct repository *repository, const struct acl_client *client, const char *id,
             const char *element_id, json_t **element, bool *data, struct blob *blob,
             struct repository_bytes *bytes, struct failure *failure)
{
    struct connection *connection;
    sqlite3_stmt *row;
    int status = repository_row(repository, client, ACL_READ, id, &connection, &row, failure);

    if (status != REPOSITORY_OK)
        return status;
    *element = catalog_element(connection, sqlite3_column_int64(row, CATALOG_NUMBER), element_id,
                               data, blob);
    if (*element != NULL && *data)
        bytes->data = catalog_small(connection, blob);
    status = connection_status(connection, failure);
    database_release(&connection);
    if (status == REPOSITORY_OK && *element == NULL) {
        *element = json_null();
        return REPOSITORY_UNKNOWN;
    }
    return status;
}

int
repository_element(struct repository *repository, const struct acl_client *client, const char *id,
                   const char *element_id, json_t **element, struct repository_bytes *bytes,
                   struct failure *failure)
{
    struct blob blob;
    bool data;
    int error = 0;

    for (int look = 0; look < LOOKS_MAX; look++) {
        int status;

        *element = NULL;
        *bytes = (struct repository_bytes){.fd = -1};
        status =
            element_look(repository, client, id, element_id, element, &data, &blob, bytes, failure);
        if (status != REPOSITORY_OK)
            return status;
        bytes->length = data ? blob.length : 0;
        if (data && bytes->data == NULL)
            bytes->fd = blobs_bytes(repository->blobs, &blob);
        if (!data || bytes->data != NULL || bytes->fd >= 0)
            return REPOSITORY_OK;
        error = errno;
        json_decref(*element);
        *element = NULL;
        if (error != ENOENT)
            break;
    }
    return repository_missing(&blob, error, failure);
}
