/*
 * Users: how they are read from the configuration and from files of their own, what is refused and
 * in which words, what -T shows of them, and passwords.
 */
#include "unit_config.h"

#include <openssl/pem.h>

#include "doipd/operations.h"
#include "doipd/password.h"

/* "secret", by doipd --hash-password */
#define HASH "$y$j9T$dzpe.bIn3gbBodcdeNw9m.$CjFTo8B7bQosdbWPY26nonoYD5fd7nFDffGfmshB1X2"

static void
put_key(const char *name, bool private)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    FILE *file = fopen(path_of(name), "w");

    ck_assert(private ? PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1
                      : PEM_write_PUBKEY(file, key) == 1);
    fclose(file);
    EVP_PKEY_free(key);
}

START_TEST(a_user_has_all_that_is_said)
{
    put_key("alice.pem", false);
    struct config *config =
        load_text("users = ( { id = \"20.T/alice\"; name = \"alice\"; key = \"alice.pem\";\n"
                  "  password_hash = \"" HASH "\"; groups = ( \"staff\", \"g\" );\n"
                  "  may_act_as = ( \"20.T/b*\" ); },\n"
                  "  { id = \"20.T/bob\"; enabled = false } );\n");
    const struct user *alice = users_find(&config->users, "alice");

    ck_assert_uint_eq(config->users.count, 2);
    ck_assert_ptr_eq(alice, users_find_id(&config->users, "20.T/alice"));
    ck_assert_ptr_null(users_find_id(&config->users, "alice"));
    ck_assert_ptr_nonnull(alice->key);
    ck_assert_str_eq(alice->password_hash, HASH);
    ck_assert_uint_eq(json_array_size(alice->groups), 2);
    ck_assert(user_may_act_as(alice, "20.T/bob") && !user_may_act_as(alice, "20.T/carol"));
    ck_assert(alice->enabled);
    const struct user *bob = users_find(&config->users, "20.T/bob");
    ck_assert(!bob->enabled && bob->key == NULL && bob->groups == NULL &&
              bob->password_hash == NULL);
    ck_assert(!user_may_act_as(bob, "20.T/bob"));
    ck_assert_str_eq(users_decoy(&config->users), HASH);
    config_free(&config);
}
END_TEST

START_TEST(files_add_users)
{
    put("more.conf", "users = ( { id = \"b\" }, { id = \"c\" } );");
    ck_assert_int_eq(mkdir(path_of("conf.d"), 0700), 0);
    put("conf.d/1.conf", "users = ( { id = \"d\" } );\n");
    struct config *config =
        load_text("users_files = ( \"more.conf\" ); users = ( { id = \"a\" } );");

    ck_assert_uint_eq(config->users.count, 3);
    ck_assert_uint_eq(config->users.own, 1);
    ck_assert_ptr_null(users_find(&config->users, "a")); /* a later list replaces an earlier one */
    ck_assert_ptr_nonnull(users_find(&config->users, "d"));
    ck_assert_ptr_nonnull(users_find(&config->users, "c"));
    config_free(&config);
}
END_TEST

/* What -T prints can be read again, and holds no hash. */
START_TEST(hashes_are_not_printed)
{
    static char text[65536];

    put_key("k.pem", false);
    struct config *config =
        load_text("users = ( { id = \"a\"; password_hash = \"" HASH "\"; key = \"k.pem\"; "
                  "groups = ( \"g\" ); may_act_as = ( \"x\" ) } );");
    FILE *file = fmemopen(text, sizeof(text), "w");

    config_print(config, file);
    fclose(file);
    config_free(&config);
    ck_assert_ptr_null(strstr(text, "$y$"));
    ck_assert_ptr_null(strstr(text, "CjFTo8"));
    put("printed.conf", text);
    config = load_good(path_of("printed.conf"), NULL);
    ck_assert_uint_eq(config->users.count, 1);
    ck_assert_ptr_nonnull(config->users.items[0].key);
    ck_assert(user_may_act_as(&config->users.items[0], "x"));
    config_free(&config);
}
END_TEST

static const struct {
    const char *text;
    const char *wanted;
} refused[] = {
    {"users = 1", "doipd.conf:1: users: must be a list of groups"},
    {"users = ( 1 )", "doipd.conf:1: users.[0]: must be a group"},
    {"users = (\n{ name = \"x\" } )", "doipd.conf:2: users.[0]: has no id"},
    {"users = ( { id = 1 } )", "users.[0].id: must be a string"},
    {"users = ( { id = \"a\"; colour = 1 } )",
     "users.[0].colour: there is no such key; a user has id"},
    {"users = ( { id = \"a\"; enabled = 1 } )", "users.[0].enabled: must be true or false"},
    {"users = ( { id = \"a\"; groups = \"x\" } )", "users.[0].groups: must be a list of groups"},
    {"users = ( { id = \"a\"; groups = ( \"\" ) } )", "an empty string"},
    {"users = ( { id = \"a\"; may_act_as = \"*\" } )",
     "may_act_as: must be a list of shell patterns"},
    {"users = ( { id = \"a\" },\n { id = \"a\" } )",
     "doipd.conf:2: users.[1]: \"a\" is a user already, at "},
    {"users = ( { id = \"a\" }, { id = \"b\"; name = \"a\" } )",
     "users.[1]: \"a\" is a user already"},
    {"users = ( { id = \"a\"; name = \"b\" }, { id = \"b\" } )",
     "users.[1]: \"b\" is a user already"},
    {"users = ( { id = \"a\"; key = \"none.pem\" } )", "none.pem"},
    {"users = ( { id = \"a\"; key = \"private.pem\" } )", "private"},
    {"users = ( { id = \"a\"; password_hash = \"secret\" } )", "is no password hash of a method"},
    {"users = ( { id = \"a\"; password_hash = \"$1$salt$qJH7.N4xYta3aEG/dfqo/0\" } )",
     "doipd --hash-password"},
    {"users = ( { id = \"a\"; password_hash = \"$y$j9T$dzpe.bIn3gbBodcdeNw9m.$CjFTo8B\" } )",
     "not a whole one"},
    {"users = ( { id = \"a\"; password_hash = 5 } )", "password_hash: must be a string"},
    {"users_files = ( \"none.conf\" )", "none.conf: cannot read"},
    {"users_files = ( \"odd.conf\" )", "odd.conf:2: listen: a file of users_files holds users"},
    {"users_files = ( \"broken.conf\" )", "broken.conf:1:"},
    {"users_files = ( \"twice.conf\", \"twice.conf\" )",
     "twice.conf:1: users.[0]: \"t\" is a user already"},
    {"access = { anonymous = ( \"Hi\" ) }", "access.anonymous: there is no basic operation Hi"},
    {"access = { anonymous = \"Hello\" }", "access.anonymous: must be a list of operations"},
};

