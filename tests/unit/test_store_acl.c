/*
 * Access lists (acl.h): who may, as tables of rules, objects and clients; what is well-formed; and
 * audiences, which must say the same as the objects they were made of.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "acl.h"
#include "unit.h"

#define COUNT_OF(table) (int)(sizeof(table) / sizeof(*(table)))

static json_t *
parse(const char *text)
{
    json_t *value = text == NULL ? NULL : json_loads(text, JSON_DECODE_ANY, NULL);

    ck_assert_msg(text == NULL || value != NULL, "%s", text);
    return value;
}

/* ------------------------------------------------------------------ who asks */

struct asker {
    const char *id;
    const char *groups;
};

enum { NOBODY, ALICE, BOB, STAFF, STUDENT, ROOT, CHIEF, ASKERS };

static const struct asker askers[] = {
    [NOBODY] = {NULL, NULL},
    [ALICE] = {"alice", NULL},
    [BOB] = {"bob", "[]"},
    [STAFF] = {"carol", "[\"staff\",\"x\"]"},
    [STUDENT] = {"dave", "[\"students\"]"},
    [ROOT] = {"root", NULL},
    [CHIEF] = {"erin", "[\"chiefs\"]"},
};

#define ALL "nabsdrc"
/* A letter for each of them that may. */
static const char letters[] = ALL;

static const char *
who_may(const struct acl_rules *rules, const struct acl_object *object, enum acl_right right)
{
    static char who[ASKERS + 1];
    size_t count = 0;

    for (int i = 0; i < ASKERS; i++) {
        json_t *groups = parse(askers[i].groups);
        const struct acl_client client = {askers[i].id, groups};

        if (acl_may(rules, object, &client, right))
            who[count++] = letters[i];
        json_decref(groups);
    }
    who[count] = '\0';
    return who;
}

static const char *
who_reads(const struct acl_rules *rules, const char *audience)
{
    static char who[ASKERS + 1];
    size_t count = 0;

    for (int i = 0; i < ASKERS; i++) {
        json_t *groups = parse(askers[i].groups);
        const struct acl_client client = {askers[i].id, groups};

        if (acl_audience_readable(rules, audience, &client) > 0)
            who[count++] = letters[i];
        json_decref(groups);
    }
    who[count] = '\0';
    return who;
}

/* ------------------------------------------------------------------ who may */

#define TYPES                                                              \
    "{\"readers\":[\"authenticated\"],\"writers\":[\"staff\"],\"types\":[" \
    "{\"type\":\"Thesis\",\"readers\":[\"students\"],\"writers\":[]},"     \
    "{\"type\":\"Page\",\"readers\":[\"public\"]}]}"

struct decision {
    const char *defaults; /* beside the administrators root and chiefs */
    const char *type;
    const char *creator;
    const char *acl;
    const char *readers; /* letters */
    const char *writers;
    const char *shown;
};

