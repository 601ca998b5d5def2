/*
 * What the store itself keeps of objects and elements: metadata, digests; and what hangs on the
 * version. Requests fed to the handler's functions, answers looked at as JSON.
 */
#include "unit_store_ask.h"

#include <time.h>

/* The compact output of a successful answer, the caller's. */
static json_t *
output_of(const char *answer)
{
    json_t *head = json_loadb(answer, strlen(answer), JSON_DISABLE_EOF_CHECK, NULL);
    json_t *output = json_incref(json_object_get(head, "output"));

    ck_assert_msg(output != NULL && strstr(answer, "Status.001") != NULL, "%s", answer);
    json_decref(head);
    return output;
}

static json_t *
answer_to(const char *client, exchange_handler handler, const char *request)
{
    return output_of(ask_as(client, DOIP_OUTCOME_COMPLETE, handler, request));
}

static json_t *
metadata_of(const json_t *object)
{
    return json_object_get(json_object_get(object, "attributes"), "metadata");
}

static int64_t
number_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(metadata_of(object), name));
}

static const char *
text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(metadata_of(object), name));
}

static int64_t
now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_REALTIME, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

START_TEST(keeps_who_and_when)
{
    int64_t before = now(), created;
    json_t *object = answer_to("20.1/alice", create,
                               CREATE("{\"id\":\"x/1\",\"type\":\"T\",\"attributes\":{"
                                      "\"acl\":{\"writers\":[\"20.1/bob\"]}}}"));

    created = number_of(object, "createdOn");
    ck_assert(before <= created && created <= now());
    ck_assert_int_eq(number_of(object, "modifiedOn"), created);
    ck_assert_int_eq(number_of(object, "version"), 1);
    ck_assert_str_eq(text_of(object, "createdBy"), "20.1/alice");
    ck_assert_str_eq(text_of(object, "modifiedBy"), "20.1/alice");
    ck_assert_uint_eq(json_object_size(metadata_of(object)), 5);
    json_decref(object);
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    object = answer_to("20.1/bob", update, UPDATE("x/1", "{\"attributes\":{\"a\":1}}"));
    ck_assert_int_eq(number_of(object, "createdOn"), created);
    ck_assert_int_gt(number_of(object, "modifiedOn"), created);
    ck_assert_int_eq(number_of(object, "version"), 2);
    ck_assert_str_eq(text_of(object, "createdBy"), "20.1/alice");
    ck_assert_str_eq(text_of(object, "modifiedBy"), "20.1/bob");
    json_decref(object);
}
END_TEST

START_TEST(leaves_out_who_nobody_is)
{
    json_t *object = answer_to(NULL, create, CREATE("{\"id\":\"x/1\",\"type\":\"T\"}"));

    ck_assert_uint_eq(json_object_size(metadata_of(object)), 3);
    json_decref(object);
}
END_TEST

#define METADATA_SENT "\"metadata\":{\"createdOn\":5,\"createdBy\":\"mallory\",\"version\":77}"

/* A client that sends back what it got, or invents it, changes nothing; nothing of it is found. */
START_TEST(passes_over_metadata_that_is_sent)
{
    static const char *const sent[] = {
        "{\"attributes\":{\"a\":1," METADATA_SENT "}}",
        "{\"attributes\":{" METADATA_SENT ",\"a\":1}}",
        "{\"attributes\":{\"metadata\":\"mallory\",\"a\":1}}",
    };
    json_t *object = answer_to(
        "alice", create,
        CREATE("{\"id\":\"x/1\",\"type\":\"T\",\"attributes\":{\"a\":1," METADATA_SENT "}}"));
    int64_t created = number_of(object, "createdOn");
    char request[400];

    ck_assert_int_gt(created, 5);
    json_decref(object);
    for (int i = 0; i < COUNT_OF(sent); i++) {
        snprintf(request, sizeof(request), UPDATE("x/1", "%s"), sent[i]);
        object = answer_to("alice", update, request);
        ck_assert_int_eq(number_of(object, "createdOn"), created);
        ck_assert_int_eq(number_of(object, "version"), i + 2);
        ck_assert_str_eq(text_of(object, "createdBy"), "alice");
        ck_assert_uint_eq(json_object_size(json_object_get(object, "attributes")), 2);
        json_decref(object);
    }
    ck_assert_int_eq(scratch_sql("SELECT count(*) FROM object WHERE attributes = '{\"a\":1}'"), 1);
    ck_assert_ptr_nonnull(strstr(ask(search, SEARCH("\"query\":\"mallory\"")), "\"size\":0"));
}
END_TEST

#define HELLO_SHA256 "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

static const char *
digest_of(const json_t *object, const char *element)
{
    return json_string_value(json_object_get(
        json_object_get(doip_object_element(object, element), "attributes"), "sha256"));
}

