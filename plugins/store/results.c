/*
 * What a search found (repository.h): a list of numbers, made in one short transaction, and the
 * objects read one by one after it. In each worker process; results belong to one thread. A long
 * list lies in a file without a name, so neither the size of the answer nor the slowness of its
 * reader costs memory or holds the catalog.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "repository_impl.h"

#define WINDOW 2048

struct repository_results {
    struct repository *repository;
    const struct acl_client *client;
    uint64_t size;   /* of all that match */
    uint64_t listed; /* of the page */
    uint64_t next;
    int file; /* -1: all of the page is in the window */
    uint64_t window_start;
    size_t window_used;
    int64_t window[WINDOW];
    struct failure failure; /* of keeping the list */
};

void
repository_results_free(struct repository_results **results)
{
    if (*results == NULL)
        return;
    if ((*results)->file >= 0)
        close((*results)->file);
    free(*results);
    *results = NULL;
}

uint64_t
repository_results_size(const struct repository_results *results)
{
    return results->size;
}

/* Moves the window's numbers to the file. */
static int
results_spill(struct repository_results *results)
{
    const char *data = (const char *)results->window;
    size_t left = results->window_used * sizeof(results->window[0]);

    if (results->file < 0 &&
        (results->file = blobs_scratch(results->repository->blobs, &results->failure)) < 0)
        return REPOSITORY_FAILED;
    while (left > 0) {
        ssize_t written = write(results->file, data, left);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return failure_set(&results->failure, "the list of results can't be kept: %s",
                               strerror(errno));
        data += written;
        left -= (size_t)written;
    }
    results->window_used = 0;
    return REPOSITORY_OK;
}

static int
results_found(int64_t number, void *closure)
{
    struct repository_results *results = closure;

    if (results->window_used == WINDOW && results_spill(results) != REPOSITORY_OK)
        return REPOSITORY_FAILED;
    results->window[results->window_used++] = number;
    results->listed++;
    return 0;
}

/* One look into the index; *again: it was damaged. */
static int
results_look(struct repository_results *results, const struct catalog_asking *asking, bool *again,
             struct failure *failure)
{
    struct index *index = results->repository->index;
    struct connection *connection = index_reader(index, failure);
    int status;

    *again = false;
    if (connection == NULL)
        return REPOSITORY_FAILED;
    status = catalog_search(connection, asking, results_found, results, &results->size, failure);
    *again = index_release(index, &connection);
    return status;
}

static int
results_fill(struct repository_results *results, const struct query *query,
             const struct repository_page *page, struct failure *failure)
{
    const struct catalog_asking asking = {query, page, &results->repository->rules,
                                          results->client};
    bool again;
    int status = results_look(results, &asking, &again, failure);

    if (again && results->listed == 0)
        status = results_look(results, &asking, &again, failure);
    if (status == REPOSITORY_OK && results->file >= 0)
        status = results_spill(results);
    if (results->failure.text[0] != '\0')
        *failure = results->failure;
    return status;
}

int
repository_search(struct repository *repository, const struct acl_client *client,
                  const struct query *query, const struct repository_page *page,
                  struct repository_results **results, struct failure *failure)
{
    int status;

    *results = malloc(sizeof(**results));
    if (*results == NULL)
        return failure_set(failure, "memory is short");
    memset(*results, 0, offsetof(struct repository_results, window));
    (*results)->failure.text[0] = '\0';
    (*results)->repository = repository;
    (*results)->client = client;
    (*results)->file = -1;
    status = results_fill(*results, query, page, failure);
    if (status != REPOSITORY_OK)
        repository_results_free(results);
    return status;
}

/* ------------------------------------------------------------------ reading it */

/* Reads the window that begins with the next number. */
static int
results_window(struct repository_results *results, struct failure *failure)
{
    ssize_t got;

    do {
        got = pread(results->file, results->window, sizeof(results->window),
                    (off_t)(results->next * sizeof(results->window[0])));
    } while (got < 0 && errno == EINTR);
    if (got < (ssize_t)sizeof(results->window[0]))
        return failure_set(failure, "the list of results can't be read: %s",
                           got < 0 ? strerror(errno) : "cut short");
    results->window_start = results->next;
    results->window_used = (size_t)got / sizeof(results->window[0]);
    return REPOSITORY_OK;
}

/* What the client gets of the object in the row: nothing where it may not read it. */
static char *
results_show(const struct repository_results *results, struct connection *connection,
             sqlite3_stmt *row, bool full)
{
    struct failure denied;

    if (repository_allow_row(results->repository, results->client, ACL_READ, connection, row,
                             &denied) != REPOSITORY_OK)
        return NULL;
    return full ? catalog_text(connection, row, true) : catalog_id_text(connection, row);
}

static int
results_read(struct repository_results *results, int64_t number, bool full, char **text,
             struct failure *failure)
{
    struct connection *connection = database_looker(results->repository->database, failure);
    sqlite3_stmt *row;
    int status;

    if (connection == NULL)
        return REPOSITORY_FAILED;
    row = catalog_row_numbered(connection, number);
    *text = row == NULL ? NULL : results_show(results, connection, row, full);
    status = connection_status(connection, failure);
    database_release(&connection);
    return status;
}

int
repository_results_next(struct repository_results *results, bool full, char **text,
                        struct failure *failure)
{
    while (results->next < results->listed) {
        int status = REPOSITORY_OK;

        if (results->next >= results->window_start + results->window_used)
            status = results_window(results, failure);
        if (status == REPOSITORY_OK)
            status = results_read(results, results->window[results->next++ - results->window_start],
                                  full, text, failure);
        if (status != REPOSITORY_OK)
            return status;
        if (*text != NULL)
            return 1;
    }
    return 0;
}
