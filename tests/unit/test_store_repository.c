/*
 * The store's repository side alone: what is kept, what is removed, and what readers see.
 */
#include "unit_store_repository.h"

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
    ck_assert_int_eq(scratch_blob_count, 0);
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
    ck_assert_int_eq(scratch_blob_count, 3);
    ck_assert_int_eq(object_update(repository, "x/1", "{}"), REPOSITORY_OK);
    ck_assert_int_eq(scratch_sql("SELECT version FROM object"), 4);
}
END_TEST

static void
equal_bytes(const char *same, const char *other)
{
    const char *both = "{\"type\":\"A\",\"elements\":[{\"id\":\"a\"},{\"id\":\"b\"}]}";

    object_create(repository, "x/1", both, "a", same, "b", same);
    object_create(repository, "x/2", both, "a", same, "b", other);
    scratch_check();
    ck_assert_int_eq(scratch_blob_count, 2);
    ck_assert_int_eq(delete_object("x/1"), REPOSITORY_OK);
    ck_assert_str_eq(element_text(repository, "x/2", "a"), same);
    scratch_check();
    ck_assert_int_eq(scratch_blob_count, 2);
    ck_assert_int_eq(object_update(repository, "x/2", both, "a", other), REPOSITORY_OK);
    scratch_check();
    ck_assert_int_eq(scratch_blob_count, 1);
    ck_assert_int_eq(object_update(repository, "x/2", both, "a", other, "b", other), REPOSITORY_OK);
    ck_assert_int_eq(delete_object("x/2"), REPOSITORY_OK);
    scratch_check();
    ck_assert_int_eq(scratch_blob_count, 0);
}

START_TEST(stores_equal_bytes_once)
{
    equal_bytes("same", "other");
    equal_bytes(big('s'), big('t'));
    equal_bytes("same", big('t'));
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

static void
read_while_replaced(const char *old)
{
    struct repository_bytes bytes;
    struct failure failure;
    json_t *element;
    char text[20001] = "";

    object_create(repository, "x/1", "{\"type\":\"A\",\"elements\":[{\"id\":\"a\"}]}", "a", old);
    ck_assert_int_eq(repository_element(repository, NULL, "x/1", "a", &element, &bytes, &failure),
                     REPOSITORY_OK);
    json_decref(element);
    object_update(repository, "x/1", "{\"elements\":[{\"id\":\"a\"}]}", "a", "new");
    delete_object("x/1");
    scratch_check();
    ck_assert_int_eq(bytes_text(&bytes, text, sizeof(text)), (ssize_t)strlen(old));
    ck_assert_str_eq(text, old);
    repository_bytes_fini(&bytes);
}

START_TEST(readers_keep_old_bytes)
{
    read_while_replaced("old");
    read_while_replaced(big('o'));
}
END_TEST

/* `count` elements with data, and one without; read while the object is deleted in between. */
static void
whole_while_deleted(int count)
{
    struct repository_change *change = repository_change_new(repository, NULL);
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
    ck_assert_int_eq(repository_whole(repository, NULL, "x/1", &whole, &failure), REPOSITORY_OK);
    ck_assert_uint_eq(json_array_size(json_object_get(repository_whole_object(whole), "elements")),
                      count + 1);
    while (repository_whole_next(whole, &id, &bytes, &failure) == 1) {
        if (seen == 1)
            delete_object("x/1");
        snprintf(name, sizeof(name), "e%d", seen++);
        ck_assert_str_eq(id, name);
        memset(text, 0, sizeof(text));
        ck_assert_int_eq(bytes_text(&bytes, text, sizeof(text)), (ssize_t)bytes.length);
        ck_assert_str_eq(text, name);
    }
    ck_assert_int_eq(seen, count);
    repository_whole_free(&whole);
    scratch_check();
    ck_assert_int_eq(scratch_blob_count, 0);
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
    const char *json = "{\"type\":\"A\",\"elements\":[{\"id\":\"a\"}]}";
    struct repository_bytes bytes;
    struct failure failure;
    json_t *element;
    char text[200];

    object_create(repository, "x/1", json, "a", big('m'));
    ck_assert_int_eq(unlink(scratch_path(big_path('m'))), 0);
    ck_assert_int_eq(repository_element(repository, NULL, "x/1", "a", &element, &bytes, &failure),
                     REPOSITORY_FAILED);
    snprintf(text, sizeof(text), "element bytes %s can't be read: No such file or directory",
             big_path('m') + strlen("elements/00/"));
    ck_assert_str_eq(failure.text, text);
    /* The same bytes, once more, mend it. */
    ck_assert_int_eq(object_create(repository, "x/2", json, "a", big('m')), REPOSITORY_OK);
    ck_assert_str_eq(element_text(repository, "x/1", "a"), big('m'));
    scratch_check();
}
END_TEST

START_TEST(mends_damaged_bytes)
{
    const char *json = "{\"type\":\"A\",\"elements\":[{\"id\":\"a\"}]}";

    object_create(repository, "x/1", json, "a", big('h'));
    ck_assert_int_eq(truncate(scratch_path(big_path('h')), 2), 0);
    object_create(repository, "x/2", json, "a", big('h'));
    ck_assert_str_eq(element_text(repository, "x/1", "a"), big('h'));
    scratch_check();
}
END_TEST

/* Small bytes are in the catalog, up to a bound for one change; the rest are files. */
START_TEST(keeps_small_bytes_in_the_catalog)
{
    struct repository_change *change = repository_change_new(repository, NULL);
    json_t *object = json_pack("{s:s, s:[]}", "type", "A", "elements");
    static char text[16385];
    struct failure failure;
    json_t *stored;
    char name[16];

    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "e%d", i);
        memset(text, 'a' + i, sizeof(text));
        json_array_append_new(json_object_get(object, "elements"), json_pack("{s:s}", "id", name));
        stage_text(change, name, text, sizeof(text) - (i > 0));
    }
    ck_assert_int_eq(repository_create(change, "x/1", object, &stored, &failure), REPOSITORY_OK);
    json_decref(stored);
    repository_change_free(&change);
    scratch_check();
    ck_assert_int_eq(scratch_blob_count, 20);
    ck_assert_int_eq(scratch_sql("SELECT count(data) FROM blob"), 16);
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "e%d", i);
        memset(text, 'a' + i, sizeof(text));
        text[16384] = '\0';
        ck_assert_int_eq(strncmp(element_text(repository, "x/1", name), text, 16384), 0);
    }
    delete_object("x/1");
    scratch_check();
    ck_assert_int_eq(scratch_blob_count, 0);
    json_decref(object);
}
END_TEST

