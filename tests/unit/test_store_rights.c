/*
 * Who may, as clients of the store meet it: operations by different clients, lists that are given,
 * kept, changed and asked for, and what holds when they change in between.
 */
#include "unit_store_rights.h"

#define FORBIDDEN "0.DOIP/Status.103"
#define UNAUTHENTICATED "0.DOIP/Status.102"
#define INVALID "0.DOIP/Status.101"

#define EXTENDED(id, operation, rest) \
    "{\"targetId\":\"" id "\",\"operationId\":\"20.DOIP/Op." operation "\"" rest "}\n#\n#\n"
#define GET_ACL(id) EXTENDED(id, "GetAcl", "")
#define UPDATE_ACL(id, input) EXTENDED(id, "UpdateAcl", ",\"input\":" input)
#define UPDATE_WITH(id, attributes, input) \
    HEAD(id, "Update", ",\"attributes\":{" attributes "},\"input\":" input) "#\n"

/* The daemon answers what the store leaves to it. */
static doip_result
list_or_daemon(doip_request *request, doip_response *response)
{
    doip_result result = list(request, response);

    return result == DOIP_DECLINED ? doip_respond_json(response, json_array()) : result;
}

/* ------------------------------------------------------------------ who may what */

struct use {
    exchange_handler handler;
    const char *request;
    bool reads;
    const char *good; /* when the client may */
};

/* A version that the object never has tells that a change would have been made, without one. */
#define NEVER "\"ifVersion\":99"

static const struct use uses[] = {
    {retrieve, RETRIEVE("x/1", ""), true, GOOD},
    {retrieve, RETRIEVE("x/1", "\"element\":\"e\""), true, GOOD},
    {retrieve, RETRIEVE("x/1", "\"includeElementData\":true"), true, GOOD},
    {list_or_daemon, HEAD("x/1", "ListOperations", "") "#\n", true, GOOD},
    {extended, GET_ACL("x/1"), true, GOOD},
    {update, UPDATE("x/1", "{\"type\":\"T\"}"), false, GOOD},
    {update, UPDATE_WITH("x/1", NEVER, "{\"attributes\":{\"acl\":{}}}"), false, INVALID},
    {delete, HEAD("x/1", "Delete", ",\"attributes\":{" NEVER "}") "#\n", false, INVALID},
    {extended, EXTENDED("x/1", "UpdateAcl", ",\"attributes\":{" NEVER "},\"input\":{}"), false,
     INVALID},
};

struct asking {
    const char *client;
    const char *group;
    bool reads;
    bool writes;
};

static const struct asking askings[] = {
    {"alice", NULL, true, true},      {"root", NULL, true, true},
    {"bob", NULL, true, false},       {"carol", NULL, true, true},
    {"dave", "staff", true, false},   {"dave", "chiefs", true, true},
    {"dave", "others", false, false}, {NULL, NULL, false, false},
};

START_TEST(each_may_what_lists_say)
{
    const struct asking *one = &askings[_i];
    const char *refusal = one->client == NULL ? UNAUTHENTICATED : FORBIDDEN;

    close_store();
    open_store_with("", "{}", "[\"root\",\"chiefs\"]");
    expect(answer_to("alice", create, WITH_ACL("x/1", ACL("\"bob\",\"staff\"", "\"carol\""))),
           GOOD);
    for (int i = 0; i < COUNT_OF(uses); i++) {
        bool may = uses[i].reads ? one->reads : one->writes;

        expect(answer_of(one->client, one->group, uses[i].handler, uses[i].request),
               may ? uses[i].good : refusal);
    }
}
END_TEST

START_TEST(says_what_is_missing)
{
    ask_as("alice", DOIP_OUTCOME_COMPLETE, create, WITH_ACL("x/1", ACL("", "")));
    ck_assert_str_eq(answer_to("bob", retrieve, RETRIEVE("x/1", "")),
                     ERROR("103", "'bob' may not read the object 'x/1'."));
    ck_assert_str_eq(answer_to(NULL, retrieve, RETRIEVE("x/1", "")),
                     ERROR("102", "To read the object 'x/1', authentication is needed."));
    ck_assert_str_eq(answer_to("bob", delete, DELETE("x/1")),
                     ERROR("103", "'bob' may not change the object 'x/1'."));
    ck_assert_str_eq(answer_to(NULL, update, UPDATE("x/1", "{}")),
                     ERROR("102", "To change the object 'x/1', authentication is needed."));
    ck_assert_str_eq(answer_to("bob", retrieve, RETRIEVE("x/1", "\"element\":\"none\"")),
                     ERROR("103", "'bob' may not read the object 'x/1'."));
    expect(answer_to("bob", retrieve, RETRIEVE("x/2", "")), "Status.104");
    expect(answer_to("bob", create, CREATE("{\"id\":\"x/1\",\"type\":\"T\"}")), "Status.105");
}
END_TEST