static const struct decision decisions[] = {
    /* nothing is said anywhere */
    {NULL, "T", "alice", NULL, ALL, "arc", "{\"readers\":[\"public\"],\"writers\":[]}"},
    {NULL, "T", "alice", "{}", ALL, "arc", "{\"readers\":[\"public\"],\"writers\":[]}"},
    {NULL, "T", "alice", "null", ALL, "arc", "{\"readers\":[\"public\"],\"writers\":[]}"},
    {"{}", "T", "alice", "{\"readers\":null,\"writers\":null}", ALL, "arc",
     "{\"readers\":[\"public\"],\"writers\":[]}"},
    /* lists of the object */
    {NULL, "T", "alice", "{\"readers\":[]}", "arc", "arc", "{\"readers\":[],\"writers\":[]}"},
    {NULL, "T", "alice", "{\"readers\":[\"bob\"]}", "abrc", "arc",
     "{\"readers\":[\"bob\"],\"writers\":[]}"},
    {NULL, "T", "alice", "{\"readers\":[\"nobody\",\"staff\"]}", "asrc", "arc", NULL},
    {NULL, "T", "alice", "{\"readers\":[\"authenticated\"]}", "absdrc", "arc", NULL},
    {NULL, "T", "alice", "{\"readers\":[\"creator\"]}", "arc", "arc", NULL},
    {NULL, "T", "alice", "{\"readers\":[],\"writers\":[\"bob\"]}", "abrc", "abrc", NULL},
    {NULL, "T", "alice", "{\"writers\":[\"public\"]}", ALL, ALL, NULL},
    {NULL, "T", "alice", "{\"readers\":[\"ALICE\",\"Bob\",\"bob \",\"bo\"]}", "arc", "arc", NULL},
    /* rules */
    {TYPES, "T", "alice", NULL, "absdrc", "asrc",
     "{\"readers\":[\"authenticated\"],\"writers\":[\"staff\"]}"},
    {TYPES, "Thesis", "alice", NULL, "adrc", "arc", "{\"readers\":[\"students\"],\"writers\":[]}"},
    {TYPES, "Page", "alice", NULL, ALL, "asrc",
     "{\"readers\":[\"public\"],\"writers\":[\"staff\"]}"},
    {TYPES, "Page", "alice", "{\"writers\":[\"bob\"]}", ALL, "abrc",
     "{\"readers\":[\"public\"],\"writers\":[\"bob\"]}"},
    {TYPES, "Page", "alice", "{\"readers\":[\"bob\"]}", "absrc", "asrc", NULL},
    /* what nobody in particular has created */
    {NULL, "T", NULL, NULL, ALL, ALL, "{\"readers\":[\"public\"],\"writers\":[\"public\"]}"},
    {TYPES, "Thesis", NULL, NULL, "drc", "rc", "{\"readers\":[\"students\"],\"writers\":[]}"},
    {"{\"readers\":[\"creator\"]}", "T", NULL, NULL, ALL, ALL,
     "{\"readers\":[\"creator\"],\"writers\":[\"public\"]}"},
    {NULL, "T", NULL, "{\"writers\":[]}", ALL, "rc", "{\"readers\":[\"public\"],\"writers\":[]}"},
    {NULL, "T", NULL, "{\"readers\":[\"bob\"],\"writers\":[\"staff\"]}", "bsrc", "src", NULL},
    {NULL, "T", NULL, "{\"readers\":[\"creator\"],\"writers\":[]}", ALL, "rc", NULL},
    /* what was there before lists were looked at */
    {NULL, "T", "alice", "\"bob\"", "arc", "arc", "{\"readers\":[],\"writers\":[]}"},
    {NULL, "T", NULL, "[\"bob\"]", "rc", "rc", "{\"readers\":[],\"writers\":[]}"},
    {NULL, "T", "alice", "{\"readers\":\"bob\",\"writers\":{\"bob\":1}}", "arc", "arc", NULL},
    {NULL, "T", "alice", "{\"readers\":[1,null,\"bob\"]}", "abrc", "arc", NULL},
};

START_TEST(decides)
{
    const struct decision *one = &decisions[_i];
    json_t *defaults = parse(one->defaults), *acl = parse(one->acl);
    json_t *administrators = parse("[\"root\",\"chiefs\"]"), *shown, *wanted = parse(one->shown);
    const struct acl_rules rules = {defaults, administrators};
    const struct acl_object object = {one->type, one->creator, acl};
    char *audience = acl_audience(&object);

    ck_assert_str_eq(who_may(&rules, &object, ACL_READ), one->readers);
    ck_assert_str_eq(who_may(&rules, &object, ACL_WRITE), one->writers);
    ck_assert_ptr_nonnull(audience);
    ck_assert_msg(strcmp(who_reads(&rules, audience), one->readers) == 0, "%s: %s", audience,
                  who_reads(&rules, audience));
    shown = acl_shown(&rules, &object);
    ck_assert(json_is_array(json_object_get(shown, "readers")) || one->shown == NULL);
    ck_assert(wanted == NULL || json_equal(shown, wanted));
    free(audience);
    json_decref(shown);
    json_decref(wanted);
    json_decref(acl);
    json_decref(defaults);
    json_decref(administrators);
}
END_TEST

START_TEST(knows_no_administrators_by_default)
{
    const struct acl_rules rules = {NULL, NULL};
    const struct acl_object object = {"T", "alice", NULL};

    ck_assert_str_eq(who_may(&rules, &object, ACL_WRITE), "a");
}
END_TEST

/* ------------------------------------------------------------------ audiences */

struct audience {
    struct {
        const char *type, *creator, *acl;
    } one, other;
    bool same;
};