/* ------------------------------------------------------------------ limits */

/* Bytes staged one by one element; what is said when they are not taken, "" when they are. */
static const char *
put_limited(bool create, const char *id, const char *element, const char *text, const char *drop)
{
    static struct failure failure;
    struct repository_change *change = repository_change_new(repository, NULL);
    json_t *object = json_pack("{s:s, s:[{s:s}]}", "type", "T", "elements", "id", element);
    json_t *dropped = json_pack("[s]", drop), *stored = NULL;
    const struct repository_terms terms = {.version = REPOSITORY_ANY_VERSION, .drop = dropped};
    int status = repository_stage_begin(change, element, &failure);

    failure.text[0] = '\0';
    for (size_t size = 0; status == REPOSITORY_OK && text[size] != '\0'; size += 10)
        status = repository_stage_write(change, text + size, 10, &failure);
    if (status == REPOSITORY_OK)
        status = repository_stage_end(change, &failure);
    if (status == REPOSITORY_OK)
        status = create ? repository_create(change, id, object, &stored, &failure)
                        : repository_update(change, id, object, &terms, &stored, &failure);
    ck_assert_int_eq(status, failure.text[0] == '\0' ? REPOSITORY_OK : REPOSITORY_REFUSED);
    json_decref(stored);
    json_decref(dropped);
    json_decref(object);
    repository_change_free(&change);
    scratch_check();
    return failure.text;
}

static void
limit(uint64_t element, uint64_t object, uint64_t quota)
{
    repository_limit(repository, &(struct repository_limits){element, object, quota});
}

START_TEST(keeps_to_the_limit_of_elements)
{
    limit(20000, 0, 0);
    ck_assert_str_eq(put_limited(true, "x/1", "a", big('a'), "-"), "");
    limit(19999, 0, 0);
    ck_assert_str_eq(put_limited(true, "x/2", "b", big('b'), "-"),
                     "The element would be larger than 19999 bytes, which 'max_element' allows.");
    limit(9, 0, 0);
    ck_assert_str_eq(put_limited(true, "x/2", "b", "0123456789", "-"),
                     "The element would be larger than 9 bytes, which 'max_element' allows.");
    ck_assert_str_eq(object_text(repository, "x/2"), "");
}
END_TEST

START_TEST(keeps_to_the_limit_of_objects)
{
    const char *refusal = "The object would be larger than 25000 bytes, which 'max_object' allows.";

    limit(0, 25000, 0);
    ck_assert_str_eq(put_limited(true, "x/1", "a", big('a'), "-"), "");
    ck_assert_str_eq(put_limited(false, "x/1", "b", big('b'), "-"), refusal);
    ck_assert_str_eq(put_limited(false, "x/1", "b", "0123456789", "-"), "");
    ck_assert_str_eq(put_limited(false, "x/1", "a", big('c'), "-"), "");
    ck_assert_str_eq(put_limited(false, "x/1", "d", big('d'), "a"), "");
    limit(0, 19000, 0);
    ck_assert_int_eq(object_update(repository, "x/1", "{\"type\":\"U\"}"), REPOSITORY_OK);
}
END_TEST

START_TEST(keeps_to_the_quota)
{
    const char *refusal = "The repository would be larger than 30000 bytes, which 'quota' allows.";

    limit(0, 0, 30000);
    ck_assert_str_eq(put_limited(true, "x/1", "a", big('a'), "-"), "");
    ck_assert_str_eq(put_limited(true, "x/2", "a", big('b'), "-"), refusal);
    ck_assert_str_eq(put_limited(true, "x/2", "a", "0123456789", "-"), "");
    ck_assert_int_eq(object_update(repository, "x/1", "{\"type\":\"U\"}"), REPOSITORY_OK);
    ck_assert_int_eq(delete_object("x/1"), REPOSITORY_OK);
    repository_settle(repository);
    ck_assert_str_eq(put_limited(true, "x/3", "a", big('b'), "-"), "");
    limit(0, 0, 20000);
    ck_assert_str_eq(put_limited(true, "x/4", "a", "0123456789", "-"),
                     "The repository would be larger than 20000 bytes, which 'quota' allows.");
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
    tcase_add_test(tests, keeps_small_bytes_in_the_catalog);
    tcase_add_test(tests, keeps_to_the_limit_of_elements);
    tcase_add_test(tests, keeps_to_the_limit_of_objects);
    tcase_add_test(tests, keeps_to_the_quota);
    suite_add_tcase(made, tests);
    return made;
}

UNIT_MAIN(suite)