START_TEST(by_default_all_read_and_the_creator_writes)
{
    ask_as("alice", DOIP_OUTCOME_COMPLETE, create, CREATE("{\"id\":\"x/1\",\"type\":\"T\"}"));
    expect(answer_to(NULL, retrieve, RETRIEVE("x/1", "")), GOOD);
    expect(answer_to("bob", update, UPDATE("x/1", "{}")), FORBIDDEN);
    expect(answer_to("alice", update, UPDATE("x/1", "{}")), GOOD);
    expect(answer_to("alice", delete, DELETE("x/1")), GOOD);
}
END_TEST

START_TEST(what_nobody_created_is_everybodys)
{
    ask(create, CREATE("{\"id\":\"x/1\",\"type\":\"T\"}"));
    expect(answer_to("bob", update, UPDATE("x/1", "{}")), GOOD);
    expect(answer_to(NULL, update, UPDATE("x/1", "{}")), GOOD);
    expect(answer_to("bob", extended, UPDATE_ACL("x/1", "{\"writers\":[\"bob\"]}")), GOOD);
    expect(answer_to(NULL, update, UPDATE("x/1", "{}")), UNAUTHENTICATED);
    expect(answer_to("alice", delete, DELETE("x/1")), FORBIDDEN);
    expect(answer_to(NULL, retrieve, RETRIEVE("x/1", "")), GOOD);
    expect(answer_to("bob", delete, DELETE("x/1")), GOOD);
}
END_TEST

#define RULES                                                                        \
    "{\"readers\":[\"authenticated\"],\"writers\":[\"staff\"],\"types\":[{\"type\":" \
    "\"Page\",\"readers\":[\"public\"],\"writers\":[]}]}"

START_TEST(rules_hold_for_what_objects_leave_out)
{
    close_store();
    open_store_with("", RULES, "[]");
    ask_as("alice", DOIP_OUTCOME_COMPLETE, create, CREATE("{\"id\":\"x/1\",\"type\":\"T\"}"));
    ask_as("alice", DOIP_OUTCOME_COMPLETE, create, CREATE("{\"id\":\"x/2\",\"type\":\"Page\"}"));
    expect(answer_to(NULL, retrieve, RETRIEVE("x/1", "")), UNAUTHENTICATED);
    expect(answer_to("bob", retrieve, RETRIEVE("x/1", "")), GOOD);
    expect(answer_to(NULL, retrieve, RETRIEVE("x/2", "")), GOOD);
    expect(answer_of("bob", "staff", update, UPDATE("x/2", "{}")), FORBIDDEN);
    ck_assert_str_eq(answer_to("bob", extended, GET_ACL("x/1")),
                     OUTPUT(ACL("\"authenticated\"", "\"staff\"")));
    ck_assert_str_eq(answer_to(NULL, extended, GET_ACL("x/2")), OUTPUT(ACL("\"public\"", "")));
    /* Its type decides, when it changes, too. */
    expect(answer_of("bob", "staff", update, UPDATE("x/1", "{\"type\":\"Page\"}")), GOOD);
    expect(answer_of("bob", "staff", update, UPDATE("x/1", "{}")), FORBIDDEN);
}
END_TEST

/* ------------------------------------------------------------------ what is given */

static const char *const malformed[] = {
    "\"public\"",
    "[]",
    "{\"readers\":\"public\"}",
    "{\"methods\":{}}",
    "{\"writers\":[\"\"]}",
    "{\"writers\":[\"a\",{}]}",
};

START_TEST(refuses_malformed_lists)
{
    char request[400];

    snprintf(request, sizeof(request),
             CREATE("{\"id\":\"x/1\",\"type\":\"T\",\"attributes\":{\"acl\":%s}}"), malformed[_i]);
    expect(ask(create, request), "\"In the object, attributes.acl");
    expect(ask(retrieve, RETRIEVE("x/1", "")), "Status.104");
    ask(create, CREATE("{\"id\":\"x/1\",\"type\":\"T\"}"));
    snprintf(request, sizeof(request), UPDATE("x/1", "{\"attributes\":{\"acl\":%s}}"),
             malformed[_i]);
    expect(ask(update, request), "\"In the object, attributes.acl");
    snprintf(request, sizeof(request), UPDATE_ACL("x/1", "%s"), malformed[_i]);
    expect(ask(extended, request), INVALID);
    ck_assert_str_eq(ask(retrieve, RETRIEVE("x/1", "")), OUTPUT("{\"id\":\"x/1\",\"type\":\"T\"}"));
}
END_TEST

