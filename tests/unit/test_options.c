/*
 * Options of handlers: settings against the descriptor's table, and the messages where they do not
 * fit.
 */
#include <signal.h>
#include <stdint.h>
#include <string.h>

#include <doip/server.h>

#include "unit.h"

static const doip_option table[] = {
    {"root", DOIP_OPTION_STRING, "/srv", "where"},  {"count", DOIP_OPTION_INT, "-10", "how many"},
    {"fast", DOIP_OPTION_BOOL, "true", "whether"},  {"cache", DOIP_OPTION_SIZE, "64K", "how much"},
    {"bare", DOIP_OPTION_SIZE, NULL, "no default"}, {"deep", DOIP_OPTION_JSON, NULL, "whatever"},
    {"list", DOIP_OPTION_JSON, "[\"a\"]", "some"},  {NULL, 0, NULL, NULL},
};

static const doip_descriptor descriptor = {.name = "store", .options = table};
static const doip_descriptor plain = {.name = "plain"};

static doip_options *
options_of(const char *name, const char *value, char *reason, size_t size)
{
    doip_setting settings[] = {{name, value, "doipd.conf:7", 0}, {.name = NULL}};

    return doip_options_new(&descriptor, "35.TEST/s", "/var", settings, reason, size);
}

START_TEST(gives_defaults)
{
    char reason[256] = "";
    doip_options *options =
        doip_options_new(&descriptor, "35.TEST/s", "/var", NULL, reason, sizeof reason);

    ck_assert_msg(options != NULL, "%s", reason);
    ck_assert_str_eq(doip_option_string(options, "root"), "/srv");
    ck_assert_int_eq(doip_option_int(options, "count"), -10);
    ck_assert(doip_option_bool(options, "fast"));
    ck_assert_uint_eq(doip_option_size(options, "cache"), 65536);
    ck_assert_uint_eq(doip_option_size(options, "bare"), 0);
    ck_assert_ptr_null(doip_option_json(options, "deep"));
    ck_assert_uint_eq(json_array_size(doip_option_json(options, "list")), 1);
    ck_assert_str_eq(doip_option_where(options, "deep"), "default");
    ck_assert_str_eq(doip_options_service(options), "35.TEST/s");
    ck_assert_str_eq(doip_options_state_directory(options), "/var");
    ck_assert_str_eq(doip_options_reason(options), "");
    ck_assert_int_eq(doip_open_fail(options, "%s: \xff%d", "x", 5), DOIP_FAILED);
    ck_assert_str_eq(doip_options_reason(options), "x: ?5");
    doip_options_free(&options);
    ck_assert_ptr_null(options);
    doip_options_free(&options);
}
END_TEST

START_TEST(takes_the_last_setting)
{
    doip_setting settings[] = {
        {"count", "1", NULL, 0}, {"root", "", NULL, 0}, {"count", "2", NULL, 0}, {.name = NULL}};
    char reason[256] = "";
    doip_options *options =
        doip_options_new(&descriptor, "s", "/", settings, reason, sizeof reason);

    ck_assert_int_eq(doip_option_int(options, "count"), 2);
    ck_assert_str_eq(doip_option_string(options, "root"), "");
    doip_options_free(&options);
}
END_TEST

static const struct {
    const char *text;
    uint64_t size;
} sizes[] = {
    {"0", 0},
    {"1", 1},
    {"64K", 65536},
    {"64k", 65536},
    {"1M", 1048576},
    {"2G", 2147483648u},
    {"1T", 1ull << 40},
    {"18446744073709551615", UINT64_MAX},
    {"16777215T", 16777215ull << 40},
};

START_TEST(reads_sizes)
{
    char reason[256] = "";
    doip_options *options = options_of("cache", sizes[_i].text, reason, sizeof reason);

    ck_assert_msg(options != NULL, "%s", reason);
    ck_assert_uint_eq(doip_option_size(options, "cache"), sizes[_i].size);
    doip_options_free(&options);
}
END_TEST