START_TEST(mistakes_are_named)
{
    put_key("private.pem", true);
    put("odd.conf", "users = ( );\nlisten = ( );\n");
    put("broken.conf", "users = ( { id = \"a\" ");
    put("twice.conf", "users = ( { id = \"t\" } );");
    put("doipd.conf", refused[_i].text);
    ck_assert_msg(load(path_of("doipd.conf"), NULL) == NULL, "accepted: %s", refused[_i].text);
    ck_assert_msg(strstr(short_reason(), refused[_i].wanted) != NULL, "%s\n  gives: %s",
                  refused[_i].text, short_reason());
    ck_assert_ptr_null(strstr(reason, "CjFTo8B"));
}
END_TEST

START_TEST(a_readable_hash_is_told)
{
    char warning[REASON_MAX];
    struct config *config;

    put("users.conf", "users = ( { id = \"a\"; password_hash = \"" HASH "\" } );");
    for (int others = 0; others < 2; others++) {
        ck_assert_int_eq(chmod(path_of("users.conf"), others ? 0604 : 0640), 0);
        config = load_text("users = ( { id = \"harmless\" } ); users_files = ( \"users.conf\" );");
        ck_assert_int_eq(users_exposed(&config->users, warning, sizeof(warning)), others);
        config_free(&config);
    }
    ck_assert_ptr_nonnull(strstr(warning, "users.conf:1: "));
}
END_TEST

START_TEST(passwords)
{
    char why[256];
    char *hash = password_hash_make("pass wörd", why, sizeof(why));
    char *other = password_hash_make("pass wörd", why, sizeof(why));
    char large[600];

    ck_assert_int_eq(strncmp(hash, "$y$", 3), 0);
    ck_assert_str_ne(hash, other);
    ck_assert(password_hash_check(hash, why, sizeof(why)));
    ck_assert(password_matches("pass wörd", hash) && password_matches("pass wörd", other));
    ck_assert(!password_matches("pass word", hash) && !password_matches("", hash));
    ck_assert(password_matches("secret", HASH));
    ck_assert(!password_matches("secret", "no hash"));
    memset(large, 'x', sizeof(large));
    large[sizeof(large) - 1] = '\0';
    ck_assert(!password_matches(large, hash));
    ck_assert_ptr_null(password_hash_make(large, why, sizeof(why)));
    ck_assert_str_eq(why, "a password has at most 511 bytes");
    free(hash);
    free(other);
}
END_TEST

static const struct {
    const char *pattern;
    const char *id;
    bool matches;
} access_cases[] = {
    {"*", DOIP_OP_CREATE, true},
    {"Create", DOIP_OP_CREATE, true},
    {"0.DOIP/Op.Create", DOIP_OP_CREATE, true},
    {"C*", DOIP_OP_CREATE, true},
    {"Create", DOIP_OP_DELETE, false},
    {"create", DOIP_OP_CREATE, false},
    {"0.DOIP/*", DOIP_OP_HELLO, true},
    {"0.DOIP/*", "20.X/Op.A", false},
    {"20.X/*", "20.X/Op.A", true},
    {"Op.A", "20.X/Op.A", false},
    {"Create", "20.X/Create", false},
    {"Hello", "Hello", true},
};

START_TEST(operations_match)
{
    char *patterns[] = {(char *)(uintptr_t)access_cases[_i].pattern, NULL};
    char *none[] = {NULL};
    const char *id = access_cases[_i].id;

    ck_assert_int_eq(operation_matches(patterns, operation_of(id), id), access_cases[_i].matches);
    ck_assert(!operation_matches(none, operation_of(id), id));
}
END_TEST

static Suite *
suite(void)
{
    Suite *all = suite_create("users");
    TCase *tests = tcase_create("users");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_user_has_all_that_is_said);
    tcase_add_test(tests, files_add_users);
    tcase_add_test(tests, hashes_are_not_printed);
    tcase_add_loop_test(tests, mistakes_are_named, 0, sizeof(refused) / sizeof(refused[0]));
    tcase_add_test(tests, a_readable_hash_is_told);
    tcase_add_test(tests, passwords);
    tcase_add_loop_test(tests, operations_match, 0, sizeof(access_cases) / sizeof(access_cases[0]));
    suite_add_tcase(all, tests);
    return all;
}

UNIT_MAIN(suite)