/* An update, and the attributes after it. */
static const struct {
    const char *input;
    const char *attributes;
} changes[] = {
    {"{\"attributes\":{\"a\":1}}", "{\"a\":1,\"acl\":{\"readers\":[\"bob\"]}}"},
    {"{\"type\":\"T\"}", "{\"a\":1,\"acl\":{\"readers\":[\"bob\"]}}"},
    {"{\"attributes\":{}}", "{\"acl\":{\"readers\":[\"bob\"]}}"},
    {"{\"attributes\":{\"acl\":{\"writers\":[\"c\"]},\"b\":2}}",
     "{\"acl\":{\"writers\":[\"c\"]},\"b\":2}"},
    {"{\"attributes\":{\"b\":3,\"acl\":null}}", "{\"b\":3}"},
    {"{\"attributes\":{\"b\":4}}", "{\"b\":4}"},
    {"{\"attributes\":{\"b\":5,\"acl\":{}}}", "{\"b\":5,\"acl\":{}}"},
    {"{\"attributes\":{\"acl\":{\"readers\":null}}}", "{\"acl\":{\"readers\":null}}"},
};

START_TEST(updates_keep_the_lists_they_do_not_give)
{
    char request[300], answer[300];

    answer_to("alice", create,
              CREATE("{\"id\":\"x/1\",\"type\":\"T\",\"attributes\":{\"a\":0,\"acl\":{\"readers\":["
                     "\"bob\"]}}}"));
    for (int i = 0; i < COUNT_OF(changes); i++) {
        snprintf(request, sizeof(request), UPDATE("x/1", "%s"), changes[i].input);
        snprintf(answer, sizeof(answer),
                 OUTPUT("{\"id\":\"x/1\",\"type\":\"T\",\"attributes\":%s}"),
                 changes[i].attributes);
        ck_assert_str_eq(answer_to("alice", update, request), answer);
        ck_assert_str_eq(answer_to("alice", retrieve, RETRIEVE("x/1", "")), answer);
    }
}
END_TEST

START_TEST(a_create_keeps_no_null)
{
    ck_assert_str_eq(
        answer_to("alice", create,
                  CREATE("{\"id\":\"x/1\",\"type\":\"T\",\"attributes\":{\"acl\":null,\"a\":1}}")),
        OUTPUT("{\"id\":\"x/1\",\"type\":\"T\",\"attributes\":{\"a\":1}}"));
}
END_TEST

/* ------------------------------------------------------------------ GetAcl and UpdateAcl */

#define WANTS                                                                             \
    "20.DOIP/Op.UpdateAcl wants an object with 'readers' and 'writers', or an empty one " \
    "for the defaults, but "

static const struct step {
    const char *client;
    const char *request;
    const char *answer;
} steps[] = {
    {"alice", GET_ACL("x/1"), OUTPUT(ACL("\"public\"", ""))},
    {"alice", UPDATE_ACL("x/1", ACL("\"bob\"", "\"c\"")), OUTPUT(ACL("\"bob\"", "\"c\""))},
    {"bob", GET_ACL("x/1"), OUTPUT(ACL("\"bob\"", "\"c\""))},
    {"bob", UPDATE_ACL("x/1", "{}"), ERROR("103", "'bob' may not change the object 'x/1'.")},
    {NULL, GET_ACL("x/1"), ERROR("102", "To read the object 'x/1', authentication is needed.")},
    {"c", UPDATE_ACL("x/1", "{\"writers\":[\"c\"]}"), OUTPUT(ACL("\"public\"", "\"c\""))},
    {"c", UPDATE_ACL("x/1", "{}"), OUTPUT(ACL("\"public\"", ""))},
    {"c", UPDATE_ACL("x/1", "{}"), ERROR("103", "'c' may not change the object 'x/1'.")},
    {"alice", UPDATE_ACL("x/1", "null"), ERROR("101", WANTS "there is no input.")},
    {"alice", EXTENDED("x/1", "UpdateAcl", ""), ERROR("101", WANTS "there is no input.")},
    {"alice", UPDATE_ACL("x/1", "{\"read\":[]}"),
     ERROR("101", WANTS "the input has 'read'; it can have 'readers' and 'writers'.")},
    {"alice", GET_ACL("x/2"), ERROR("104", "There is no object 'x/2'.")},
    {"alice", UPDATE_ACL("x/2", "{}"), ERROR("104", "There is no object 'x/2'.")},
    {"alice", GET_ACL(SERVICE),
     ERROR("101",
           "The target of 20.DOIP/Op.GetAcl must be a digital object, not the service " SERVICE
           ".")},
    {"alice", UPDATE_ACL(SERVICE, "{}"),
     ERROR("101",
           "The target of 20.DOIP/Op.UpdateAcl must be a digital object, not the service " SERVICE
           ".")},
};

