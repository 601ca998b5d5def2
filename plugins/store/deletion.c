/*
 * Objects are deleted (repository.h). In each worker process, from any thread.
 */
#include <stdlib.h>

#include "repository_impl.h"

struct deletion {
    struct repository *repository;
    const struct acl_client *client;
    const char *id;
    int64_t version; /* that is expected */
    struct repository_later later;
};

/* Under the write lock. */
static int
deletion_work(struct connection *connection, void *closure, struct failure *failure)
{
    const struct deletion *deletion = closure;
    sqlite3_stmt *row = catalog_row(connection, deletion->id);
    int64_t number, version;
    int status = connection_status(connection, failure);

    if (status != REPOSITORY_OK || row == NULL)
        return status == REPOSITORY_OK ? REPOSITORY_UNKNOWN : status;
    status = repository_allow_row(deletion->repository, deletion->client, ACL_WRITE, connection,
                                  row, failure);
    number = sqlite3_column_int64(row, CATALOG_NUMBER);
    version = sqlite3_column_int64(row, CATALOG_VERSION);
    sqlite3_reset(row);
    if (status == REPOSITORY_OK)
        status = repository_expect(deletion->id, version, deletion->version, failure);
    if (status != REPOSITORY_OK)
        return status;
    catalog_remove(connection, number);
    return connection_status(connection, failure);
}

static void
deletion_end(struct repository *repository, int status)
{
    if (status != REPOSITORY_OK)
        return;
    repository_sweep(repository);
    index_wake(repository->index);
}

int
repository_delete(struct repository *repository, const struct acl_client *client, const char *id,
                  int64_t version, struct failure *failure)
{
    struct deletion deletion = {repository, client, id, version, {.closure = NULL}};
    int status = database_write(repository->database, deletion_work, &deletion, failure);

    deletion_end(repository, status);
    return status;
}

static void
deletion_done(struct database_job *job)
{
    struct deletion *deletion = job->closure;

    deletion_end(deletion->repository, job->status);
    deletion->later.done(deletion->later.closure, job->status, NULL, &deletion->later.failure);
    free(deletion);
}

void
repository_delete_later(struct repository *repository, const struct acl_client *client,
                        const char *id, int64_t version, repository_done done, void *closure)
{
    struct deletion *deletion = malloc(sizeof(*deletion));
    struct failure failure;

    if (deletion == NULL) {
        done(closure, failure_set(&failure, "memory is short"), NULL, &failure);
        return;
    }
    *deletion = (struct deletion){repository,
                                  client,
                                  id,
                                  version,
                                  {.job = {.work = deletion_work,
                                           .closure = deletion,
                                           .failure = &deletion->later.failure,
                                           .done = deletion_done},
                                   .done = done,
                                   .closure = closure}};
    database_write_later(repository->database, &deletion->later.job);
}
