/*
 * Catalogs of other versions: old ones are brought up to date and lose nothing, newer ones are left
 * alone. What old versions wrote is copied here, never taken from the sources of today.
 */
#include "unit_store.h"

#define SCHEMA_OF_1                                                                          \
    "CREATE TABLE object ("                                                                  \
    "  number INTEGER PRIMARY KEY AUTOINCREMENT,"                                            \
    "  id TEXT NOT NULL UNIQUE,"                                                             \
    "  type TEXT NOT NULL,"                                                                  \
    "  version INTEGER NOT NULL DEFAULT 1,"                                                  \
    "  created_on INTEGER NOT NULL,"                                                         \
    "  created_by TEXT,"                                                                     \
    "  modified_on INTEGER NOT NULL,"                                                        \
    "  modified_by TEXT,"                                                                    \
    "  attributes TEXT"                                                                      \
    ") STRICT;"                                                                              \
    "CREATE INDEX object_type ON object (type);"                                             \
    "CREATE TABLE blob ("                                                                    \
    "  number INTEGER PRIMARY KEY AUTOINCREMENT,"                                            \
    "  sha256 BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),"                             \
    "  length INTEGER NOT NULL CHECK (length >= 0),"                                         \
    "  uses INTEGER NOT NULL DEFAULT 0 CHECK (uses >= 0)"                                    \
    ") STRICT;"                                                                              \
    "CREATE INDEX blob_garbage ON blob (number) WHERE uses = 0;"                             \
    "CREATE TABLE element ("                                                                 \
    "  object INTEGER NOT NULL,"                                                             \
    "  ordinal INTEGER NOT NULL,"                                                            \
    "  id TEXT NOT NULL,"                                                                    \
    "  type TEXT,"                                                                           \
    "  blob INTEGER,"                                                                        \
    "  attributes TEXT,"                                                                     \
    "  PRIMARY KEY (object, ordinal),"                                                       \
    "  UNIQUE (object, id)"                                                                  \
    ") STRICT, WITHOUT ROWID;"                                                               \
    "CREATE TRIGGER element_added AFTER INSERT ON element WHEN NEW.blob IS NOT NULL BEGIN"   \
    "  UPDATE blob SET uses = uses + 1 WHERE number = NEW.blob;"                             \
    "END;"                                                                                   \
    "CREATE TRIGGER element_removed AFTER DELETE ON element WHEN OLD.blob IS NOT NULL BEGIN" \
    "  UPDATE blob SET uses = uses - 1 WHERE number = OLD.blob;"                             \
    "END;"                                                                                   \
    "CREATE TRIGGER element_changed AFTER UPDATE OF blob ON element"                         \
    "  WHEN NEW.blob IS NOT OLD.blob BEGIN"                                                  \
    "  UPDATE blob SET uses = uses + 1 WHERE number = NEW.blob;"                             \
    "  UPDATE blob SET uses = uses - 1 WHERE number = OLD.blob;"                             \
    "END;"                                                                                   \
    "CREATE VIRTUAL TABLE word USING"                                                        \
    "  fts5(text, content='', columnsize=0, tokenize='unicode61 remove_diacritics 2');"

/* What version 1 wrote of an object with three elements, the first in a file of 5 bytes. */
#define CONTENT_OF_1                                                                            \
    "INSERT INTO object (id, type, version, created_on, created_by, modified_on, modified_by,"  \
    " attributes) VALUES ('old/1', 'Document', 3, 1000, 'alice', 2000, NULL,"                   \
    " '{\"content\":{\"title\":\"Tess\",\"year\":1891,\"tags\":[\"Novel\",\"1.50\"]}}');"       \
    "INSERT INTO object (id, type, created_on, modified_on)"                                    \
    " VALUES ('old/2', 'Bare', 1500, 1500);"                                                    \
    "INSERT INTO blob (sha256, length) VALUES"                                                  \
    " (x'2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824', 5);"                \
    "INSERT INTO element (object, ordinal, id, type, blob, attributes) VALUES"                  \
    " (1, 1, 'a', 'text/plain', 1, '{\"filename\":\"a.txt\"}'), (1, 2, 'b', NULL, NULL, NULL);" \
    "INSERT INTO word (rowid, text) VALUES"                                                     \
    " (1, 'old/1 \xee\x80\x80 Document \xee\x80\x80 Tess \xee\x80\x80 1891 \xee\x80\x80 Novel"  \
    " \xee\x80\x80 1.50 \xee\x80\x80 '), (2, 'old/2 \xee\x80\x80 Bare \xee\x80\x80 ');"