START_TEST(lists_are_asked_for_and_changed)
{
    answer_to(
        "alice", create,
        CREATE("{\"id\":\"x/1\",\"type\":\"T\",\"attributes\":{\"a\":1},\"elements\":[{\"id\":"
               "\"e\"}]}"));
    for (int i = 0; i < COUNT_OF(steps); i++)
        ck_assert_str_eq(answer_to(steps[i].client, extended, steps[i].request), steps[i].answer);
    ck_assert_str_eq(
        answer_to("alice", retrieve, RETRIEVE("x/1", "")),
        OUTPUT("{\"id\":\"x/1\",\"type\":\"T\",\"attributes\":{\"a\":1},\"elements\":[{"
               "\"id\":\"e\"}]}"));
}
END_TEST

/* It is an update as others are. */
START_TEST(a_change_of_lists_counts_as_an_update)
{
    const char *answer;

    answer_to("alice", create, CREATE("{\"id\":\"x/1\",\"type\":\"T\"}"));
    answer_to("alice", extended, UPDATE_ACL("x/1", "{\"writers\":[\"bob\"]}"));
    answer = ask_as("bob", DOIP_OUTCOME_COMPLETE, extended,
                    EXTENDED("x/1", "UpdateAcl",
                             ",\"attributes\":{\"ifVersion\":1},\"input\":{\"readers\":[]}"));
    expect(answer, "has version 2, not 1");
    answer = ask_as("bob", DOIP_OUTCOME_COMPLETE, extended,
                    EXTENDED("x/1", "UpdateAcl",
                             ",\"attributes\":{\"ifVersion\":2},\"input\":{\"readers\":[]}"));
    expect(answer, GOOD);
    answer = ask_as("alice", DOIP_OUTCOME_COMPLETE, retrieve, RETRIEVE("x/1", ""));
    expect(answer, "\"createdBy\":\"alice\"");
    expect(answer, "\"modifiedBy\":\"bob\"");
    expect(answer, "\"version\":3");
}
END_TEST

START_TEST(leaves_other_operations_to_others)
{
    struct exchange exchange;

    answer_to("alice", create, CREATE("{\"id\":\"x/1\",\"type\":\"T\"}"));
    exchange =
        exchange_open(EXTENDED("x/1", "Other", ""), strlen(EXTENDED("x/1", "Other", "")), 0, NULL);
    ck_assert_int_eq(doip_request_head(exchange.request), 1);
    doip_request_set_state(exchange.request, state);
    ck_assert_int_eq(extended(exchange.request, doip_request_response(exchange.request)),
                     DOIP_DECLINED);
    ck_assert(!doip_request_touched(exchange.request));
    exchange_close(&exchange);
}
END_TEST

/* Only two segments make a difference between the forms of a request. */
START_TEST(takes_one_list_only)
{
    answer_to("alice", create, CREATE("{\"id\":\"x/1\",\"type\":\"T\"}"));
    expect(answer_to("alice", extended,
                     "{\"targetId\":\"x/1\",\"operationId\":\"20.DOIP/Op.UpdateAcl\"}\n#\n"
                     "{\"readers\":[]}\n#\n{}\n#\n#\n"),
           INVALID);
    expect(answer_to(NULL, retrieve, RETRIEVE("x/1", "")), GOOD);
    expect(answer_to("alice", extended,
                     "{\"targetId\":\"x/1\",\"operationId\":\"20.DOIP/Op.UpdateAcl\"}\n#\n"
                     "{\"readers\":[]}\n#\n#\n"),
           GOOD);
    expect(answer_to(NULL, retrieve, RETRIEVE("x/1", "")), UNAUTHENTICATED);
}
END_TEST

/* ------------------------------------------------------------------ in between */

