/*
 * Configurations that are refused: each with the right file, line and key, wherever it stands,
 * and with what would be right.
 */
#include "unit_config.h"

/* Faults, each one line, that are put behind comments and into other files: the line and key
 * must be right everywhere. */
static const struct {
    const char *text;
    const char *key;
    const char *wanted; /* part of the message */
} faults[] = {
    {"wrokers = { }", "wrokers", "did you mean"},
    {"threads = 4", "threads", "did you mean workers.threads?"},
    {"workers = { thread = 4 }", "workers.thread", "did you mean workers.threads?"},
    {"workers = { colour = 4 }", "workers.colour",
     "the keys here are processes, threads, connections"},
    {"zzzzzzzz = 1", "zzzzzzzz", "the keys here are service, listen, user"},
    {"user = \"a\"; user = \"b\"", "user", "given twice, first at"},
    {"tls = { key = \"\"; key = \"\" }", "tls.key", "given twice, first at"},
    {"handler = { a = { enabled = true; enabled = true } }", "handler.a.enabled", "given twice"},
    {"user = 1", "user", "must be a string, in quotes, not 1"},
    {"user = { }", "user", "not a group"},
    {"user = \"\"", "user", "can't be empty"},
    {"user = \"a\\nb\"", "user", "control character"},
    {"user = \"\xff\"", "user", "invalid UTF-8"},
    {"workers = 4", "workers", "must be a group"},
    {"workers = { threads = \"8\" }", "workers.threads",
     "a whole number from 2 to 4096, not \"8\""},
    {"workers = { threads = 8.5 }", "workers.threads", "not 8.5"},
    {"workers = { threads = true }", "workers.threads", "not true"},
    {"workers = { threads = 1 }", "workers.threads", "from 2 to 4096, not 1"},
    {"workers = { threads = 4294967300 }", "workers.threads", "not 4294967300"},
    {"workers = { threads = 99999999999999999999 }", "workers.threads", "beyond 64 bits"},
    {"workers = { processes = -1 }", "workers.processes", "not -1"},
    {"timeouts = { idle = 86401 }", "timeouts.idle", "from 0 to 86400"},
    {"log = { access = 1 }", "log.access", "must be true or false, not 1"},
    {"log = { access = \"yes\" }", "log.access", "not \"yes\""},
    {"log = { level = \"loud\" }", "log.level",
     "\"error\", \"warning\", \"notice\", \"info\" or \"debug\""},
    {"log = { format = \"xml\" }", "log.format", "must be \"text\" or \"json\", not \"xml\""},
    {"tls = { certificates = \"a\" }", "tls.certificates", "must be a list of groups"},
    {"tls = { certificates = ( 1 ) }", "tls.certificates.[0]", "must be a group"},
    {"tls = { certificates = ( { certificate = \"c\" }, { key = \"k\" } ) }",
     "tls.certificates.[1]", "has no certificate"},
    {"tls = { certificates = ( { certificate = \"c\"; file = \"k\" } ) }",
     "tls.certificates.[0].file", "the keys here are certificate, key, ocsp"},
    {"tls = { certificates = ( { certificate = 1 } ) }", "tls.certificates.[0].certificate",
     "must be a string"},
    {"tls = { certificates = ( { certificate = \"credential:a/b\" } ) }",
     "tls.certificates.[0].certificate", "a credential is named as in"},
    {"tls = { min_version = \"1.1\" }", "tls.min_version", "must be \"1.2\" or \"1.3\""},
    {"tls = { min_version = 1.2 }", "tls.min_version", "must be \"1.2\" or \"1.3\", not 1.2"},
    {"limits = { unread = \"64Q\" }", "limits.unread", "must be a size"},
    {"limits = { unread = \"1 M\" }", "limits.unread", "must be a size"},
    {"limits = { unread = \"-1\" }", "limits.unread", "must be a size"},
    {"limits = { unread = \"99999999T\" }", "limits.unread", "must be a size"},
    {"limits = { json_segment = 10 }", "limits.json_segment", "from \"4K\" to \"1G\", not 10"},
    {"limits = { json_segment = 64K }", "limits.json_segment", "64K is no number"},
    {"limits = { json_depth = 7 }", "limits.json_depth", "from 8 to 2048, not 7"},
    {"limits = { json_depth = 2049 }", "limits.json_depth", "from 8 to 2048, not 2049"},
    {"limits = { connections_per_address = -1 }", "limits.connections_per_address", "not -1"},
    {"workers = { processes = 2; connections = 500 }; limits = { connections_per_address = 1002 }",
     "limits.connections_per_address", "can never be reached with 2 workers of 500 connections"},
    {"workers = { processes = 2; connections = 500 }; limits = { connections = 1002 }", "limits.connections",
     "can never be reached with 2 workers of 500 connections"},
    {"limits = { connections = 10; connections_per_address = 11 }", "limits.connections_per_address",
     "can never be reached with limits.connections = 10"},
    {"limits = { requests_per_connection = \"1K\" }", "limits.requests_per_connection",
     "a whole number"},
    {"service = { port = 65536 }", "service.port", "from 0 to 65535"},
    {"service = { address = \"a b\" }", "service.address", "neither an address"},
    {"listen = \"127.0.0.1:9000\"", "listen", "must be a list of addresses"},
    {"listen = ( )", "listen", "from 1 to 64 addresses, not 0"},
    {"listen = ( 9000 )", "listen", "must be a string"},
    {"listen = ( \"127.0.0.1\" )", "listen", "with the port"},
    {"listen = ( \":9000\" )", "listen", "is written"},
    {"listen = ( \"*:9000\" )", "listen", "\"0.0.0.0:9000\""},
    {"listen = ( \"localhost:9000\" )", "listen", "no IPv4 address"},
    {"listen = ( \"::1:9000\" )", "listen", "needs brackets"},
    {"listen = ( \"[::1:9000\" )", "listen", "is written"},
    {"listen = ( \"[127.0.0.1]:9000\" )", "listen", "no IPv6 address"},
    {"listen = ( \"127.1:9000\" )", "listen", "no IPv4 address"},
    {"listen = ( \"127.0.0.1:0\" )", "listen", "from 1 to 65535"},
    {"listen = ( \"127.0.0.1:70000\" )", "listen", "from 1 to 65535"},
    {"listen = ( \"127.0.0.1:90x\" )", "listen", "from 1 to 65535"},
    {"listen = ( \"127.0.0.1:1\", \"127.0.0.1:1\" )", "listen", "can't both be bound"},
    {"listen = ( \"127.0.0.1:1\", \"0.0.0.0:1\" )", "listen", "can't both be bound"},
    {"handler = 1", "handler", "must be a group"},
    {"handler = { a = 1 }", "handler.a", "must be a group"},
    {"handler = { a = { enable = true } }", "handler.a.enable",
     "enabled, targets, operations, options"},
    {"handler = { a = { enabled = 1 } }", "handler.a.enabled", "must be true or false, not 1"},
    {"handler = { a = { targets = \"*\" } }", "handler.a.targets", "must be a list"},
    {"handler = { a = { targets = ( ) } }", "handler.a.targets", "the list is empty"},
    {"handler = { a = { targets = ( \"\" ) } }", "handler.a.targets", "matches nothing"},
    {"handler = { a = { targets = ( 1 ) } }", "handler.a.targets", "must be a string"},
    {"handler = { a = { options = 1 } }", "handler.a.options", "must be a group"},
    {"handler = { a = { options = { x = 1.5 } } }", "handler.a.options.x", "not 1.5"},
    {"handler = { a = { options = { x = ( 1, { y = \"\\x01\" } ) } } }", "handler.a.options.x[1].y",
     "control character"},
    {"tls = { key = \"k.pem\" }", "tls.key", "without a certificate"},
    {"tls = { ocsp = \"r.der\" }", "tls.ocsp", "without a certificate"},
    {"control = { group = \"no-such-group\" }", "control.group", "there is no group"},
    {"control = { socket = 5 }", "control.socket", "must be a string"},
    {"control = \"/run/doipd\"", "control", "must be a group"},
    {"workers = { threads = 9; connections = 8 }", "workers.threads", "never be busy"},
    {"user 1", "user", "syntax error"},
    {"user = = \"a\"", "user", "syntax error"},
    {"user = \"a", "user", "this string never ends"},
    {"user = \"a\\x00b\"", "user", "NUL"},
    {"tls = { key = ( }", "tls.key", "} where ) is due"},
    {"tls = { key = \"\"; } }", "tls", "} closes nothing"},
    {"user = \"a\" $", "user", "$ does not belong here"},
    {"user = @x", "user", "@ does not belong here"},
    {"@include \"nowhere.conf\"", "", "cannot include"},
    {"@include \".\"", "", "Is a directory"},
    {"/* never ended", "", "this comment never ends"},
};