/* What versions 2 to 4 made of it; the index was in the catalog then. */
#define SCHEMA_TO_4                                                                        \
    "CREATE TABLE small (blob INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;"            \
    "CREATE TABLE path (number INTEGER PRIMARY KEY, pointer TEXT NOT NULL UNIQUE) STRICT;" \
    "CREATE TABLE field (object INTEGER NOT NULL, path INTEGER NOT NULL,"                  \
    "  value ANY NOT NULL, PRIMARY KEY (object, path, value)) STRICT, WITHOUT ROWID;"      \
    "CREATE INDEX field_value ON field (path, value);"                                     \
    "CREATE INDEX object_created_on ON object (created_on);"                               \
    "CREATE INDEX object_modified_on ON object (modified_on);"                             \
    "CREATE INDEX object_created_by ON object (created_by) WHERE created_by IS NOT NULL;"  \
    "DROP TABLE word;"                                                                     \
    "CREATE VIRTUAL TABLE word USING"                                                      \
    "  fts5(text, content='', columnsize=0, tokenize='unicode61 remove_diacritics 2');"    \
    "CREATE VIRTUAL TABLE vocabulary USING fts5vocab(word, row);"                          \
    "CREATE TABLE usage (bytes INTEGER NOT NULL) STRICT;"                                  \
    "INSERT INTO usage SELECT coalesce(sum(length), 0) FROM blob;"                         \
    "CREATE TRIGGER blob_added AFTER INSERT ON blob BEGIN"                                 \
    "  UPDATE usage SET bytes = bytes + NEW.length; END;"                                  \
    "CREATE TRIGGER blob_removed AFTER DELETE ON blob BEGIN"                               \
    "  UPDATE usage SET bytes = bytes - OLD.length; END;"                                  \
    "INSERT INTO path VALUES (1, '/content/title');"                                       \
    "INSERT INTO field VALUES (1, 1, 'Tess');"                                             \
    "INSERT INTO word (rowid, text) VALUES (1, 'old/1');"                                  \
    "PRAGMA user_version = 4;"

/* What version 5 was like: the index has left; the newest object and the newest bytes are gone, and
 * of the others the ones are small. */
#define SCHEMA_TO_5                                                                                \
    "DROP TABLE vocabulary; DROP TABLE word; DROP TABLE field; DROP TABLE path;"                   \
    "DROP INDEX object_type; DROP INDEX object_created_on; DROP INDEX object_modified_on;"         \
    "DROP INDEX object_created_by;"                                                                \
    "CREATE TABLE identity (catalog BLOB NOT NULL) STRICT;"                                        \
    "INSERT INTO identity VALUES (x'0123456789abcdef0123456789abcdef');"                           \
    "CREATE TABLE change (seq INTEGER PRIMARY KEY AUTOINCREMENT, object INTEGER NOT NULL) STRICT;" \
    "CREATE TRIGGER object_changed AFTER UPDATE ON object BEGIN"                                   \
    "  INSERT INTO change (object) VALUES (NEW.number); END;"                                      \
    "CREATE TRIGGER object_removed AFTER DELETE ON object BEGIN"                                   \
    "  INSERT INTO change (object) VALUES (OLD.number); END;"                                      \
    "INSERT INTO blob (sha256, length) VALUES"                                                     \
    " (x'486ea46224d1bb4fb680f34f7c9ad96a8f24ec88be73ea8e5a6c65260e9cb8a7', 5),"                   \
    " (x'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 0),"                   \
    " (zeroblob(32), 9);"                                                                          \
    "INSERT INTO small VALUES (2, CAST('world' AS BLOB)), (3, x'');"                               \
    "INSERT INTO element (object, ordinal, id, type, blob, attributes) VALUES"                     \
    " (2, 1, 'z', 'text/plain', 2, NULL), (2, 2, 'a', NULL, 3, NULL), (2, 5, 'm', NULL, 2, NULL);" \
    "DELETE FROM blob WHERE number = 4;"                                                           \
    "INSERT INTO object (id, type, created_on, modified_on) VALUES ('old/9', 'Bare', 1, 1);"       \
    "DELETE FROM object WHERE id = 'old/9';"                                                       \
    "PRAGMA user_version = 5;"