static const struct audience audiences[] = {
    {{"T", "a", NULL}, {"T", "a", "null"}, true},
    {{"T", "a", NULL}, {"T", "a", "{}"}, true},
    {{"T", "a", NULL}, {"T", "b", NULL}, false},
    {{"T", "a", NULL}, {"T", NULL, NULL}, false},
    {{"T", "a", NULL}, {"U", "a", NULL}, false},
    {{"T", NULL, NULL}, {"U", NULL, NULL}, false},
    {{"T", "a", "{\"readers\":[]}"}, {"U", "a", "{\"readers\":[]}"}, false},
    {{"T", "a", "{\"readers\":[],\"writers\":[]}"},
     {"U", "a", "{\"writers\":[],\"readers\":[]}"},
     true},
    {{"T", "a", "{\"readers\":[\"x\",\"y\",\"x\"]}"},
     {"T", "a", "{\"readers\":[\"y\",\"x\"]}"},
     true},
    {{"T", "a", "{\"readers\":[\"x\"]}"}, {"T", "a", "{\"writers\":[\"x\"]}"}, false},
    {{"T", "a", "{\"readers\":[\"xy\"]}"}, {"T", "a", "{\"readers\":[\"x\",\"y\"]}"}, false},
    {{"T", "a", "5"}, {"U", "a", "{\"readers\":[],\"writers\":[]}"}, true},
};

START_TEST(tells_audiences_apart)
{
    const struct audience *pair = &audiences[_i];
    json_t *acl = parse(pair->one.acl), *other_acl = parse(pair->other.acl);
    char *one = acl_audience(&(struct acl_object){pair->one.type, pair->one.creator, acl});
    char *other =
        acl_audience(&(struct acl_object){pair->other.type, pair->other.creator, other_acl});

    ck_assert_msg((strcmp(one, other) == 0) == pair->same, "%s %s", one, other);
    free(one);
    free(other);
    json_decref(acl);
    json_decref(other_acl);
}
END_TEST

static int asked, refused_at;

static void *
refuse_rest(size_t size)
{
    return asked++ >= refused_at ? NULL : malloc(size);
}

/* An audience that can't be read for lack of memory is not taken for one that hides. */
START_TEST(tells_a_lack_of_memory)
{
    const struct acl_rules rules = {NULL, NULL};
    const struct acl_client client = {"somebody", NULL};
    int refusals = 0, readable;

    json_set_alloc_funcs(refuse_rest, free);
    for (refused_at = 0, asked = 0; asked >= refused_at; refused_at++) { /* until none is refused */
        asked = 0;
        readable = acl_audience_readable(
            &rules, "{\"creator\":\"else\",\"readers\":[\"somebody\"]}", &client);
        ck_assert(readable == 1 || readable == -1);
        refusals += readable < 0;
    }
    json_set_alloc_funcs(malloc, free);
    ck_assert_int_gt(refusals, 0);
}
END_TEST

/* What no index of ours has written opens nothing. */
START_TEST(distrusts_what_is_no_audience)
{
    const struct acl_rules rules = {NULL, NULL};
    const struct acl_client client = {"a", NULL};

    ck_assert(!acl_audience_readable(&rules, "", &client));
    ck_assert(!acl_audience_readable(&rules, "{\"creator\"", &client));
    ck_assert(!acl_audience_readable(&rules, "[]", &client));
}
END_TEST

/* ------------------------------------------------------------------ what is well-formed */

struct form {
    const char *json;
    const char *reason; /* NULL: good */
};

static const struct form lists[] = {
    {"{}", NULL},
    {"{\"readers\":[],\"writers\":[\"a\",\"public\"]}", NULL},
    {"{\"readers\":null}", NULL},
    {"[]", "input is not an object with 'readers' and 'writers'"},
    {"\"public\"", "input is not an object with 'readers' and 'writers'"},
    {"{\"reader\":[]}", "input has 'reader'; it can have 'readers' and 'writers'"},
    {"{\"\":[]}", "input has ''; it can have 'readers' and 'writers'"},
    {"{\"type\":\"T\"}", "input has 'type'; it can have 'readers' and 'writers'"},
    {"{\"readers\":\"a\"}", "input.readers is not a list of ids of clients and groups"},
    {"{\"writers\":{}}", "input.writers is not a list of ids of clients and groups"},
    {"{\"writers\":[\"a\",5]}", "input.writers[1] is not the id of a client or a group"},
    {"{\"readers\":[\"\"]}", "input.readers[0] is not the id of a client or a group"},
};