/* What stands before the fault: the number of lines, and lines that libconfig and we must count
 * alike. */
static const struct {
    const char *before;
    int line;
} places[] = {
    {"", 1},
    {"\n\n", 3},
    {"# one\n// two\n", 3},
    {"/* one\n two \"\n three */\n", 4},
    {"pid_file = \"\" /* a\n */ # b\n// c\n", 4},
    {"service = {\n  # {\n  id = \"x\" // }\n  name =\n\n  \"y\"\n  /* } */ }\n", 8},
    {"@include \"good.conf\"\n", 2},
    {"@include \"good.conf\" # why\n\n/* x\n*/", 4},
};

/* True when what stands before has the fault's own key already, which would be another fault. */
static bool
clashes(size_t place, size_t fault)
{
    char group[64];

    snprintf(group, sizeof(group), "%.*s", (int)strcspn(faults[fault].key, "."), faults[fault].key);
    if (group[0] == '\0')
        return false;
    return strstr(places[place].before, group) != NULL ||
           (strcmp(group, "log") == 0 && strstr(places[place].before, "good.conf") != NULL);
}

static void
expect(const char *file, int line, size_t fault)
{
    char start[256];

    if (faults[fault].key[0] == '\0')
        snprintf(start, sizeof(start), "%s:%d: ", file, line);
    else
        snprintf(start, sizeof(start), "%s:%d: %s: ", file, line, faults[fault].key);
    const char *is = short_reason();
    if (strncmp(is, start, strlen(start)) != 0)
        ck_abort_msg("%s\n  gives: %s\n  wants: %s…", faults[fault].text, is, start);
    ck_assert_msg(strstr(is, faults[fault].wanted) != NULL, "%s\n  gives: %s\n  wants: …%s…",
                  faults[fault].text, is, faults[fault].wanted);
    ck_assert_msg(strchr(is, '\n') == NULL, "more than one line: %s", is);
}

