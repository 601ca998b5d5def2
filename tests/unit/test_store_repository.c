/*
 * The store's repository side alone: what is kept, what is removed, and what readers see.
 */
#include "unit_store.h"

static struct repository *repository;

static void
setup(void)
{
    scratch_setup();
    repository = scratch_open();
}

static void
teardown(void)
{
    repository_close(&repository);
    scratch_teardown();
}

static void
reopen(void)
{
    repository_close(&repository);
    repository = scratch_open();
}

static int
delete_object(const char *id)
{
    struct failure failure;
    int status = repository_delete(repository, id, &failure);

    ck_assert_msg(status != REPOSITORY_FAILED, "%s", failure.text);
    return status;
}

/* ------------------------------------------------------------------ objects */

START_TEST(keeps_what_is_created)
{
    const char *text =
        "{\"id\":\"35.TEST/"
        "1\",\"type\":\"Document\",\"attributes\":{\"z\":1,\"a\":1.0,\"m\":{\"k\":[null,"
        "true,\"\\u00fc\"]}},\"elements\":[{\"id\":\"one\",\"type\":\"text/plain\",\"length\":5,"
        "\"attributes\":{\"filename\":\"f\"}},{\"id\":\"none\"},{\"id\":\"empty\",\"length\":0}]}";
    char *plain = strdup(text);

    ck_assert_int_eq(object_create(repository, "35.TEST/1", text, "one", "hello", "empty", ""),
                     REPOSITORY_OK);
    /* json_dumps() of the test's own writes ü as itself */
    memmove(strstr(plain, "\\u00fc") + 2, strstr(plain, "\\u00fc") + 6,
            strlen(strstr(plain, "\\u00fc") + 6) + 1);
    memcpy(strstr(plain, "\\u"), "\xc3\xbc", 2);
    ck_assert_str_eq(object_text(repository, "35.TEST/1"), plain);
    ck_assert_str_eq(element_text(repository, "35.TEST/1", "one"), "hello");
    ck_assert_str_eq(element_text(repository, "35.TEST/1", "none"), "(none)");
    ck_assert_str_eq(element_text(repository, "35.TEST/1", "empty"), "");
    ck_assert_ptr_null(element_text(repository, "35.TEST/1", "other"));
    reopen();
    ck_assert_str_eq(object_text(repository, "35.TEST/1"), plain);
    ck_assert_str_eq(element_text(repository, "35.TEST/1", "one"), "hello");
    free(plain);
    scratch_check();
}
END_TEST

START_TEST(drops_a_length_without_data)
{
    object_create(repository, "x/1", "{\"type\":\"T\",\"elements\":[{\"id\":\"e\",\"length\":7}]}");
    ck_assert_str_eq(object_text(repository, "x/1"),
                     "{\"id\":\"x/1\",\"type\":\"T\",\"elements\":[{\"id\":\"e\"}]}");
}
END_TEST

START_TEST(refuses_a_taken_id)
{
    ck_assert_int_eq(object_create(repository, "x/1", "{\"type\":\"A\"}", "e", "1"), REPOSITORY_OK);
    ck_assert_int_eq(object_create(repository, "x/1", "{\"type\":\"B\"}", "e", "2"),
                     REPOSITORY_TAKEN);
    ck_assert_str_eq(object_text(repository, "x/1"), "{\"id\":\"x/1\",\"type\":\"A\"}");
}
END_TEST

START_TEST(leaves_nothing_of_a_refused_create)
{
    ck_assert_int_eq(object_create(repository, "x/1", "{\"type\":\"A\"}"), REPOSITORY_OK);
    ck_assert_int_eq(object_create(repository, "x/1",
                                   "{\"type\":\"B\",\"elements\":[{\"id\":\"e\"}]}", "e", "2"),
                     REPOSITORY_TAKEN);
    ck_assert_int_eq(object_update(repository, "x/2",
                                   "{\"type\":\"B\",\"elements\":[{\"id\":\"e\"}]}", "e", "3"),
                     REPOSITORY_UNKNOWN);
    scratch_check();
    ck_assert_int_eq(scratch_file_count, 0);
}
END_TEST