static void
execute(const char *sql)
{
    sqlite3 *handle;
    char *error = NULL;

    ck_assert_int_eq(sqlite3_open(scratch_path("catalog.db"), &handle), SQLITE_OK);
    ck_assert_msg(sqlite3_exec(handle, sql, NULL, NULL, &error) == SQLITE_OK, "%s", error);
    sqlite3_close(handle);
}

static void
make_version_1(void)
{
    FILE *file;

    execute("PRAGMA journal_mode = WAL");
    execute(SCHEMA_OF_1 "PRAGMA application_id = 1146046800; PRAGMA user_version = 1;");
    execute(CONTENT_OF_1);
    ck_assert_int_eq(mkdir(scratch_path("incoming"), 0700), 0);
    ck_assert_int_eq(mkdir(scratch_path("elements"), 0700), 0);
    ck_assert_int_eq(mkdir(scratch_path("elements/2c"), 0700), 0);
    file = fopen(scratch_path("elements/2c/"
                              "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"),
                 "w");
    ck_assert_ptr_nonnull(file);
    fputs("hello", file);
    fchmod(fileno(file), 0600);
    fclose(file);
}

#define OLD_1                                                                                    \
    "{\"id\":\"old/1\",\"type\":\"Document\",\"attributes\":{\"content\":{\"title\":\"Tess\","   \
    "\"year\":1891,\"tags\":[\"Novel\",\"1.50\"]}},\"elements\":[{\"id\":\"a\",\"type\":\"text/" \
    "plain\","                                                                                   \
    "\"length\":5,\"attributes\":{\"filename\":\"a.txt\"}},{\"id\":\"b\"}]}"

static struct repository *repository;

static void
setup(void)
{
    scratch_setup();
    scratch_settled = &repository;
}

static void
teardown(void)
{
    repository_close(&repository);
    scratch_teardown();
}

/* How many objects a query finds. */
static int
found(const char *text)
{
    const struct repository_page page = {.most = 0};
    struct repository_results *results;
    struct failure failure;
    char reason[400];
    struct query *query = query_parse(text, reason, sizeof(reason));
    int size;

    ck_assert_msg(query != NULL, "%s", reason);
    ck_assert_msg(repository_search(repository, NULL, query, &page, &results, &failure) ==
                      REPOSITORY_OK,
                  "%s", failure.text);
    size = (int)repository_results_size(results);
    repository_results_free(&results);
    query_free(&query);
    return size;
}

START_TEST(brings_version_1_up_to_date)
{
    make_version_1();
    repository = scratch_open();
    ck_assert_str_eq(object_text(repository, "old/1"), OLD_1);
    ck_assert_str_eq(object_text(repository, "old/2"), "{\"id\":\"old/2\",\"type\":\"Bare\"}");
    ck_assert_str_eq(element_text(repository, "old/1", "a"), "hello");
    ck_assert_int_eq(scratch_sql(SCRATCH_USAGE), 5);
    ck_assert_int_eq(scratch_sql("SELECT version FROM object WHERE id = 'old/1'"), 3);
    ck_assert_int_eq(found("tess 1891"), 1);
    ck_assert_int_eq(found("old"), 2);
    ck_assert_int_eq(found("type:Bare"), 1);
    ck_assert_int_eq(found("/title:tess /year:[1890 TO 1892] /tags/_:novel"), 1);
    ck_assert_int_eq(found("createdBy:alice createdOn:1970"), 1);
    scratch_check();
    repository_close(&repository);
    repository = scratch_open();
    ck_assert_str_eq(object_text(repository, "old/1"), OLD_1);
}
END_TEST