START_TEST(test_fault_in_file)
{
    size_t fault = (size_t)_i;
    char text[1024];

    put("good.conf", "# a file to include\nlog = { level = \"info\"\n/* its end\n*/ }");
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (clashes(i, fault))
            continue;
        snprintf(text, sizeof(text), "%s%s\n# after\n", places[i].before, faults[fault].text);
        put("doipd.conf", text);
        ck_assert_msg(load(path_of("doipd.conf"), NULL) == NULL, "accepted: %s", text);
        expect("doipd.conf", places[i].line, fault);
    }
}
END_TEST

START_TEST(test_fault_included)
{
    size_t fault = (size_t)_i;
    char text[1024];

    ck_assert_int_eq(mkdir(path_of("more"), 0700), 0);
    put("doipd.conf",
        "# the main file\n\n@include \"more/middle.conf\"\nstate_directory = \"/x\"\n");
    put("more/middle.conf", "\n/*\n*/\n@include \"bad.conf\"\n\n");
    put("more/good.conf", "log = { level = \"info\" }");
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (clashes(i, fault))
            continue;
        snprintf(text, sizeof(text), "%s%s", places[i].before, faults[fault].text);
        put("more/bad.conf", text);
        ck_assert_msg(load(path_of("doipd.conf"), NULL) == NULL, "accepted: %s", text);
        expect("more/bad.conf", places[i].line, fault);
    }
}
END_TEST

START_TEST(test_fault_in_conf_d)
{
    size_t fault = (size_t)_i;

    put("doipd.conf", "");
    ck_assert_int_eq(mkdir(path_of("conf.d"), 0700), 0);
    put("conf.d/10-good.conf", "pid_file = \"\"");
    put("conf.d/20-bad.conf", "");
    FILE *file = fopen(path_of("conf.d/20-bad.conf"), "w");
    fprintf(file, "\n# x\n%s\n", faults[fault].text);
    fclose(file);
    ck_assert_ptr_null(load(path_of("doipd.conf"), NULL));
    expect("conf.d/20-bad.conf", 3, fault);
}
END_TEST

/* Faults of more than one line, or with more than a file: the whole beginning of the message is
 * given. */
