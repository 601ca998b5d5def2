/*
 * The store's repository side alone, in trouble: what the dead leave, a full disk, a lack of
 * descriptors, a root that can't be opened.
 */
#include "blobs.h"
#include "unit_store_repository.h"

#include <fcntl.h>
#include <sys/file.h>

/* ------------------------------------------------------------------ what was never committed */

START_TEST(broken_off_changes_leave_nothing)
{
    struct repository_change *change = repository_change_new(repository, NULL);
    struct failure failure;

    stage_text(change, "small", "one", 3);
    stage_text(change, "a", big('a'), 20000);
    ck_assert_int_eq(repository_stage_begin(change, "b", &failure), REPOSITORY_OK);
    ck_assert_int_eq(repository_stage_write(change, "half", 4, &failure), REPOSITORY_OK);
    ck_assert_int_eq(scratch_incoming(), 1);
    repository_change_free(&change);
    scratch_check();
    ck_assert_int_eq(scratch_blob_count, 0);
}
END_TEST

static const char left_name[] = "incoming/0123456789abcdef0123456789abcdef";

static void
put_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
    chmod(path, 0600);
}

/* What a process leaves that dies after it published big('h') and before it committed. */
static void
leave_stage(void)
{
    char path[300], element[8192];

    ck_assert_int_eq(mkdir(scratch_path(left_name), 0700), 0);
    snprintf(path, sizeof(path), "%s%s", left_name, strrchr(big_path('h'), '/'));
    put_file(scratch_path(path), big('h'));
    snprintf(element, sizeof(element), "%s/%.11s", scratch_root, big_path('h'));
    mkdir(element, 0700);
    snprintf(element, sizeof(element), "%s/%s", scratch_root, big_path('h'));
    if (link(scratch_path(path), element) != 0)
        ck_assert_int_eq(errno, EEXIST);
    snprintf(path, sizeof(path), "%s/data", left_name);
    put_file(scratch_path(path), "hal");
    put_file(scratch_path("incoming/scratch"), "x");
}

START_TEST(sweeps_what_the_dead_left)
{
    leave_stage();
    reopen();
    scratch_check();
    ck_assert_int_eq(scratch_blob_count, 0);
}
END_TEST

START_TEST(keeps_what_the_dead_share)
{
    object_create(repository, "x/1", "{\"type\":\"A\",\"elements\":[{\"id\":\"a\"}]}", "a",
                  big('h'));
    leave_stage();
    reopen();
    scratch_check();
    ck_assert_str_eq(element_text(repository, "x/1", "a"), big('h'));
}
END_TEST

START_TEST(leaves_the_living_alone)
{
    int fd;

    leave_stage();
    fd = open(scratch_path(left_name), O_RDONLY | O_DIRECTORY);
    ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
    reopen();
    ck_assert_int_eq(scratch_incoming(), 1);
    close(fd);
    reopen();
    scratch_check();
}
END_TEST

/* A process that was killed may not be quite dead when the next one starts. */
START_TEST(sweeps_what_the_dying_left)
{
    int fd;

    leave_stage();
    fd = open(scratch_path(left_name), O_RDONLY | O_DIRECTORY);
    ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
    reopen();
    ck_assert_int_eq(scratch_incoming(), 1);
    close(fd);
    for (int i = 0; i < 1000 && scratch_incoming() > 0; i++)
        usleep(10000);
    scratch_check();
}
END_TEST

/* A sweep takes away published bytes that another is about to commit: the commit brings them back.
 */
START_TEST(commits_what_was_swept_meanwhile)
{
    struct repository_change *change = repository_change_new(repository, NULL);
    json_t *object = json_loads("{\"type\":\"A\",\"elements\":[{\"id\":\"a\"}]}", 0, NULL);
    struct failure failure;
    json_t *stored;

    stage_text(change, "a", big('h'), 20000);
    leave_stage();
    object_create(repository, "x/1", "{\"type\":\"A\",\"elements\":[{\"id\":\"a\"}]}", "a",
                  big('h'));
    delete_object("x/1");
    ck_assert_int_eq(repository_create(change, "x/2", object, &stored, &failure), REPOSITORY_OK);
    repository_change_free(&change);
    json_decref(stored);
    json_decref(object);
    reopen();
    ck_assert_str_eq(element_text(repository, "x/2", "a"), big('h'));
    scratch_check();
}
END_TEST