START_TEST(updates_what_is_given)
{
    object_create(repository, "x/1",
                  "{\"type\":\"A\",\"attributes\":{\"k\":1,\"l\":2},\"elements\":[{\"id\":\"a\","
                  "\"type\":\"t/a\"},"
                  "{\"id\":\"b\",\"attributes\":{\"n\":1}},{\"id\":\"c\"}]}",
                  "a", "one", "b", "two");
    ck_assert_int_eq(object_update(repository, "x/1", "{\"attributes\":{\"n\":3}}"), REPOSITORY_OK);
    ck_assert_str_eq(
        object_text(repository, "x/1"),
        "{\"id\":\"x/"
        "1\",\"type\":\"A\",\"attributes\":{\"n\":3},\"elements\":[{\"id\":\"a\",\"type\":\"t/a\","
        "\"length\":3},{\"id\":\"b\",\"length\":3,\"attributes\":{\"n\":1}},{\"id\":\"c\"}]}");
    ck_assert_int_eq(
        object_update(repository, "x/1",
                      "{\"type\":\"B\",\"elements\":[{\"id\":\"d\"},{\"id\":\"b\",\"type\":\"t/b\","
                      "\"attributes\":{\"o\":2}},{\"id\":\"a\"}]}",
                      "d", "four!", "a", "replaced"),
        REPOSITORY_OK);
    ck_assert_str_eq(
        object_text(repository, "x/1"),
        "{\"id\":\"x/"
        "1\",\"type\":\"B\",\"attributes\":{\"n\":3},\"elements\":[{\"id\":\"a\",\"type\":\"t/a\","
        "\"length\":8},{\"id\":\"b\",\"type\":\"t/"
        "b\",\"length\":3,\"attributes\":{\"o\":2}},{\"id\":\"c\"},"
        "{\"id\":\"d\",\"length\":5}]}");
    ck_assert_str_eq(element_text(repository, "x/1", "a"), "replaced");
    ck_assert_str_eq(element_text(repository, "x/1", "b"), "two");
    ck_assert_str_eq(element_text(repository, "x/1", "d"), "four!");
    scratch_check();
    ck_assert_int_eq(scratch_file_count, 3);
    ck_assert_int_eq(object_update(repository, "x/1", "{}"), REPOSITORY_OK);
    ck_assert_int_eq(scratch_sql("SELECT version FROM object"), 4);
}
END_TEST

START_TEST(stores_equal_bytes_once)
{
    const char *both = "{\"type\":\"A\",\"elements\":[{\"id\":\"a\"},{\"id\":\"b\"}]}";

    object_create(repository, "x/1", both, "a", "same", "b", "same");
    object_create(repository, "x/2", both, "a", "same", "b", "other");
    scratch_check();
    ck_assert_int_eq(scratch_file_count, 2);
    ck_assert_int_eq(delete_object("x/1"), REPOSITORY_OK);
    ck_assert_str_eq(element_text(repository, "x/2", "a"), "same");
    scratch_check();
    ck_assert_int_eq(scratch_file_count, 2);
    ck_assert_int_eq(object_update(repository, "x/2", both, "a", "other"), REPOSITORY_OK);
    scratch_check();
    ck_assert_int_eq(scratch_file_count, 1);
    ck_assert_int_eq(object_update(repository, "x/2", both, "a", "other", "b", "other"),
                     REPOSITORY_OK);
    ck_assert_int_eq(delete_object("x/2"), REPOSITORY_OK);
    scratch_check();
    ck_assert_int_eq(scratch_file_count, 0);
}
END_TEST

START_TEST(deletes)
{
    ck_assert_int_eq(delete_object("x/1"), REPOSITORY_UNKNOWN);
    object_create(repository, "x/1", "{\"type\":\"A\",\"elements\":[{\"id\":\"a\"}]}", "a", "one");
    ck_assert_int_eq(delete_object("x/1"), REPOSITORY_OK);
    ck_assert_int_eq(delete_object("x/1"), REPOSITORY_UNKNOWN);
    ck_assert_str_eq(object_text(repository, "x/1"), "");
    ck_assert_ptr_null(element_text(repository, "x/1", "a"));
    ck_assert_int_eq(object_create(repository, "x/1", "{\"type\":\"A\"}"), REPOSITORY_OK);
    scratch_check();
}
END_TEST

static const char *const strange_ids[] = {
    "..",
    "../..",
    "/",
    "a/../../b",
    ".",
    "'; DROP TABLE object; --",
    "\"",
    "x\ny",
    "a b",
    "%s%n",
    "*",
    "\xc3\xbc",
    "u\xcc\x88",
    "X",
    "x",
    "x ",
    "\xf0\x9f\x92\xbe/1",
    "NULL",
    "0",
    "00",
};

/* They are all different, also those that differ by case, blanks or normalization. */
START_TEST(keeps_strange_ids_apart)
{
    int count = sizeof(strange_ids) / sizeof(*strange_ids);
    char longest[513];

    memset(longest, 'x', 512);
    longest[512] = '\0';
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(object_create(repository, strange_ids[i],
                                       "{\"type\":\"A\",\"elements\":[{\"id\":\"../e\"}]}", "../e",
                                       strange_ids[i]),
                         REPOSITORY_OK);
    ck_assert_int_eq(object_create(repository, longest, "{\"type\":\"A\"}"), REPOSITORY_OK);
    for (int i = 0; i < count; i++)
        ck_assert_str_eq(element_text(repository, strange_ids[i], "../e"), strange_ids[i]);
    scratch_check();
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(delete_object(strange_ids[i]), REPOSITORY_OK);
    ck_assert_int_eq(scratch_sql("SELECT count(*) FROM object"), 1);
    scratch_check();
}
END_TEST

/* ------------------------------------------------------------------ readers */

