/*
 * A look at one object in the store's catalog: it takes no transaction, and yet all that it sees is of
 * one moment; it tells the elements in their order, whatever that is; and it leaves nothing behind.
 */
#include "catalog.h"
#include "database.h"
#include "unit_store_repository.h"

static struct database *database;

static void
setup_look(void)
{
    setup();
    database = database_open(scratch_root, &(struct failure){.text = ""});
    ck_assert_ptr_nonnull(database);
}

static void
teardown_look(void)
{
    database_close(&database);
    teardown();
}

static struct connection *
looker(void)
{
    struct connection *connection = database_looker(database, &(struct failure){.text = ""});

    ck_assert_ptr_nonnull(connection);
    return connection;
}

/* What is told of an object apart from its times; NULL: there is none. */
static char *
told(struct connection *connection, sqlite3_stmt *row)
{
    char *text = catalog_text(connection, row, true), *from, *to;

    ck_assert_msg(text != NULL, "%s", connection->reason);
    from = strstr(text, "\"metadata\"");
    to = strstr(from, "\"version\"");
    memmove(from, to, strlen(to) + 1);
    return text;
}

static void
check_told(const char *id, const char *expected)
{
    struct connection *connection = looker();
    char *text = told(connection, catalog_row(connection, id));

    database_release(&connection);
    ck_assert_str_eq(text, expected);
    free(text);
}

#define SHOWN(version) "{\"id\":\"x/1\",\"type\":\"T\",\"attributes\":{\"version\":" version "}}"

/* The row is held while another connection replaces all of the object. */
START_TEST(sees_one_moment)
{
    struct connection *connection;
    sqlite3_stmt *row;
    char *text;

    object_create(repository, "x/1",
                  "{\"type\":\"T\",\"elements\":[{\"id\":\"b\"},{\"id\":\"a\"}]}");
    connection = looker();
    row = catalog_row(connection, "x/1");
    ck_assert_ptr_nonnull(row);
    ck_assert_int_eq(object_update(repository, "x/1", "{\"elements\":[{\"id\":\"c\"}]}"),
                     REPOSITORY_OK);
    text = told(connection, row);
    ck_assert_str_eq(text, SHOWN("1") ",\"elements\":[{\"id\":\"b\"},{\"id\":\"a\"}]}");
    free(text);
    database_release(&connection);
    check_told("x/1", SHOWN("2") ",\"elements\":[{\"id\":\"b\"},{\"id\":\"a\"},{\"id\":\"c\"}]}");
}
END_TEST

static const char *const orders[] = {
    "",
    "{\"id\":\"a\"}",
    "{\"id\":\"a\"},{\"id\":\"b\"},{\"id\":\"c\"}",
    "{\"id\":\"c\"},{\"id\":\"b\"},{\"id\":\"a\"}",
    "{\"id\":\"a\"},{\"id\":\"c\"},{\"id\":\"b\"}",
    "{\"id\":\"b\",\"type\":\"t/b\"},{\"id\":\"c\",\"attributes\":{\"x\":[1]}},{\"id\":\"a\"}",
};

START_TEST(keeps_the_order)
{
    char given[500], expected[500];

    snprintf(given, sizeof(given), "{\"type\":\"T\",\"elements\":[%s]}", orders[_i]);
    snprintf(expected, sizeof(expected),
             *orders[_i] == '\0' ? SHOWN("1") "%s}" : SHOWN("1") ",\"elements\":[%s]}", orders[_i]);
    ck_assert_int_eq(object_create(repository, "x/1", given), REPOSITORY_OK);
    check_told("x/1", expected);
}
END_TEST

/* Else the log could not be taken up into the catalog, nor begin anew. */
START_TEST(holds_nothing_afterwards)
{
    struct connection *connection;

    object_create(repository, "x/1", "{\"type\":\"T\",\"elements\":[{\"id\":\"a\"}]}");
    check_told("x/1", SHOWN("1") ",\"elements\":[{\"id\":\"a\"}]}");
    connection = looker();
    ck_assert_ptr_null(catalog_row(connection, "x/2"));
    database_release(&connection);
    connection = looker();
    ck_assert_ptr_nonnull(catalog_row(connection, "x/1"));
    database_release(&connection);
    /* Busy: somebody reads. */
    ck_assert_int_eq(scratch_sql("PRAGMA wal_checkpoint(TRUNCATE)"), 0);
    /* Nor is a transaction open that a reader would find. */
    connection = database_reader(database, &(struct failure){.text = ""});
    ck_assert_ptr_nonnull(connection);
    database_release(&connection);
}
END_TEST

/* The count is kept under one lock of the process. */
START_TEST(counts_no_memory)
{
    object_create(repository, "x/1", "{\"type\":\"T\"}");
    ck_assert_int_eq(sqlite3_memory_used(), 0);
}
END_TEST

static Suite *
suite(void)
{
    Suite *made = suite_create("store look");
    TCase *tests = tcase_create("look");

    tcase_add_checked_fixture(tests, setup_look, teardown_look);
    tcase_add_test(tests, sees_one_moment);
    tcase_add_loop_test(tests, keeps_the_order, 0, (int)(sizeof(orders) / sizeof(*orders)));
    tcase_add_test(tests, holds_nothing_afterwards);
    tcase_add_test(tests, counts_no_memory);
    suite_add_tcase(made, tests);
    return made;
}

UNIT_MAIN(suite)