/* ------------------------------------------------------------------ trouble */

/* Files that can't grow stand for a full disk. */
START_TEST(survives_a_full_disk)
{
    char *bytes = calloc(1, 1 << 20);
    struct repository_change *change;
    struct failure failure;
    json_t *object = json_loads("{\"type\":\"A\"}", 0, NULL), *stored;

    object_create(repository, "x/1", "{\"type\":\"A\",\"elements\":[{\"id\":\"a\"}]}", "a",
                  "before");
    limit_files(4096);
    change = repository_change_new(repository, NULL);
    ck_assert_int_eq(repository_stage_begin(change, "a", &failure), REPOSITORY_OK);
    ck_assert_int_eq(repository_stage_write(change, bytes, 1 << 20, &failure), REPOSITORY_FAILED);
    ck_assert_str_eq(failure.text, "element bytes can't be stored: File too large");
    repository_change_free(&change);
    change = repository_change_new(repository, NULL);
    stage_text(change, "a", "small", 5);
    ck_assert_int_eq(repository_create(change, "x/2", object, &stored, &failure),
                     REPOSITORY_FAILED);
    ck_assert_ptr_nonnull(strstr(failure.text, "the catalog: "));
    repository_change_free(&change);
    ck_assert_str_eq(element_text(repository, "x/1", "a"), "before");

    limit_files(RLIM_INFINITY);
    ck_assert_int_eq(object_create(repository, "x/2", "{\"type\":\"A\"}"), REPOSITORY_OK);
    ck_assert_int_eq(delete_object("x/1"), REPOSITORY_OK);
    scratch_check();
    json_decref(object);
    free(bytes);
}
END_TEST

START_TEST(survives_a_lack_of_descriptors)
{
    struct rlimit limit, none;
    struct failure failure;
    struct repository_change *change;
    struct repository_bytes bytes;
    json_t *element;

    object_create(repository, "x/1", "{\"type\":\"A\",\"elements\":[{\"id\":\"a\"}]}", "a",
                  big('b'));
    reopen(); /* which closes all connections */
    change = repository_change_new(repository, NULL);
    getrlimit(RLIMIT_NOFILE, &limit);
    none = limit;
    none.rlim_cur = 3;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    ck_assert_int_eq(repository_stage_begin(change, "a", &failure), REPOSITORY_OK);
    ck_assert_int_eq(repository_stage_write(change, big('a'), 20000, &failure), REPOSITORY_FAILED);
    ck_assert_str_eq(failure.text, "element bytes can't be staged: Too many open files");
    ck_assert_int_eq(repository_element(repository, NULL, "x/1", "a", &element, &bytes, &failure),
                     REPOSITORY_FAILED);
    repository_change_free(&change);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_int_eq(object_create(repository, "x/2", "{\"type\":\"A\"}"), REPOSITORY_OK);
    ck_assert_str_eq(element_text(repository, "x/1", "a"), big('b'));
    scratch_check();
}
END_TEST

/* ------------------------------------------------------------------ opening */

START_TEST(refuses_what_is_no_catalog)
{
    struct failure failure;
    char text[8192];

    repository_close(&repository);
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    put_file(scratch_path("catalog.db"), text);
    ck_assert_ptr_null(repository_open(scratch_root, &failure));
    ck_assert_str_eq(failure.text, "the catalog: file is not a database");
}
END_TEST

START_TEST(refuses_a_root_that_is_none)
{
    struct failure failure;

    ck_assert_ptr_null(repository_open(scratch_path("catalog.db"), &failure));
    ck_assert_ptr_nonnull(strstr(failure.text, "/catalog.db: Not a directory"));
    ck_assert_ptr_null(repository_open(scratch_path("no/where"), &failure));
    ck_assert_ptr_nonnull(strstr(failure.text, "/no/where: No such file or directory"));
}
END_TEST

/* ------------------------------------------------------------------ memory */

static _Atomic int asked;
static int refused_at;

static void *
refuse_one(size_t size)
{
    return asked++ == refused_at ? NULL : malloc(size);
}

#define GIVEN                                                                                 \
    "{\"type\":\"T\",\"attributes\":{\"metadata\":1,\"a\":{\"n\":2},\"b\":3},\"elements\":[{" \
    "\"id\":\"e\","                                                                           \
    "\"attributes\":{\"sha256\":\"4\",\"c\":5}},{\"id\":\"f\",\"attributes\":{\"d\":6}}]}"