START_TEST(readers_keep_old_bytes)
{
    struct repository_bytes bytes;
    struct failure failure;
    json_t *element;
    char text[4] = "";

    object_create(repository, "x/1", "{\"type\":\"A\",\"elements\":[{\"id\":\"a\"}]}", "a", "old");
    ck_assert_int_eq(repository_element(repository, "x/1", "a", &element, &bytes, &failure),
                     REPOSITORY_OK);
    json_decref(element);
    object_update(repository, "x/1", "{\"elements\":[{\"id\":\"a\"}]}", "a", "new");
    delete_object("x/1");
    scratch_check();
    ck_assert_int_eq(pread(bytes.fd, text, 3, 0), 3);
    ck_assert_str_eq(text, "old");
    close(bytes.fd);
}
END_TEST

/* `count` elements with data, and one without; read while the object is deleted in between. */
static void
whole_while_deleted(int count)
{
    struct repository_change *change = repository_change_new(repository, "someone");
    json_t *object = json_pack("{s:s, s:[{s:s}]}", "type", "A", "elements", "id", "no data");
    struct repository_whole *whole;
    struct repository_bytes bytes;
    struct failure failure;
    const char *id;
    json_t *stored;
    char name[16], text[16];
    int seen = 0;

    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "e%d", i);
        json_array_append_new(json_object_get(object, "elements"), json_pack("{s:s}", "id", name));
        stage_text(change, name, name, strlen(name));
    }
    ck_assert_int_eq(repository_create(change, "x/1", object, &stored, &failure), REPOSITORY_OK);
    json_decref(stored);
    repository_change_free(&change);
    ck_assert_int_eq(repository_whole(repository, "x/1", &whole, &failure), REPOSITORY_OK);
    ck_assert_uint_eq(json_array_size(json_object_get(repository_whole_object(whole), "elements")),
                      count + 1);
    while (repository_whole_next(whole, &id, &bytes, &failure) == 1) {
        if (seen == 1)
            delete_object("x/1");
        snprintf(name, sizeof(name), "e%d", seen++);
        ck_assert_str_eq(id, name);
        memset(text, 0, sizeof(text));
        ck_assert_int_eq(pread(bytes.fd, text, sizeof(text), 0), (ssize_t)bytes.length);
        ck_assert_str_eq(text, name);
    }
    ck_assert_int_eq(seen, count);
    repository_whole_free(&whole);
    scratch_check();
    ck_assert_int_eq(scratch_file_count, 0);
    json_decref(object);
}

START_TEST(whole_objects_stay_as_they_were)
{
    whole_while_deleted(3);
    whole_while_deleted(100);
}
END_TEST

START_TEST(says_what_is_missing)
{
    struct repository_bytes bytes;
    struct failure failure;
    json_t *element;

    object_create(repository, "x/1", "{\"type\":\"A\",\"elements\":[{\"id\":\"a\"}]}", "a", "");
    ck_assert_int_eq(
        unlink(scratch_path("elements/e3/"
                            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")),
        0);
    ck_assert_int_eq(repository_element(repository, "x/1", "a", &element, &bytes, &failure),
                     REPOSITORY_FAILED);
    ck_assert_str_eq(
        failure.text,
        "element bytes e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 can't "
        "be read: No such file or directory");
    /* The same bytes, once more, mend it. */
    ck_assert_int_eq(
        object_create(repository, "x/2", "{\"type\":\"A\",\"elements\":[{\"id\":\"a\"}]}", "a", ""),
        REPOSITORY_OK);
    ck_assert_str_eq(element_text(repository, "x/1", "a"), "");
    scratch_check();
}
END_TEST

START_TEST(mends_damaged_bytes)
{
    const char *hash =
        "elements/2c/2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    object_create(repository, "x/1", "{\"type\":\"A\",\"elements\":[{\"id\":\"a\"}]}", "a",
                  "hello");
    ck_assert_int_eq(truncate(scratch_path(hash), 2), 0);
    object_create(repository, "x/2", "{\"type\":\"A\",\"elements\":[{\"id\":\"a\"}]}", "a",
                  "hello");
    ck_assert_str_eq(element_text(repository, "x/1", "a"), "hello");
    scratch_check();
}
END_TEST

static Suite *
suite(void)
{
    Suite *made = suite_create("store repository");
    TCase *tests = tcase_create("repository");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, keeps_what_is_created);
    tcase_add_test(tests, drops_a_length_without_data);
    tcase_add_test(tests, refuses_a_taken_id);
    tcase_add_test(tests, leaves_nothing_of_a_refused_create);
    tcase_add_test(tests, updates_what_is_given);
    tcase_add_test(tests, stores_equal_bytes_once);
    tcase_add_test(tests, deletes);
    tcase_add_test(tests, keeps_strange_ids_apart);
    tcase_add_test(tests, readers_keep_old_bytes);
    tcase_add_test(tests, whole_objects_stay_as_they_were);
    tcase_add_test(tests, says_what_is_missing);
    tcase_add_test(tests, mends_damaged_bytes);
    suite_add_tcase(made, tests);
    return made;
}

UNIT_MAIN(suite)