/* The words of an old object leave the index with it, and its bytes the disk, also where the same
 * bytes came again and are in the catalog now. */
START_TEST(forgets_what_version_1_wrote)
{
    struct failure failure;

    make_version_1();
    repository = scratch_open();
    object_create(repository, "new", "{\"type\":\"T\",\"elements\":[{\"id\":\"e\"}]}", "e",
                  "hello");
    ck_assert_str_eq(element_text(repository, "old/1", "a"), "hello");
    ck_assert_int_eq(object_update(repository, "old/2", "{\"type\":\"Dressed\"}"), REPOSITORY_OK);
    ck_assert_int_eq(found("bare"), 0);
    ck_assert_int_eq(found("dressed"), 1);
    ck_assert_int_eq(repository_delete(repository, NULL, "old/1", 3, &failure), REPOSITORY_OK);
    ck_assert_int_eq(found("tess"), 0);
    ck_assert_int_eq(found("/title:tess OR /year:*"), 0);
    ck_assert_int_eq(scratch_sql_of("index.db", "SELECT count(*) FROM field"), 0);
    ck_assert_str_eq(element_text(repository, "new", "e"), "hello");
    ck_assert_int_eq(repository_delete(repository, NULL, "new", 1, &failure), REPOSITORY_OK);
    scratch_check();
    ck_assert_int_eq(scratch_blob_count, 0);
    scratch_check_index();
}
END_TEST

/* The index leaves the catalog, and is made anew beside it. */
START_TEST(brings_version_4_up_to_date)
{
    make_version_1();
    execute(SCHEMA_TO_4);
    repository = scratch_open();
    ck_assert_str_eq(object_text(repository, "old/1"), OLD_1);
    ck_assert_int_eq(found("tess 1891"), 1);
    ck_assert_int_eq(found("old"), 2);
    ck_assert_int_eq(found("/year:[1890 TO 1892] type:Document"), 1);
    ck_assert_int_eq(scratch_sql("SELECT count(*) FROM sqlite_schema WHERE name IN"
                                 " ('word', 'field', 'path', 'object_type', 'word_data')"),
                     0);
    ck_assert_int_eq(object_update(repository, "old/2", "{\"type\":\"Dressed\"}"), REPOSITORY_OK);
    ck_assert_int_eq(found("bare"), 0);
    scratch_check_index();
    scratch_check();
}
END_TEST

#define OLD_2                                                                                  \
    "{\"id\":\"old/2\",\"type\":\"Bare\",\"elements\":[{\"id\":\"z\",\"type\":\"text/plain\"," \
    "\"length\":5},{\"id\":\"a\",\"length\":0},{\"id\":\"m\",\"length\":5}"

/* Small bytes come to their rows, and what was counted goes on. */
START_TEST(brings_version_5_up_to_date)
{
    make_version_1();
    execute(SCHEMA_TO_4);
    execute(SCHEMA_TO_5);
    repository = scratch_open();
    scratch_check();
    ck_assert_int_eq(scratch_sql(SCRATCH_USAGE), 10);
    ck_assert_int_eq(scratch_sql("SELECT count(data) FROM blob"), 2);
    ck_assert_int_eq(scratch_sql("SELECT max(seq) FROM change"), 1);
    ck_assert_int_eq(scratch_sql("SELECT catalog = x'0123456789abcdef0123456789abcdef'"
                                 " FROM identity"),
                     1);
    ck_assert_str_eq(object_text(repository, "old/1"), OLD_1);
    ck_assert_str_eq(object_text(repository, "old/2"), OLD_2 "]}");
    ck_assert_str_eq(element_text(repository, "old/1", "a"), "hello");
    ck_assert_str_eq(element_text(repository, "old/2", "z"), "world");
    ck_assert_str_eq(element_text(repository, "old/2", "a"), "");
    ck_assert_int_eq(found("old"), 2);
    object_create(repository, "new", "{\"type\":\"T\",\"elements\":[{\"id\":\"e\"}]}", "e", "new");
    ck_assert_int_eq(scratch_sql("SELECT number FROM object WHERE id = 'new'"), 4);
    ck_assert_int_eq(scratch_sql("SELECT max(number) FROM blob"), 5);
    ck_assert_int_eq(
        object_update(repository, "old/2", "{\"elements\":[{\"id\":\"b\"},{\"id\":\"z\"}]}"),
        REPOSITORY_OK);
    ck_assert_str_eq(object_text(repository, "old/2"), OLD_2 ",{\"id\":\"b\"}]}");
    scratch_check();
    scratch_check_index();
}
END_TEST

