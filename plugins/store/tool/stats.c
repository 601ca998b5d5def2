/*
 * `doip-store stats`: how much there is of what. Nothing that grows with the bytes of elements is
 * read. In the tool's one thread, beside the service.
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elements.h"
#include "source.h"
#include "tool_sql.h"

static void
stats_numbers(struct connection *source, json_t *stats)
{
    static const struct {
        const char *name, *text;
    } numbers[] = {
#define STATS_NUMBER(name, text) {name, text},
        TOOL_SQL_NUMBERS(STATS_NUMBER)
#undef STATS_NUMBER
    };

    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        int64_t number = source_number(source, numbers[i].text, INT64_MIN);

        json_object_set_new(stats, numbers[i].name,
                            number == INT64_MIN ? json_null() : json_integer(number));
    }
}

static json_t *
stats_types(struct connection *source)
{
    sqlite3_stmt *statement = source_query(source, TOOL_SQL_TYPES, 0);
    json_t *types = json_object();

    while (connection_step(source, statement) == 1)
        json_object_set_new(types, (const char *)sqlite3_column_text(statement, 0),
                            json_integer(sqlite3_column_int64(statement, 1)));
    sqlite3_finalize(statement);
    return types;
}

static int
stats_file(int elements, const char *path, const struct blob *blob, void *closure,
           struct failure *failure)
{
    (void)elements;
    (void)path;
    (void)blob;
    (void)failure;
    ++*(json_int_t *)closure;
    return REPOSITORY_OK;
}

static int
stats_files(const char *root, json_t *stats, struct failure *failure)
{
    int elements = elements_open(root, false, failure), status;
    json_int_t files = 0;

    if (elements < 0)
        return REPOSITORY_FAILED;
    status = elements_walk(elements, false, stats_file, &files, failure);
    close(elements);
    json_object_set_new(stats, "files", json_integer(files));
    return status;
}

static void
stats_sizes(const char *root, json_t *stats)
{
    static const char *const files[][2] = {
        {"catalogBytes", "catalog.db"}, {"logBytes", "catalog.db-wal"}, {"indexBytes", "index.db"}};

    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        struct stat status;
        char path[4096];

        snprintf(path, sizeof(path), "%s/%s", root, files[i][1]);
        json_object_set_new(
            stats, files[i][0],
            json_integer(stat(path, &status) == 0 ? (json_int_t)status.st_size : 0));
    }
}

int
command_stats(const struct order *order)
{
    struct failure failure;
    struct connection *source = source_open(order->root, &failure);
    json_t *stats = json_object(), *types = NULL;
    int status = REPOSITORY_FAILED;

    if (source != NULL && connection_execute(source, "BEGIN")) {
        stats_sizes(order->root, stats);
        stats_numbers(source, stats);
        types = stats_types(source);
        connection_execute(source, "COMMIT");
        status = connection_status(source, &failure);
    }
    if (status == REPOSITORY_OK)
        status = stats_files(order->root, stats, &failure);
    json_object_set_new(stats, "types", types);
    connection_free(&source);
    if (status == REPOSITORY_OK)
        return say_result(stats, order->json, EXIT_GOOD);
    json_decref(stats);
    return complain(EXIT_WRONG, "%s", failure.text);
}