static const struct {
    const char *name;
    const char *value;
    const char *reason;
} refused[] = {
    {"rot", "x",
     "doipd.conf:7: handler store has no option `rot`; it has: root, count, fast, cache, bare, "
     "deep, list"},
    {"count", "x", "doipd.conf:7: option `count` of handler store must be an integer, not \"x\""},
    {"count", "", "must be an integer, not \"\""},
    {"count", "-", "must be an integer"},
    {"count", "1.0", "must be an integer"},
    {"count", " 1", "must be an integer"},
    {"count", "9223372036854775808", "must be an integer"},
    {"fast", "yes", "must be true or false, not \"yes\""},
    {"fast", "", "must be true or false"},
    {"cache", "64KB", "must be a size"},
    {"cache", "-1", "must be a size"},
    {"cache", "+1", "must be a size"},
    {"cache", "K", "must be a size"},
    {"cache", "1 K", "must be a size"},
    {"cache", "1X", "must be a size"},
    {"cache", "18446744073709551616", "must be a size"},
    {"cache", "16777216T", "must be a size"},
    {"bare", "", "must be a size"},
    {"deep", "5", "must be a group or a list, or the text of a JSON object or array, not \"5\""},
    {"deep", "null", "must be a group or a list"},
    {"deep", "{\"a\":1,\"a\":2}", "must be a group or a list"},
    {"list", "[", "must be a group or a list"},
};

START_TEST(refuses)
{
    char reason[256] = "";

    ck_assert_ptr_null(options_of(refused[_i].name, refused[_i].value, reason, sizeof reason));
    ck_assert_msg(strstr(reason, refused[_i].reason) != NULL, "%s", reason);
}
END_TEST

/* Each type of option, and the ways of writing it in a configuration file that it takes. */
static const struct {
    const char *name;
    const char *value;
    unsigned takes; /* a bit for each doip_option_type */
} writings[] = {
    {"root", "5", 1u << DOIP_OPTION_STRING},
    {"count", "5", 1u << DOIP_OPTION_INT},
    {"fast", "true", 1u << DOIP_OPTION_BOOL},
    {"cache", "5", 1u << DOIP_OPTION_INT | 1u << DOIP_OPTION_STRING | 1u << DOIP_OPTION_SIZE},
    {"deep", "[]", 1u << DOIP_OPTION_JSON | 1u << DOIP_OPTION_STRING},
};

START_TEST(minds_how_it_is_written)
{
    for (int type = DOIP_OPTION_STRING; type <= DOIP_OPTION_JSON; type++) {
        char reason[256] = "";
        doip_setting settings[] = {
            {writings[_i].name, writings[_i].value, "doipd.conf:7", (doip_option_type)type}, {.name = NULL}};
        doip_options *options =
            doip_options_new(&descriptor, "s", "/", settings, reason, sizeof reason);

        ck_assert_int_eq(options != NULL, (writings[_i].takes >> type) & 1);
        ck_assert(options != NULL || strstr(reason, "doipd.conf:7: option `") != NULL);
        doip_options_free(&options);
    }
}
END_TEST

START_TEST(gives_json)
{
    doip_setting settings[] = {{"deep", "{\"a\":[1]}", "doipd.conf:7", DOIP_OPTION_JSON},
                               {"list", "[]", "-o", 0},
                               {"deep", "{\"a\":[1,2]}", "doipd.conf:9", DOIP_OPTION_STRING},
                               {.name = NULL}};
    char reason[256] = "";
    doip_options *options =
        doip_options_new(&descriptor, "s", "/", settings, reason, sizeof reason);

    ck_assert_msg(options != NULL, "%s", reason);
    ck_assert_uint_eq(json_array_size(json_object_get(doip_option_json(options, "deep"), "a")), 2);
    ck_assert_str_eq(doip_option_where(options, "deep"), "doipd.conf:9");
    ck_assert_uint_eq(json_array_size(doip_option_json(options, "list")), 0);
    ck_assert_str_eq(doip_option_where(options, "list"), "-o");
    doip_options_free(&options);
    settings[0] = (doip_setting){"deep", "[5]", "doipd.conf:7", DOIP_OPTION_INT};
    ck_assert_ptr_null(doip_options_new(&descriptor, "s", "/", settings, reason, sizeof reason));
    ck_assert_ptr_nonnull(strstr(reason, "must be a group or a list, not"));
    settings[0] = (doip_setting){"root", "[5]", "doipd.conf:7", DOIP_OPTION_JSON};
    ck_assert_ptr_null(doip_options_new(&descriptor, "s", "/", settings, reason, sizeof reason));
    ck_assert_ptr_nonnull(strstr(reason, "must be a string, in quotes, not"));
}
END_TEST