/* Not even those of the newest, and also not after a restart. */
START_TEST(gives_no_number_twice)
{
    struct failure failure;
    char name[8];

    for (int i = 1; i <= 6; i++) {
        repository = scratch_open();
        for (int newer = 0; newer < 2; newer++) {
            snprintf(name, sizeof(name), "x/%d", newer);
            object_create(repository, name, "{\"type\":\"T\",\"elements\":[{\"id\":\"e\"}]}", "e",
                          name);
            ck_assert_int_eq(scratch_sql("SELECT max(number) FROM object"), 2 * i - 1 + newer);
            ck_assert_int_eq(scratch_sql("SELECT max(number) FROM blob"), 2 * i - 1 + newer);
        }
        for (int k = 0; k < 2; k++) {
            snprintf(name, sizeof(name), "x/%d", i % 2 == 0 ? k : 1 - k);
            ck_assert_int_eq(repository_delete(repository, NULL, name, 1, &failure), REPOSITORY_OK);
            scratch_check();
        }
        repository_close(&repository);
    }
}
END_TEST

/* A create is one commit; the pages that it changes are in the log. */
START_TEST(changes_few_pages)
{
    struct stat before, after;
    char text[1025], id[16];

    repository = scratch_open();
    for (int i = 0; i <= 100; i++) {
        snprintf(id, sizeof(id), "x/%d", 1000 + i);
        snprintf(text, sizeof(text), "%-1024d", i);
        object_create(repository, id, "{\"type\":\"T\",\"elements\":[{\"id\":\"e\"}]}", "e", text);
        if (i == 0)
            ck_assert_int_eq(stat(scratch_path("catalog.db-wal"), &before), 0);
    }
    ck_assert_int_eq(stat(scratch_path("catalog.db-wal"), &after), 0);
    ck_assert_int_le((after.st_size - before.st_size) / (4096 + 24), 650);
}
END_TEST

START_TEST(refuses_a_newer_version)
{
    struct failure failure;

    repository = scratch_open();
    repository_close(&repository);
    scratch_sql("PRAGMA user_version = 77");
    ck_assert_ptr_null(repository_open(scratch_root, &failure));
    ck_assert_str_eq(failure.text, "the catalog: schema version 77 is newer than 6, the last this "
                                   "handler knows");
}
END_TEST

START_TEST(refuses_another_programs_database)
{
    struct failure failure;

    execute("PRAGMA user_version = 1; CREATE TABLE theirs (x);");
    ck_assert_ptr_null(repository_open(scratch_root, &failure));
    ck_assert_str_eq(failure.text, "the catalog: it is the database of another program");
    ck_assert_int_eq(scratch_sql("PRAGMA user_version"), 1);
}
END_TEST

static Suite *
suite(void)
{
    Suite *made = suite_create("store schema");
    TCase *tests = tcase_create("schema");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, brings_version_1_up_to_date);
    tcase_add_test(tests, forgets_what_version_1_wrote);
    tcase_add_test(tests, brings_version_4_up_to_date);
    tcase_add_test(tests, brings_version_5_up_to_date);
    tcase_add_test(tests, gives_no_number_twice);
    tcase_add_test(tests, changes_few_pages);
    tcase_add_test(tests, refuses_a_newer_version);
    tcase_add_test(tests, refuses_another_programs_database);
    suite_add_tcase(made, tests);
    return made;
}

UNIT_MAIN(suite)