static const struct {
    const char *text;
    const char *wanted;
} layouts[] = {
    {"listen = ( \"127.0.0.1:9000\",\n  \"nonsense\"\n\n  )\n",
     "doipd.conf:2: listen: \"nonsense\""},
    {"listen = [\n  \"nonsense\" # here\n  , /* \n */ \"[::1]:9000\"\n]\n",
     "doipd.conf:2: listen: \"nonsense\""},
    {"workers\n =\n{\n threads\n=\n 1 }\n", "doipd.conf:4: workers.threads: must be"},
    {"user = \"a\"\n\n# again\nuser = \"b\"\n",
     "doipd.conf:4: user: given twice, first at doipd.conf:1; keep one"},
    {"user = \"a\"\n@include \"user.conf\"\n",
     "user.conf:2: user: given twice, first at doipd.conf:1; keep one"},
    {"@include \"user.conf\"\n\nuser = \"a\"\n",
     "doipd.conf:3: user: given twice, first at user.conf:2; keep one"},
    {"tls = {\n  key = \"\"\n\n# end\n",
     "doipd.conf:1: tls: the bracket opened here is never closed: } is missing"},
    {"@include \"doipd.conf\"\n", "doipd.conf:1: included more than 10 deep"},
    {"user =\n\n# nothing\npid_file = \"\"\n", "doipd.conf:4: pid_file: syntax error"},
    {"user = \"abc\nlog = { }\n", "doipd.conf:1: user: this string never ends"},
};

START_TEST(test_layout)
{
    put("doipd.conf", layouts[_i].text);
    put("user.conf", "# who\nuser = \"c\"");
    ck_assert_ptr_null(load(path_of("doipd.conf"), NULL));
    ck_assert_msg(strncmp(short_reason(), layouts[_i].wanted, strlen(layouts[_i].wanted)) == 0,
                  "gives: %s\n  wants: %s", short_reason(), layouts[_i].wanted);
}
END_TEST

/* What is quoted may hold anything, and be cut anywhere: the reason is text all the same. */
START_TEST(test_reason_is_text)
{
    static const char *const odd[] = {"log.leve\xff=debug", "\x1b[2J\xc3=1"};
    const char *const overrides[] = {odd[_i], NULL};

    ck_assert_ptr_null(load(NULL, overrides));
    for (const unsigned char *at = (const unsigned char *)reason; *at != '\0'; at++)
        ck_assert_msg(*at >= 0x20 && *at < 0x7f, "%s", reason);
    ck_assert_ptr_nonnull(strchr(reason, '?'));
}
END_TEST

START_TEST(test_unreadable)
{
    ck_assert_ptr_null(load(path_of("none.conf"), NULL));
    ck_assert_str_eq(short_reason(),
                     "none.conf: cannot read the configuration: No such file or directory");
    ck_assert_ptr_null(load(directory, NULL));
    ck_assert_ptr_nonnull(strstr(reason, "Is a directory"));
    put("doipd.conf", "");
    put("conf.d", "no directory");
    ck_assert_ptr_null(load(path_of("doipd.conf"), NULL));
    ck_assert_str_eq(short_reason(), "conf.d: cannot read the directory: Not a directory");
    FILE *file = fopen(path_of("nul.conf"), "w");
    fwrite("user = \"a\"\0\n", 1, 12, file);
    fclose(file);
    ck_assert_ptr_null(load(path_of("nul.conf"), NULL));
    ck_assert_ptr_nonnull(strstr(reason, "NUL"));
}
END_TEST

static Suite *
suite(void)
{
    Suite *all = suite_create("config_faults");
    TCase *tests = tcase_create("config_faults");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, test_fault_in_file, 0, sizeof(faults) / sizeof(faults[0]));
    tcase_add_loop_test(tests, test_fault_included, 0, sizeof(faults) / sizeof(faults[0]));
    tcase_add_loop_test(tests, test_fault_in_conf_d, 0, sizeof(faults) / sizeof(faults[0]));
    tcase_add_loop_test(tests, test_layout, 0, sizeof(layouts) / sizeof(layouts[0]));
    tcase_add_loop_test(tests, test_reason_is_text, 0, 2);
    tcase_add_test(tests, test_unreadable);
    suite_add_tcase(all, tests);
    return all;
}

UNIT_MAIN(suite)