START_TEST(fits_the_reason)
{
    for (size_t size = 0; size < 120; size++) {
        char reason[128];

        memset(reason, 'x', sizeof reason);
        ck_assert_ptr_null(options_of("rot", "1", reason, size));
        ck_assert_int_eq(reason[size], 'x');
    }
}
END_TEST

START_TEST(knows_handlers_without_options)
{
    doip_setting settings[] = {{"a", "b", NULL, 0}, {.name = NULL}};
    char reason[256] = "";
    doip_options *options = doip_options_new(&plain, "s", "/", settings, reason, sizeof reason);

    ck_assert_ptr_null(options);
    ck_assert_str_eq(reason, "handler plain has no option `a`; it has: none");
    options = doip_options_new(&plain, "s", "/", settings + 1, reason, sizeof reason);
    ck_assert_ptr_nonnull(options);
    doip_options_free(&options);
}
END_TEST

START_TEST(refuses_a_bad_table)
{
    static const doip_option bad_default[] = {{"n", DOIP_OPTION_INT, "many", ""},
                                              {NULL, 0, NULL, NULL}};
    static const doip_option bad_type[] = {{"n", 99, NULL, ""}, {NULL, 0, NULL, NULL}};
    doip_descriptor bad = {.name = "bad", .options = bad_default};
    char reason[256] = "";

    ck_assert_ptr_null(doip_options_new(&bad, "s", "/", NULL, reason, sizeof reason));
    ck_assert_str_eq(reason,
                     "handler bad: the default of its option `n` must be an integer, not \"many\"");
    bad.options = bad_type;
    ck_assert_ptr_null(doip_options_new(&bad, "s", "/", NULL, reason, sizeof reason));
    ck_assert_ptr_nonnull(strstr(reason, "of a type that exists"));
}
END_TEST

START_TEST(aborts_on_an_undeclared_option)
{
    char reason[256] = "";
    doip_options *options = options_of("root", "/x", reason, sizeof reason);

    fclose(stderr);
    if (_i == 0)
        doip_option_string(options, "undeclared");
    else
        doip_option_int(options, "root");
}
END_TEST

#define COUNT_OF(table) (int)(sizeof(table) / sizeof *(table))

static Suite *
suite(void)
{
    Suite *all = suite_create("options");
    TCase *cases = tcase_create("options");

    tcase_add_test(cases, gives_defaults);
    tcase_add_test(cases, takes_the_last_setting);
    tcase_add_loop_test(cases, reads_sizes, 0, COUNT_OF(sizes));
    tcase_add_loop_test(cases, refuses, 0, COUNT_OF(refused));
    tcase_add_loop_test(cases, minds_how_it_is_written, 0, COUNT_OF(writings));
    tcase_add_test(cases, gives_json);
    tcase_add_test(cases, fits_the_reason);
    tcase_add_test(cases, knows_handlers_without_options);
    tcase_add_test(cases, refuses_a_bad_table);
    if (getenv("CK_FORK") == NULL || strcmp(getenv("CK_FORK"), "no") != 0)
        tcase_add_loop_test_raise_signal(cases, aborts_on_an_undeclared_option, SIGABRT, 0, 2);
    suite_add_tcase(all, cases);
    return all;
}

UNIT_MAIN(suite)