#define KEPT                                                                               \
    "\"type\":\"T\",\"attributes\":{\"a\":{\"n\":2},\"b\":3},\"elements\":[{\"id\":\"e\"," \
    "\"length\":3,\"attributes\":{\"c\":5}},{\"id\":\"f\",\"attributes\":{\"d\":6}}]}"

/* Creates it while one of Jansson's calls for memory fails; what the answer would tell, or NULL. */
static json_t *
create_short(const char *id, const json_t *given)
{
    struct repository_change *change = repository_change_new(repository, NULL);
    struct failure failure;
    json_t *stored = NULL;
    int status;

    stage_text(change, "e", "one", 3);
    asked = 0;
    json_set_alloc_funcs(refuse_one, free);
    status = repository_create(change, id, given, &stored, &failure);
    json_set_alloc_funcs(malloc, free);
    ck_assert((status == REPOSITORY_OK) == (stored != NULL));
    repository_change_free(&change);
    return stored;
}

/* Jansson's copies leave out what they have no memory for. */
START_TEST(keeps_all_or_nothing_without_memory)
{
    json_t *given = json_loads(GIVEN, 0, NULL), *stored, *metadata;
    char id[20], due[500];
    int failures = 0;

    for (refused_at = 0, asked = 0; asked >= refused_at; refused_at++) { /* until none is refused */
        snprintf(id, sizeof(id), "x/%d", refused_at);
        snprintf(due, sizeof(due), "{\"id\":\"%s\"," KEPT, id);
        stored = create_short(id, given);
        metadata = json_object_get(json_object_get(stored, "attributes"), "metadata");
        ck_assert(stored == NULL || json_object_size(metadata) == 3);
        failures += stored == NULL;
        ck_assert_str_eq(object_text(repository, id), stored == NULL ? "" : due);
        json_decref(stored);
    }
    ck_assert_int_ge(failures, 20);
    json_decref(given);
}
END_TEST

START_TEST(knows_network_file_systems)
{
    ck_assert_str_eq(blobs_network(0x6969), "NFS");
    ck_assert_str_eq(blobs_network((long)0xff534d42), "CIFS");
    ck_assert_str_eq(blobs_network((long)(int)0xff534d42), "CIFS");
    ck_assert_ptr_null(blobs_network(0xef53));     /* ext4 */
    ck_assert_ptr_null(blobs_network(0x01021994)); /* tmpfs */
}
END_TEST

START_TEST(is_private)
{
    static const char *const names[] = {
        "catalog.db", "catalog.db-wal", "catalog.db-shm", "writer.lock",
        "queue.lock", "index.db",       "index.lock",     NULL};
    struct stat status;

    repository_settle(repository);
    for (const char *const *name = names; *name != NULL; name++) {
        ck_assert_msg(stat(scratch_path(*name), &status) == 0, "%s", *name);
        ck_assert_msg((status.st_mode & 077) == 0, "%s: %o", *name, status.st_mode);
    }
    ck_assert_int_eq(stat(scratch_path("incoming"), &status), 0);
    ck_assert_int_eq(status.st_mode & 0777, 0700);
}
END_TEST

static Suite *
suite(void)
{
    Suite *made = suite_create("store trouble");
    TCase *tests = tcase_create("trouble");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, broken_off_changes_leave_nothing);
    tcase_add_test(tests, sweeps_what_the_dead_left);
    tcase_add_test(tests, keeps_what_the_dead_share);
    tcase_add_test(tests, leaves_the_living_alone);
    tcase_add_test(tests, sweeps_what_the_dying_left);
    tcase_add_test(tests, commits_what_was_swept_meanwhile);
    tcase_add_test(tests, survives_a_full_disk);
    tcase_add_test(tests, survives_a_lack_of_descriptors);
    tcase_add_test(tests, refuses_what_is_no_catalog);
    tcase_add_test(tests, refuses_a_root_that_is_none);
    tcase_add_test(tests, keeps_all_or_nothing_without_memory);
    tcase_add_test(tests, knows_network_file_systems);
    tcase_add_test(tests, is_private);
    suite_add_tcase(made, tests);
    return made;
}

UNIT_MAIN(suite)