START_TEST(checks_lists)
{
    json_t *acl = parse(lists[_i].json);
    char reason[200] = "";

    ck_assert_int_eq(acl_check(acl, "input", reason, sizeof(reason)), lists[_i].reason == NULL);
    ck_assert_str_eq(reason, lists[_i].reason == NULL ? "" : lists[_i].reason);
    json_decref(acl);
}
END_TEST

static const struct form options[] = {
    {NULL, NULL},
    {"{}", NULL},
    {TYPES, NULL},
    {"[]", "acl is not a group with 'readers', 'writers' and 'types'"},
    {"{\"owner\":[]}", "acl has 'owner'; it can have 'readers' and 'writers', and types"},
    {"{\"readers\":\"a\"}", "acl.readers is not a list of ids of clients and groups"},
    {"{\"types\":{}}", "acl.types is not a list of groups"},
    {"{\"types\":[5]}", "acl.types[0] is not a group with a string 'type'"},
    {"{\"types\":[{\"readers\":[]}]}", "acl.types[0] is not a group with a string 'type'"},
    {"{\"types\":[{\"type\":\"\"}]}", "acl.types[0] is not a group with a string 'type'"},
    {"{\"types\":[{\"type\":\"T\"},{\"type\":\"U\"},{\"type\":\"T\"}]}",
     "acl.types[2] is for the type 'T', as is one before it"},
    {"{\"types\":[{\"type\":\"T\",\"types\":[]}]}",
     "acl.types[0] has 'types'; it can have 'readers' and 'writers', and type"},
    {"{\"types\":[{\"type\":\"T\",\"writers\":[[]]}]}",
     "acl.types[0].writers[0] is not the id of a client or a group"},
};

START_TEST(checks_defaults)
{
    json_t *defaults = parse(options[_i].json);
    char reason[200] = "";

    ck_assert_int_eq(acl_defaults_check(defaults, reason, sizeof(reason)),
                     options[_i].reason == NULL);
    ck_assert_str_eq(reason, options[_i].reason == NULL ? "" : options[_i].reason);
    json_decref(defaults);
}
END_TEST

static const struct form administrators[] = {
    {NULL, NULL},
    {"[]", NULL},
    {"[\"a\",\"publicans\"]", NULL},
    {"{}", "administrators is not a list of ids of clients and groups"},
    {"[\"a\",{}]", "administrators[1] is not the id of a client or a group"},
    {"[\"a\",\"public\"]", "administrators[1] is 'public', which is no client and no group"},
    {"[\"authenticated\"]",
     "administrators[0] is 'authenticated', which is no client and no group"},
    {"[\"creator\"]", "administrators[0] is 'creator', which is no client and no group"},
};

START_TEST(checks_administrators)
{
    json_t *list = parse(administrators[_i].json);
    char reason[200] = "";

    ck_assert_int_eq(acl_administrators_check(list, reason, sizeof(reason)),
                     administrators[_i].reason == NULL);
    ck_assert_str_eq(reason, administrators[_i].reason == NULL ? "" : administrators[_i].reason);
    json_decref(list);
}
END_TEST

static Suite *
suite(void)
{
    Suite *made = suite_create("store acl");
    TCase *tests = tcase_create("acl");

    tcase_add_loop_test(tests, decides, 0, COUNT_OF(decisions));
    tcase_add_test(tests, knows_no_administrators_by_default);
    tcase_add_loop_test(tests, tells_audiences_apart, 0, COUNT_OF(audiences));
    tcase_add_test(tests, tells_a_lack_of_memory);
    tcase_add_test(tests, distrusts_what_is_no_audience);
    tcase_add_loop_test(tests, checks_lists, 0, COUNT_OF(lists));
    tcase_add_loop_test(tests, checks_defaults, 0, COUNT_OF(options));
    tcase_add_loop_test(tests, checks_administrators, 0, COUNT_OF(administrators));
    suite_add_tcase(made, tests);
    return made;
}

UNIT_MAIN(suite)