/* What was allowed when a request began is looked at again where it is committed. */
START_TEST(what_changes_in_between_holds)
{
    const struct acl_client bob = {"bob", NULL};
    const struct repository_terms terms = {.version = REPOSITORY_ANY_VERSION};
    struct repository_change *change = repository_change_new(kept_by_store, &bob);
    json_t *object = json_loads("{\"elements\":[{\"id\":\"e\"}]}", 0, NULL), *stored;
    struct failure failure;

    answer_to("alice", create, WITH_ACL("x/1", ACL("", "\"bob\"")));
    ck_assert_int_eq(
        repository_check(kept_by_store, &bob, ACL_WRITE, "x/1", REPOSITORY_ANY_VERSION, &failure),
        REPOSITORY_OK);
    stage_text(change, "e", "late", 4);
    answer_to("alice", extended, UPDATE_ACL("x/1", "{}"));
    ck_assert_int_eq(repository_update(change, "x/1", object, &terms, &stored, &failure),
                     REPOSITORY_DENIED);
    ck_assert_ptr_null(stored);
    ck_assert_str_eq(failure.text, "'bob' may not change the object 'x/1'.");
    repository_change_free(&change);
    ck_assert_int_eq(
        repository_delete(kept_by_store, &bob, "x/1", REPOSITORY_ANY_VERSION, &failure),
        REPOSITORY_DENIED);
    json_decref(object);
    scratch_check();
    ck_assert_int_eq(scratch_blob_count, 0);
    expect(answer_to("alice", retrieve, RETRIEVE("x/1", "")), GOOD);
}
END_TEST

/* A client that may not does not have its bytes read first: what comes after the object is no
 * element data. */
START_TEST(is_refused_before_its_bytes)
{
    answer_to("alice", create, WITH_ACL("x/1", ACL("", "")));
    expect(ask_as("bob", DOIP_OUTCOME_COMPLETE, update,
                  HEAD("x/1", "Update", "") "{\"elements\":[{\"id\":\"e\"}]}\n#\n"
                                            "{\"id\":\"other\"}\n#\n@\n1\nx\n#\n#\n"),
           FORBIDDEN);
}
END_TEST

/* ------------------------------------------------------------------ options */

static const struct {
    const char *name;
    const char *value;
    const char *reason;
} options_refused[] = {
    {"acl", "[]", "doipd.conf:7: acl is not a group with 'readers', 'writers' and 'types'"},
    {"acl", "{\"types\":[{\"readers\":[]}]}",
     "doipd.conf:7: acl.types[0] is not a group with a string 'type'"},
    {"administrators", "[\"public\"]",
     "doipd.conf:7: administrators[0] is 'public', which is no client and no group"},
};

START_TEST(refuses_malformed_options)
{
    const doip_setting settings[] = {
        {"root", scratch_root, NULL, 0},
        {options_refused[_i].name, options_refused[_i].value, "doipd.conf:7", DOIP_OPTION_JSON},
        {.name = NULL}};
    char reason[300];
    void *none = NULL;
    doip_options *wrong =
        doip_options_new(&doip_handler, SERVICE, "/nowhere", settings, reason, sizeof(reason));

    ck_assert_msg(wrong != NULL, "%s", reason);
    ck_assert_int_eq(doip_handler.open(wrong, &none), DOIP_FAILED);
    ck_assert_str_eq(doip_options_reason(wrong), options_refused[_i].reason);
    doip_options_free(&wrong);
}
END_TEST

static Suite *
suite(void)
{
    Suite *made = suite_create("store rights");
    TCase *tests = tcase_create("rights");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, each_may_what_lists_say, 0, COUNT_OF(askings));
    tcase_add_test(tests, says_what_is_missing);
    tcase_add_test(tests, by_default_all_read_and_the_creator_writes);
    tcase_add_test(tests, what_nobody_created_is_everybodys);
    tcase_add_test(tests, rules_hold_for_what_objects_leave_out);
    tcase_add_loop_test(tests, refuses_malformed_lists, 0, COUNT_OF(malformed));
    tcase_add_test(tests, updates_keep_the_lists_they_do_not_give);
    tcase_add_test(tests, a_create_keeps_no_null);
    tcase_add_test(tests, lists_are_asked_for_and_changed);
    tcase_add_test(tests, a_change_of_lists_counts_as_an_update);
    tcase_add_test(tests, leaves_other_operations_to_others);
    tcase_add_test(tests, takes_one_list_only);
    tcase_add_test(tests, what_changes_in_between_holds);
    tcase_add_test(tests, is_refused_before_its_bytes);
    tcase_add_loop_test(tests, refuses_malformed_options, 0, COUNT_OF(options_refused));
    suite_add_tcase(made, tests);
    return made;
}

UNIT_MAIN(suite)
