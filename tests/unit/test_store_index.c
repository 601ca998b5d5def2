/*
 * The store's index as a thing of its own: it follows the catalog, whoever changed it, and whatever
 * becomes of its file, the searches are right.
 */
#include "index.h"
#include "unit_store_repository.h"

#include <sys/wait.h>
#include <time.h>

#define COUNT_OF(table) (int)(sizeof(table) / sizeof(*(table)))

static void
make(int first, int last)
{
    for (int i = first; i <= last; i++) {
        char id[32], json[100];

        snprintf(id, sizeof(id), "x/%d", i);
        snprintf(json, sizeof(json), "{\"type\":\"T\",\"attributes\":{\"n\":%d,\"w\":\"was\"}}", i);
        ck_assert_int_eq(object_create(repository, id, json), REPOSITORY_OK);
    }
}

static void
change(int number)
{
    char id[32];

    snprintf(id, sizeof(id), "x/%d", number);
    ck_assert_int_eq(object_update(repository, id, "{\"attributes\":{\"w\":\"is\"}}"),
                     REPOSITORY_OK);
}

static void
drop(int number)
{
    struct failure failure;
    char id[32];

    snprintf(id, sizeof(id), "x/%d", number);
    ck_assert_int_eq(repository_delete(repository, NULL, id, REPOSITORY_ANY_VERSION, &failure),
                     REPOSITORY_OK);
}

/* How many are found; -1: the search failed, and why. */
static int
find(const char *text, struct failure *failure)
{
    const struct repository_page page = {.most = 0};
    struct repository_results *results;
    struct query *query = query_parse(text, failure->text, sizeof(failure->text));
    int size = -1;

    ck_assert_msg(query != NULL, "%s", failure->text);
    if (repository_search(repository, NULL, query, &page, &results, failure) == REPOSITORY_OK) {
        size = (int)repository_results_size(results);
        repository_results_free(&results);
    }
    query_free(&query);
    return size;
}

static int
found(const char *text)
{
    struct failure failure;
    int size = find(text, &failure);

    ck_assert_msg(size >= 0, "%s", failure.text);
    return size;
}

/* Three objects: one as it was, one changed, one after both; a fourth is gone. */
static void
fill(void)
{
    make(1, 3);
    change(2);
    drop(1);
    make(4, 4);
}

static void
check(void)
{
    ck_assert_int_eq(found("x"), 3);
    ck_assert_int_eq(found("/attributes/w:was"), 2);
    ck_assert_int_eq(found("is type:T version:2"), 1);
    ck_assert_int_eq(found("/attributes/n:[1 TO 9]"), 2);
    repository_settle(repository);
    scratch_check_index();
}

static void
index_execute(const char *sql)
{
    scratch_sql_of("index.db", sql);
}

static void
remove_index(void)
{
    unlink(scratch_path("index.db"));
    unlink(scratch_path("index.db-wal"));
    unlink(scratch_path("index.db-shm"));
}

/* Writes over the file's pages, all or from the second on. */
static void
damage(long from)
{
    FILE *file = fopen(scratch_path("index.db"), "r+");

    ck_assert_ptr_nonnull(file);
    fseek(file, 0, SEEK_END);
    long size = ftell(file);

    fseek(file, from, SEEK_SET);
    for (; from < size; from++)
        putc('x', file);
    fclose(file);
}

/* ------------------------------------------------------------------ the file */

START_TEST(is_filled_again_where_it_is_gone)
{
    fill();
    check();
    repository_close(&repository);
    remove_index();
    repository = scratch_open();
    check();
    remove_index(); /* while it is open */
    check();
    make(5, 5);
    ck_assert_int_eq(found("x"), 4);
}
END_TEST

START_TEST(is_made_anew_where_it_is_damaged)
{
    fill();
    check();
    for (long from = 0; from <= 4096; from += 4096) {
        repository_close(&repository);
        damage(from);
        repository = scratch_open();
        check();
    }
}
END_TEST

/* Under the feet of connections that had it open and found it good. */
START_TEST(is_made_anew_where_it_becomes_damaged)
{
    fill();
    check();
    index_execute("PRAGMA wal_checkpoint(TRUNCATE)");
    damage(4096);
    make(5, 5);
    ck_assert_int_eq(found("x"), 4);
    repository_settle(repository);
    scratch_check_index();
}
END_TEST

