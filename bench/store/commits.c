/*
 * The measure for the store's creates: how many single-row commits a second plain SQLite reaches, in WAL mode with
 * synchronous=FULL, from one process, in a directory.
 *
 * usage: store-commits DIRECTORY SECONDS
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static double
now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void
check(sqlite3 *handle, int result)
{
    if (result == SQLITE_OK || result == SQLITE_DONE)
        return;
    fprintf(stderr, "store-commits: %s\n", sqlite3_errmsg(handle));
    exit(1);
}

static double
rate(sqlite3 *handle, double seconds)
{
    static const char row[1024];
    sqlite3_stmt *insert;
    double start;
    long count = 0;

    check(handle, sqlite3_exec(handle,
                               "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                               "CREATE TABLE row (number INTEGER PRIMARY KEY, data BLOB);",
                               NULL, NULL, NULL));
    check(handle,
          sqlite3_prepare_v2(handle, "INSERT INTO row (data) VALUES (?)", -1, &insert, NULL));
    for (start = now(); now() - start < seconds; count++) {
        sqlite3_bind_blob(insert, 1, row, sizeof row, SQLITE_STATIC);
        check(handle, sqlite3_step(insert));
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
    return (double)count / (now() - start);
}

int
main(int argc, char **argv)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    sqlite3 *handle;
    char path[4096];

    if (argc != 3) {
        fputs("usage: store-commits DIRECTORY SECONDS\n", stderr);
        return 2;
    }
    snprintf(path, sizeof path, "%s/store-commits.db", argv[1]);
    unlink(path);
    check(NULL, sqlite3_open(path, &handle));
    printf("%.1f\n", rate(handle, strtod(argv[2], NULL)));
    sqlite3_close(handle);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/store-commits.db%s", argv[1], endings[i]);
        unlink(path);
    }
    return 0;
}