START_TEST(gives_digests)
{
    json_t *object = answer_to(NULL, create, FIRST);

    ck_assert_str_eq(digest_of(object, "a"), HELLO_SHA256);
    ck_assert_ptr_null(digest_of(object, "b"));
    ck_assert_str_eq(digest_of(object, "c"),
                     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    json_decref(object);
    object =
        answer_to(NULL, update,
                  UPDATE("35.TEST/1", "{\"elements\":[{\"id\":\"a\",\"attributes\":{\"sha256\":"
                                      "\"00\",\"n\":1}},{\"id\":\"b\",\"attributes\":{"
                                      "\"sha256\":\"00\"}}]}"));
    ck_assert_str_eq(digest_of(object, "a"), HELLO_SHA256);
    ck_assert_ptr_null(digest_of(object, "b"));
    json_decref(object);
}
END_TEST

/* ------------------------------------------------------------------ what hangs on the version */

#define UPDATE_WITH(id, attributes, input) \
    HEAD(id, "Update", ",\"attributes\":{" attributes "},\"input\":" input) "#\n"
#define DELETE_WITH(id, attributes) HEAD(id, "Delete", ",\"attributes\":{" attributes "}") "#\n"

START_TEST(refuses_another_version)
{
    const char *refusal =
        ERROR("101", "The object 'x/1' has version 2, not 1 as 'ifVersion' demands.");

    ask(create, CREATE("{\"id\":\"x/1\",\"type\":\"T\"}"));
    ck_assert_str_eq(ask(update, UPDATE_WITH("x/1", "\"ifVersion\":1", "{\"type\":\"U\"}")),
                     OUTPUT("{\"id\":\"x/1\",\"type\":\"U\"}"));
    ck_assert_str_eq(ask(update, UPDATE_WITH("x/1", "\"ifVersion\":1", "{\"type\":\"V\"}")),
                     refusal);
    ck_assert_str_eq(ask(delete, DELETE_WITH("x/1", "\"ifVersion\":\"1\"")), refusal);
    ck_assert_str_eq(ask(retrieve, RETRIEVE("x/1", "")), OUTPUT("{\"id\":\"x/1\",\"type\":\"U\"}"));
    ck_assert_ptr_nonnull(
        strstr(ask(delete, DELETE_WITH("x/1", "\"ifVersion\":0")), "versions count from 1"));
    ck_assert_ptr_nonnull(
        strstr(ask(update, UPDATE_WITH("x/1", "\"ifVersion\":\"new\"", "{}")), "Status.101"));
    ck_assert_ptr_nonnull(
        strstr(ask(update, UPDATE_WITH("x/2", "\"ifVersion\":1", "{}")), "Status.104"));
    ck_assert_str_eq(ask(delete, DELETE_WITH("x/1", "\"ifVersion\":\"2\"")), SUCCESS "}\n#\n#\n");
}
END_TEST

/* Of two who both saw version 1, one is refused although it was not before its bytes were read. */
START_TEST(one_of_two_wins)
{
    struct repository *other = scratch_open();
    struct repository_change *change = repository_change_new(other, NULL);
    const struct repository_terms terms = {.version = 1};
    json_t *object = json_loads("{\"elements\":[{\"id\":\"e\"}]}", 0, NULL), *stored;
    struct failure failure;

    ask(create, CREATE("{\"id\":\"x/1\",\"type\":\"T\"}"));
    stage_text(change, "e", "late", 4);
    ask(update, UPDATE_WITH("x/1", "\"ifVersion\":1", "{\"type\":\"U\"}"));
    ck_assert_int_eq(repository_update(change, "x/1", object, &terms, &stored, &failure),
                     REPOSITORY_REFUSED);
    ck_assert_str_eq(failure.text, "The object 'x/1' has version 2, not 1 as 'ifVersion' demands.");
    ck_assert_ptr_null(stored);
    repository_change_free(&change);
    json_decref(object);
    repository_close(&other);
    ck_assert_str_eq(ask(retrieve, RETRIEVE("x/1", "")), OUTPUT("{\"id\":\"x/1\",\"type\":\"U\"}"));
    scratch_check();
}
END_TEST

START_TEST(deletes_elements)
{
    ask(create, FIRST);
    ck_assert_str_eq(
        ask(update, UPDATE_WITH("35.TEST/1", "\"elementsToDelete\":[\"a\",\"c\",\"none\"]",
                                "{\"attributes\":{\"n\":1},\"elements\":[{\"id\":\"d\"}]}")),
        OUTPUT("{\"id\":\"35.TEST/1\",\"type\":\"Document\",\"attributes\":{\"n\":1},"
               "\"elements\":[{\"id\":\"b\"},{\"id\":\"d\"}]}"));
    scratch_check();
    ck_assert_int_eq(scratch_blob_count, 0);
    ck_assert_str_eq(
        ask(update, UPDATE_WITH("35.TEST/1", "\"elementsToDelete\":[\"b\"]",
                                "{\"elements\":[{\"id\":\"b\"}]}")),
        ERROR("101", "The element 'b' is given in the input and in 'elementsToDelete'."));
    ck_assert_str_eq(
        ask(update, UPDATE_WITH("35.TEST/1", "\"elementsToDelete\":\"b\"", "{}")),
        ERROR("101", "The attribute 'elementsToDelete' is not an array of element ids."));
    ck_assert_str_eq(ask(update, UPDATE_WITH("35.TEST/1", "\"elementsToDelete\":[\"b\",1]", "{}")),
                     ERROR("101", "Item 1 of the attribute 'elementsToDelete' is not a string."));
    ck_assert_ptr_nonnull(strstr(
        ask(update, UPDATE_WITH("35.TEST/1", "\"elementsToDelete\":null", "{}")), "Status.001"));
}
END_TEST

static Suite *
suite(void)
{
    Suite *made = suite_create("store metadata");
    TCase *tests = tcase_create("metadata");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, keeps_who_and_when);
    tcase_add_test(tests, leaves_out_who_nobody_is);
    tcase_add_test(tests, passes_over_metadata_that_is_sent);
    tcase_add_test(tests, gives_digests);
    tcase_add_test(tests, refuses_another_version);
    tcase_add_test(tests, one_of_two_wins);
    tcase_add_test(tests, deletes_elements);
    suite_add_tcase(made, tests);
    return made;
}

UNIT_MAIN(suite)