static const char *const unfit[] = {
    "PRAGMA user_version = 999",
    "PRAGMA application_id = 1",
    "UPDATE state SET catalog = x'00112233'",
    "UPDATE state SET number = 1000",
    "UPDATE state SET change = 1000",
    "DELETE FROM state",
};

START_TEST(is_made_anew_where_it_does_not_fit)
{
    fill();
    check();
    repository_close(&repository);
    index_execute("DELETE FROM entry");
    index_execute(unfit[_i]);
    repository = scratch_open();
    check();
}
END_TEST

START_TEST(is_made_anew_where_it_is_another_programs)
{
    fill();
    check();
    repository_close(&repository);
    remove_index();
    index_execute("CREATE TABLE theirs (x)");
    repository = scratch_open();
    check();
}
END_TEST

/* Whoever could not take something in keeps nobody else out. */
START_TEST(is_let_go_where_it_failed)
{
    struct failure failure;
    sqlite3 *other;

    make(1, 1);
    ck_assert_int_eq(found("x"), 1);
    index_execute("CREATE TRIGGER no BEFORE INSERT ON entry BEGIN SELECT RAISE(FAIL, 'no room'); END");
    make(2, 2);
    ck_assert_int_eq(find("x", &failure), -1);
    ck_assert_ptr_nonnull(strstr(failure.text, "no room"));
    ck_assert_int_eq(sqlite3_open(scratch_path("index.db"), &other), SQLITE_OK);
    sqlite3_busy_timeout(other, 1000); /* for the thread, which tries again each three seconds */
    ck_assert_msg(sqlite3_exec(other, "DROP TRIGGER no", NULL, NULL, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(other));
    sqlite3_close(other);
    ck_assert_int_eq(found("x"), 2);
}
END_TEST

/* ------------------------------------------------------------------ the feed */

static void
copy_index(const char *from, const char *to)
{
    char command[20000];

    snprintf(command, sizeof(command), "cp '%s/%s' '%s/%s'", scratch_root, from, scratch_root, to);
    ck_assert_int_eq(system(command), 0);
}

/* As after a power cut, which the index does not wait for the disk to be safe from. */
START_TEST(goes_on_from_an_earlier_time)
{
    make(1, 3);
    ck_assert_int_eq(found("x"), 3);
    repository_close(&repository);
    copy_index("index.db", "earlier");
    repository = scratch_open();
    change(2);
    drop(1);
    make(4, 4);
    check();
    repository_close(&repository);
    copy_index("earlier", "index.db");
    repository = scratch_open();
    check();
    ck_assert_int_eq(scratch_sql_of("index.db", "SELECT change FROM state"), 2);
}
END_TEST

/* The catalog forgets changes that the index has; an index from before that is made anew. */
START_TEST(has_changes_forgotten)
{
    make(1, 3);
    ck_assert_int_eq(found("x"), 3);
    repository_close(&repository);
    copy_index("index.db", "earlier");
    repository = scratch_open();
    for (int i = 0; i < 600; i++)
        change(2);
    repository_settle(repository);
    repository_close(&repository);
    repository = scratch_open();
    repository_index_text(repository, 0); /* its thread begins, and has the rest forgotten */
    for (int i = 0; i < 1000 && scratch_sql("SELECT count(*) FROM change") >= 256; i++)
        usleep(10000);
    ck_assert_int_lt(scratch_sql("SELECT count(*) FROM change"), 256);
    repository_close(&repository);
    copy_index("earlier", "index.db");
    repository = scratch_open();
    ck_assert_int_eq(found("is"), 1);
    ck_assert_int_eq(found("was"), 2);
    scratch_check_index();
}
END_TEST

/* It comes to have all without anybody asking. */
START_TEST(is_kept_current)
{
    fill();
    for (int i = 0; i < 1000 && access(scratch_path("index.db"), F_OK) != 0; i++)
        usleep(10000);
    for (int i = 0; i < 1000 && scratch_sql_of("index.db", "SELECT count(*) FROM sqlite_schema"
                                                           " WHERE name = 'state'") == 0;
         i++)
        usleep(10000);
    for (int i = 0; i < 1000 && scratch_sql_of("index.db", "SELECT number FROM state") != 4; i++)
        usleep(10000);
    ck_assert_int_eq(scratch_sql_of("index.db", "SELECT number FROM state"), 4);
}
END_TEST

/* More than fits into one batch. */
START_TEST(is_filled_in_batches)
{
    make(1, 2500);
    repository_close(&repository);
    remove_index();
    repository = scratch_open();
    ck_assert_int_eq(found("was"), 2500);
    for (int i = 1; i <= 2500; i++)
        change(i);
    ck_assert_int_eq(found("was"), 0);
    ck_assert_int_eq(found("is version:2"), 2500);
}
END_TEST

/* All that there is, taken in anew: milliseconds that it took. */
static double
take_in_all(void)
{
    struct timespec start, end;

    repository_close(&repository);
    remove_index();
    clock_gettime(CLOCK_MONOTONIC, &start);
    repository = scratch_open();
    ck_assert_int_eq(found("was"), 200);
    clock_gettime(CLOCK_MONOTONIC, &end);
    return (double)(end.tv_sec - start.tv_sec) * 1e3 + (double)(end.tv_nsec - start.tv_nsec) / 1e6;
}

/* Words are written when there are many, not after each object: nothing on the way makes a
 * savepoint. Of one batch, they are one piece of the full-text index. Where the machine is so busy that it
 * takes longer than a batch may, there are more, and it is tried again. */
START_TEST(collects_words)
{
    static const double batch_ms = 250;
    int turns = 1;

    make(1, 200);
    while (take_in_all() >= batch_ms && turns++ < 50)
        continue;
    ck_assert_int_eq(scratch_sql_of("index.db", "SELECT max(segid) FROM word_idx"), 1);
}
END_TEST

/* What another process did is found at once, by both. It is forked before this one has anything
 * open: a child must not touch what its parent's SQLite knows. */
START_TEST(finds_what_others_did)
{
    int here[2], there[2], status;
    char byte = 0;
    pid_t pid;

    repository_close(&repository);
    ck_assert(pipe(here) == 0 && pipe(there) == 0);
    pid = fork();
    repository = scratch_open();
    for (int i = 2; i <= 20; i += 2) {
        if (pid == 0 && read(there[0], &byte, 1) != 1)
            _exit(2);
        make(pid == 0 ? i : i - 1, pid == 0 ? i : i - 1);
        ck_assert_int_eq(found("x"), pid == 0 ? i : i - 1);
        ck_assert_int_eq(write(pid == 0 ? here[1] : there[1], &byte, 1), 1);
        if (pid != 0) {
            ck_assert_int_eq(read(here[0], &byte, 1), 1);
            ck_assert_int_eq(found("x"), i);
        }
    }
    if (pid == 0)
        _exit(0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(is_settled_by_reopening)
{
    fill();
    reopen();
    check();
}
END_TEST

/* ------------------------------------------------------------------ text of elements */

static void
text_object(const char *id, const char *type, const char *text)
{
    char json[200];

    snprintf(json, sizeof(json), "{\"type\":\"T\",\"elements\":[{\"id\":\"e\",\"type\":\"%s\"}]}",
             type);
    ck_assert_int_eq(object_create(repository, id, json, "e", text), REPOSITORY_OK);
}

static void
reopen_with(uint64_t size)
{
    repository_close(&repository);
    repository = scratch_open();
    repository_index_text(repository, size);
}

START_TEST(takes_in_text)
{
    static char large[30001];

    reopen_with(25000);
    memset(large, 'x', sizeof(large) - 1);
    memcpy(large, "towering ", 9);
    text_object("t/1", "text/plain; charset=utf-8", "a Pure woman");
    text_object("t/2", "APPLICATION/ld+json", "{\"name\":\"woman of letters\"}");
    text_object("t/3", "image/png", "woman");
    text_object("t/4", "text/html", large);
    large[20000] = '\0';
    text_object("t/5", "application/xml", large);
    text_object("t/6", "text/plain",
                "bad \xff\xc3(\xed\xa0\x80 utf \xee\x80\x81"
                "1\xee\x80\x81woman eight\xf0\x9f\x98");
    ck_assert_int_eq(found("woman"), 3);
    ck_assert_int_eq(found("\"pure woman\""), 1);
    ck_assert_int_eq(found("\"woman of letters\" type:T"), 1);
    ck_assert_int_eq(found("towering"), 1);
    ck_assert_int_eq(found("bad utf eight"), 1);
    ck_assert_int_eq(found("/name:woman"), 0);
    object_update(repository, "t/1", "{\"elements\":[{\"id\":\"e\"}]}", "e", "a faithful man");
    ck_assert_int_eq(found("woman"), 2);
    ck_assert_int_eq(found("faithful"), 1);
    scratch_check_index();
}
END_TEST

/* The index remembers with what it was made. */
START_TEST(takes_in_text_when_told)
{
    text_object("t/1", "text/plain", "a pure woman");
    ck_assert_int_eq(found("woman"), 0);
    reopen_with(5);
    ck_assert_int_eq(found("woman"), 0);
    reopen_with(12);
    ck_assert_int_eq(found("woman"), 1);
    reopen_with(12);
    ck_assert_int_eq(found("woman"), 1);
    reopen_with(0);
    ck_assert_int_eq(found("woman"), 0);
}
END_TEST

/* What can't be read is told to those who read it; the others are found. */
START_TEST(passes_over_lost_text)
{
    reopen_with(25000);
    text_object("t/1", "text/plain", big('a'));
    text_object("t/2", "text/plain", "small");
    unlink(scratch_path(big_path('a')));
    scratch_sql("UPDATE blob SET data = x'00' WHERE data IS NOT NULL");
    text_object("t/3", "text/plain", "woman");
    repository_close(&repository);
    remove_index();
    reopen_with(25000);
    ck_assert_int_eq(found("t"), 3);
    ck_assert_int_eq(found("woman"), 1);
}
END_TEST

static const struct type {
    const char *type;
    bool text;
} types[] = {
    {"text/plain", true},
    {"Text/CSV;header=present", true},
    {"application/json", true},
    {"application/problem+json; v=1", true},
    {"image/svg+xml", true},
    {"application/xml", true},
    {"text", false},
    {"application/octet-stream", false},
    {"application/jsonish", false},
    {"", false},
    {NULL, false},
};

START_TEST(knows_types_of_text)
{
    ck_assert_msg(index_is_text(types[_i].type) == types[_i].text, "%s", types[_i].type);
}
END_TEST

static const struct cleaned {
    const char *text;
    const char *clean;
} cleans[] = {
    {"plain", "plain"},
    {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
    {"a\x80z", "a z"},
    {"a\xc0\x80z", "a  z"},
    {"a\xc3z", "a z"},
    {"a\xe2\x82", "a  "},
    {"\xe0\x80\x80z", "   z"},
    {"\xed\xa0\x80z", "   z"},
    {"\xf4\x90\x80\x80z", "    z"},
    {"\xf5z", " z"},
    {"\xee\x80\x80\xee\x80\x82\xee\x80\x83", "      \xee\x80\x83"},
};

START_TEST(cleans_text)
{
    char text[100];
    size_t length = strlen(cleans[_i].text);

    strcpy(text, cleans[_i].text);
    index_clean_text(text, length);
    ck_assert_str_eq(text, cleans[_i].clean);
    memcpy(text, "a\0z", 4);
    index_clean_text(text, 3);
    ck_assert_str_eq(text, "a z");
}
END_TEST

static Suite *
suite(void)
{
    Suite *made = suite_create("store index");
    TCase *tests = tcase_create("index");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, is_filled_again_where_it_is_gone);
    tcase_add_test(tests, is_made_anew_where_it_is_damaged);
    tcase_add_test(tests, is_made_anew_where_it_becomes_damaged);
    tcase_add_loop_test(tests, is_made_anew_where_it_does_not_fit, 0, COUNT_OF(unfit));
    tcase_add_test(tests, is_made_anew_where_it_is_another_programs);
    tcase_add_test(tests, is_let_go_where_it_failed);
    tcase_add_test(tests, goes_on_from_an_earlier_time);
    tcase_add_test(tests, has_changes_forgotten);
    tcase_add_test(tests, is_kept_current);
    tcase_add_test(tests, is_filled_in_batches);
    tcase_add_test(tests, collects_words);
    tcase_add_test(tests, finds_what_others_did);
    tcase_add_test(tests, is_settled_by_reopening);
    tcase_add_test(tests, takes_in_text);
    tcase_add_test(tests, takes_in_text_when_told);
    tcase_add_test(tests, passes_over_lost_text);
    tcase_add_loop_test(tests, knows_types_of_text, 0, COUNT_OF(types));
    tcase_add_loop_test(tests, cleans_text, 0, COUNT_OF(cleans));
    suite_add_tcase(made, tests);
    return made;
}

UNIT_MAIN(suite)
