/*
 * The configuration: what is read from where, and that what -T prints, the installed file and
 * the manual say the same.
 */
#include "unit_config.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static const char *
print(const struct config *config)
{
    static char text[65536];
    FILE *file = fmemopen(text, sizeof(text), "w");

    config_print(config, file);
    fclose(file);
    return text;
}

/* Without the comments, which say where values came from. */
static char *
print_values(const struct config *config)
{
    char *text = strdup(print(config));
    char *to = text;

    for (const char *from = text; *from != '\0'; from++) {
        if (strncmp(from, "  # ", 4) == 0)
            from = strchr(from, '\n');
        *to++ = *from;
    }
    *to = '\0';
    return text;
}

static void
assert_defaults(const struct config *config)
{
    char host[HOST_NAME_MAX + 1] = "";
    char id[sizeof(host) + 16];

    gethostname(host, sizeof(host) - 1);
    snprintf(id, sizeof(id), "0.DOIP/%s", host);
    ck_assert_str_eq(config->service.id, id);
    ck_assert(config->service.id_assumed);
    ck_assert_str_eq(config->service.address, "127.0.0.1");
    ck_assert_int_eq(config->service.port, 9000);
    ck_assert_uint_eq(config->listen_count, 2);
    ck_assert_str_eq(config->listen[1].text, "[::1]:9000");
    ck_assert_str_eq(config->user, "doipd");
    ck_assert_str_eq(config->pid_file, "");
    ck_assert_str_eq(config->tls.min_version, "1.2");
    ck_assert_int_ge(config->workers.processes, 2);
    ck_assert_int_eq(config->workers.threads, 256);
    ck_assert_int_eq(config->workers.connections, 10000);
    ck_assert_int_eq(config->timeouts.handshake, 10);
    ck_assert_int_eq(config->timeouts.idle, 300);
    ck_assert_int_eq(config->timeouts.shutdown, 15);
    ck_assert_uint_eq(config->limits.json_segment, 1024 * 1024);
    ck_assert_uint_eq(config->limits.body_rate, 1024);
    ck_assert_int_eq(config->log.level, LOG_LEVEL_INFO);
    ck_assert(!config->log.json && config->log.access);
    ck_assert_uint_eq(config->handler_count, 0);
    ck_assert_uint_eq(config->users.count, 0);
    ck_assert_str_eq(config->access.anonymous[3], "Search");
    ck_assert_ptr_null(config->access.anonymous[4]);
    ck_assert_str_eq(config->access.authenticated[0], "*");
}

START_TEST(test_defaults)
{
    struct config *config = load_good(NULL, NULL);

    assert_defaults(config);
    config_free(&config);
    ck_assert_ptr_null(config);
    static const char *const empty[] = {"", "\n", "# only", "/* x */", "// x\n", "\r\n\t\f"};
    for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
        config = load_text(empty[i]);
        assert_defaults(config);
        config_free(&config);
    }
}
END_TEST

static const char *const full =
    "service : { id = \"20.500/s\", name = \"N \\\"x\\\"\"; description = \"\xc3\xa9\" "
    "\"t\xc3\xa9\"; address = \"192.0.2.7\"; port = 9443; };\n"
    "listen = [ \"0.0.0.0:9001\", \"[::]:9001\" ];\n"
    "user = \"root\"; state_directory = \"/s\"; pid_file = \"run/p\"; handlers_directory = "
    "\"/h\";\n"
    "tls = { certificate = \"/c\"; key = \"k.pem\"; client_ca = \"\"; min_version = \"1.3\";\n"
    "  certificates = ( { certificate = \"/d\"; key = \"d.key\" }, { certificate = \"e.pem\" } ); "
    "};\n"
    "workers = { processes = 3; threads = 2; connections = 70000; };\n"
    "timeouts = { handshake = 0; idle = 0x10; read = 1L; write = 2; handler = 3; shutdown = 4 }\n"
    "limits = { json_segment = \"64K\"; unread = 8589934592; body_rate = 0; json_depth = 100;"
    "  connections = 60; connections_per_address = 50; requests_per_connection = 1000; }\n"
    "log = { level = \"debug\"; format = \"json\"; access = FALSE; }\n"
    "handler = {\n"
    "  store = { targets = ( \"20.500/*\", \"x\" ); options = { root = \"/r\"; size = 10; big = "
    "5000000000; on = true; odd = \"007\"; deep = { a = ( \"\\\"x\\\\\", { b = [ 1, 2 ]; }, "
    "( ) ); big = 5000000000; r = 1.5; t = true; g = { } } } }\n"
    "  hello = { enabled = false; operations = [ \"0.DOIP/Op.Hello\" ] }\n"
    "}\n";

static void
assert_full(const struct config *config)
{
    char path[PATH_MAX + 16];

    ck_assert_str_eq(config->service.id, "20.500/s");
    ck_assert(!config->service.id_assumed);
    ck_assert_str_eq(config->service.name, "N \"x\"");
    ck_assert_str_eq(config->service.description, "\xc3\xa9t\xc3\xa9");
    ck_assert_str_eq(config->service.address, "192.0.2.7");
    ck_assert_int_eq(config->service.port, 9443);
    ck_assert_uint_eq(config->listen_count, 2);
    ck_assert_uint_eq(config->listen[1].length, sizeof(struct sockaddr_in6));
    snprintf(path, sizeof(path), "%s/run/p", directory);
    ck_assert_str_eq(config->pid_file, path);
    snprintf(path, sizeof(path), "%s/k.pem", directory);
    ck_assert_str_eq(config->tls.key, path);
    ck_assert_str_eq(config->tls.min_version, "1.3");
    ck_assert_uint_eq(config->tls.certificate_count, 2);
    ck_assert_str_eq(config->tls.certificates[0].certificate, "/d");
    ck_assert_ptr_null(config->tls.certificates[1].key);
    snprintf(path, sizeof(path), "%s/d.key", directory);
    ck_assert_str_eq(config->tls.certificates[0].key, path);
    ck_assert_int_eq(config->workers.processes, 3);
    ck_assert_int_eq(config->timeouts.idle, 16);
    ck_assert_int_eq(config->timeouts.read, 1);
    ck_assert_uint_eq(config->limits.json_segment, 65536);
    ck_assert_uint_eq(config->limits.unread, UINT64_C(8589934592));
    ck_assert_int_eq(config->limits.json_depth, 100);
    ck_assert_int_eq(config->limits.connections, 60);
    ck_assert_int_eq(config->limits.connections_per_address, 50);
    ck_assert_int_eq(config->limits.requests_per_connection, 1000);
    ck_assert_int_eq(config->log.level, LOG_LEVEL_DEBUG);
    ck_assert(config->log.json && !config->log.access);
}

static void
assert_full_handlers(const struct config *config)
{
    static const char *const options[][2] = {
        {"root", "/r"},
        {"size", "10"},
        {"big", "5000000000"},
        {"on", "true"},
        {"odd", "007"},
        {"deep", "{\"a\":[\"\\\"x\\\\\",{\"b\":[1,2]},[]],\"big\":5000000000,\"r\":1.5,\"t\":true,"
                 "\"g\":{}}"}};

    ck_assert_uint_eq(config->handler_count, 2);
    const struct config_handler *store = &config->handlers[0];
    ck_assert_str_eq(store->name, "store");
    ck_assert(store->enabled);
    ck_assert_str_eq(store->targets[0], "20.500/*");
    ck_assert_str_eq(store->targets[1], "x");
    ck_assert_ptr_null(store->targets[2]);
    ck_assert_str_eq(store->operations[0], "*");
    for (size_t i = 0; i < 6; i++) {
        ck_assert_str_eq(store->options[i].name, options[i][0]);
        ck_assert_str_eq(store->options[i].value, options[i][1]);
    }
    ck_assert_int_eq(store->options[5].type, DOIP_OPTION_JSON);
    ck_assert_ptr_null(store->options[6].name);
    ck_assert(!config->handlers[1].enabled);
    ck_assert_str_eq(config->handlers[1].operations[0], "0.DOIP/Op.Hello");
    ck_assert_ptr_null(config->handlers[1].options[0].name);
}

START_TEST(test_full)
{
    struct config *config = load_text(full);

    assert_full(config);
    assert_full_handlers(config);
    snprintf(reason, sizeof(reason), "%s", config->handlers[0].where);
    ck_assert_str_eq(short_reason(), "doipd.conf:11");
    snprintf(reason, sizeof(reason), "%s", config->handlers[0].options[1].where);
    ck_assert_str_eq(short_reason(), "doipd.conf:11");
    config_free(&config);
}
END_TEST

static void
assert_reads_back(struct config *config)
{
    char *first = print_values(config);

    put("printed.conf", print(config));
    config_free(&config);
    config = load_good(path_of("printed.conf"), NULL);
    char *second = print_values(config);
    ck_assert_str_eq(first, second);
    config_free(&config);
    free(first);
    free(second);
}

START_TEST(test_print)
{
    static const char *const overrides[] = {"log.level=debug", NULL};
    struct config *config = load_text(full);

    assert_reads_back(config);
    assert_reads_back(load_good(NULL, NULL));
    config = load_good(path_of("doipd.conf"), overrides);
    const char *text = print(config);
    ck_assert_ptr_nonnull(strstr(text, "level = \"debug\";"));
    ck_assert_ptr_nonnull(strstr(text, "  # -o\n"));
    ck_assert_ptr_nonnull(strstr(text, "doipd.conf:5\n"));
    ck_assert_ptr_nonnull(strstr(text, "unread = \"8G\";"));
    ck_assert_ptr_nonnull(strstr(text, "  # default\n"));
    ck_assert_ptr_nonnull(strstr(text, "deep = { a = ( \"\\\"x\\\\\", { b = ( 1, 2 ); }, ( ) ); "
                                       "big = 5000000000L; r = 1.5; t = true; g = { }; };"));
    config_free(&config);
}
END_TEST

START_TEST(test_conf_d)
{
    put("doipd.conf",
        "workers = { threads = 4; processes = 5 }\nlisten = ( \"127.0.0.1:1\", \"127.0.0.1:2\" )\n"
        "handler = { a = { targets = ( \"1\", \"2\" ); options = { x = 1; y = 2 } } }\n");
    ck_assert_int_eq(mkdir(path_of("conf.d"), 0700), 0);
    put("conf.d/20.conf",
        "workers = { threads = 7 }\nhandler = { b = { }; a = { enabled = false } }\n");
    put("conf.d/10.conf", "workers = { threads = 6 }\nlisten = ( \"127.0.0.1:3\" )\n"
                          "handler = { a = { targets = ( \"3\" ); options = { y = \"z\" } } }\n");
    put("conf.d/.hidden.conf", "nonsense");
    put("conf.d/30.conf~", "nonsense");
    struct config *config = load_good(path_of("doipd.conf"), NULL);
    ck_assert_int_eq(config->workers.threads, 7);
    ck_assert_int_eq(config->workers.processes, 5);
    ck_assert_uint_eq(config->listen_count, 1);
    ck_assert_int_eq(config->service.port, 3);
    ck_assert_uint_eq(config->handler_count, 2);
    const struct config_handler *a = &config->handlers[0];
    ck_assert_str_eq(a->name, "a");
    ck_assert(!a->enabled);
    ck_assert_str_eq(a->targets[0], "3");
    ck_assert_ptr_null(a->targets[1]);
    ck_assert_str_eq(a->options[0].value, "1");
    ck_assert_str_eq(a->options[1].value, "z");
    snprintf(reason, sizeof(reason), "%s", a->options[1].where);
    ck_assert_str_eq(short_reason(), "conf.d/10.conf:3");
    assert_reads_back(config);
}
END_TEST

/* A name of 64 letters. */
#define EIGHT "abcdefgh"
#define LONGEST EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT

/* An override, and the line that -T then has. */
static const struct {
    const char *override;
    const char *printed; /* NULL: refused */
    const char *wanted;  /* part of the reason */
} overrides_given[] = {
    {"workers.threads=8", "    threads = 8;", NULL},
    {"workers.threads = 8", NULL, "there is no such key"},
    {"workers.threads=0x8", "    threads = 8;", NULL},
    {"workers.threads=x", NULL,
     "-o: workers.threads: must be a whole number from 2 to 4096, not \"x\""},
    {"workers.threads=", NULL, "not \"\""},
    {"workers.threads=8; user=\"x\"", NULL, "must be a whole number"},
    {"workers=8", NULL, "-o: workers: is a group"},
    {"handler=8", NULL, "is a group"},
    {"worker.threads=8", NULL,
     "-o: worker.threads: there is no such key; did you mean workers.threads?"},
    {"x.y=1", NULL, "the keys here are service, listen"},
    {"nonsense", NULL, "must be KEY=VALUE"},
    {"=x", NULL, "must be KEY=VALUE"},
    {"listen=127.0.0.1:9001", "listen = ( \"127.0.0.1:9001\" );", NULL},
    {"listen=127.0.0.1:9001, [::1]:9001", "listen = ( \"127.0.0.1:9001\", \"[::1]:9001\" );", NULL},
    {"listen=(\"127.0.0.1:9001\")", "listen = ( \"127.0.0.1:9001\" );", NULL},
    {"listen=[\"127.0.0.1:9001\", \"[::1]:2\"]", "listen = ( \"127.0.0.1:9001\", \"[::1]:2\" );",
     NULL},
    {"listen=\"127.0.0.1:9001,[::1]:2\"", "listen = ( \"127.0.0.1:9001\", \"[::1]:2\" );", NULL},
    {"listen=", NULL, "-o: listen: \"\""},
    {"listen=9000", NULL, "is written"},
    {"tls.min_version=1.3", "    min_version = \"1.3\";", NULL},
    {"service.name=123", "    name = \"123\";", NULL},
    {"service.name=\"a b\"", "    name = \"a b\";", NULL},
    {"service.name=a \"b\" = c", "    name = \"a \\\"b\\\" = c\";", NULL},
    {"service.id=20.500.123/x", "    id = \"20.500.123/x\";", NULL},
    {"users_files=a.conf", NULL, "a.conf: cannot read the configuration: No such file"},
    {"users=x", NULL, "-o: users: must be a list of groups"},
    {"users=({id=\"a\"})", "users = ( { id = \"a\"; enabled = true; } );", NULL},
    {"access.anonymous=*", "    anonymous = ( \"*\" );", NULL},
    {"access.anonymous=()", "    anonymous = ( );", NULL},
    {"access.authenticated=Create,20.X/*", "    authenticated = ( \"Create\", \"20.X/*\" );", NULL},
    {"access.authenticated=Craete", NULL,
     "-o: access.authenticated: there is no basic operation Craete; these are Hello"},
    {"user=root", "user = \"root\";", NULL},
    {"log.access=false", "    access = false;", NULL},
    {"log.access=no", NULL, "must be true or false"},
    {"log.level=debug", "    level = \"debug\";", NULL},
    {"log.format=json", "    format = \"json\";", NULL},
    {"limits.unread=64K", "    unread = \"64K\";", NULL},
    {"limits.unread=\"64K\"", "    unread = \"64K\";", NULL},
    {"limits.unread=1000", "    unread = 1000;", NULL},
    {"limits.unread=5000000001", "    unread = 5000000001L;", NULL},
    {"state_directory=/x y/#z", "state_directory = \"/x y/#z\";", NULL},
    {"handler.a.enabled=false", "        enabled = false;", NULL},
    {"handler.a.targets=x/*,y", "        targets = ( \"x/*\", \"y\" );", NULL},
    {"handler.a.operations=(\"x\")", "        operations = ( \"x\" );", NULL},
    {"handler.a.options.root=/x", "            root = \"/x\";", NULL},
    {"handler.a.options.size=10", "            size = 10;", NULL},
    {"handler.a.options.prefix=20.500", "            prefix = \"20.500\";", NULL},
    {"handler.a.options.odd=007", "            odd = \"007\";", NULL},
    {"handler.a.options.text=\"a\\\\b\"", "            text = \"a\\\\b\";", NULL},
    {"handler.a.options.acl={\"a\":[1]}", "            acl = \"{\\\"a\\\":[1]}\";", NULL},
    {"handler.a.options.a.b=1", NULL, "is no name of an option"},
    {"handler.a.options.b c=1", NULL, "is no name of an option"},
    {"handler.a.options.=1", NULL, "is no name of an option"},
    {"handler.a.options." LONGEST "n=1", NULL, "is no name of an option: at most 64"},
    {"handler.a.options." LONGEST "=1", "            " LONGEST " = 1;", NULL},
    {"handler." LONGEST "n.enabled=true", NULL, "file name without .so: at most 64"},
    {"handler." LONGEST ".enabled=false", "        enabled = false;", NULL},
    {"handler.a b.enabled=true", NULL, "must be a handler's file name"},
    {"handler.1a.enabled=true", NULL, "must be a handler's file name"},
    {"handler.a\xf6.enabled=true", NULL, "must be a handler's file name"},
    {"handler.a-1_b.enabled=false", "        enabled = false;", NULL},
    {"handler.a.options=1", NULL, "name a key of a section"},
    {"handler.a=1", NULL, "name a key of a section"},
    {"handler..enabled=true", NULL, "name a key of a section"},
    {"handler.a.colour=1", NULL, "-o: handler.a.colour: there is no such key"},
};

START_TEST(test_override)
{
    const char *const overrides[] = {overrides_given[_i].override, NULL};
    char line[256];
    struct config *config = load(NULL, overrides);

    if (overrides_given[_i].printed == NULL) {
        ck_assert_msg(config == NULL, "accepted: %s", overrides[0]);
        ck_assert_msg(strstr(reason, overrides_given[_i].wanted) != NULL, "%s\n  gives: %s",
                      overrides[0], reason);
        return;
    }
    ck_assert_msg(config != NULL, "%s refused: %s", overrides[0], reason);
    snprintf(line, sizeof(line), "%s ", overrides_given[_i].printed);
    const char *found = strstr(print(config), line);
    ck_assert_msg(found != NULL, "%s is not in\n%s", line, print(config));
    const char *end = strchr(found, '\n');
    ck_assert_msg(strncmp(end - 6, "  # -o", 6) == 0, "%.*s", (int)(end - found), found);
    assert_reads_back(config);
}
END_TEST

/* Never more threads than connections, so what is printed is taken again. */
static const struct {
    const char *text;
    int threads;
} few_connections[] = {
    {"workers = { connections = 1 }", 2},
    {"workers = { connections = 5 }", 5},
    {"workers = { connections = 1; threads = 2 }", 2},
    {"workers = { connections = 1000 }", 256},
};

START_TEST(test_few_connections)
{
    struct config *config = load_text(few_connections[_i].text);

    ck_assert_int_eq(config->workers.threads, few_connections[_i].threads);
    assert_reads_back(config);
}
END_TEST

START_TEST(test_override_relative_path)
{
    const char *const overrides[] = {"state_directory=state", NULL};
    char current[PATH_MAX];
    char wanted[PATH_MAX + 8];
    struct config *config = load_good(NULL, overrides);

    ck_assert_ptr_nonnull(getcwd(current, sizeof(current)));
    snprintf(wanted, sizeof(wanted), "%s/state", current);
    ck_assert_str_eq(config->state_directory, wanted);
    config_free(&config);
}
END_TEST

START_TEST(test_wildcard)
{
    static const char *const overrides[] = {"listen=0.0.0.0:9002", NULL};
    struct config *config = load_good(NULL, overrides);
    struct in_addr in;
    struct in6_addr in6;

    ck_assert(inet_pton(AF_INET, config->service.address, &in) == 1 ||
              inet_pton(AF_INET6, config->service.address, &in6) == 1);
    ck_assert_str_ne(config->service.address, "0.0.0.0");
    ck_assert_int_eq(config->service.port, 9002);
    config_free(&config);
}
END_TEST

/* ------------------------------------------------------------------ what is written about it */

static char *
slurp(const char *name)
{
    char path[PATH_MAX];
    size_t size;

    /* this file's path as the compiler saw it is relative to the tree, where the tests run */
    snprintf(path, sizeof(path), "%.*s../../%s", (int)(strlen(__FILE__) - strlen("test_config.c")),
             __FILE__, name);
    char *text = config_text_load(path, &size);
    ck_assert_msg(text != NULL, "%s", path);
    return text;
}

/* Takes the comment sign from lines that are settings commented out (prose has one blank behind
 * the #). */
static void
uncomment(char *text)
{
    for (char *at = text; *at != '\0'; at++)
        if (*at == '#' && (at == text || at[-1] == '\n') && (at[1] != ' ' || at[2] == ' ') &&
            at[1] != '\n')
            *at = ' ';
}

START_TEST(test_installed_file)
{
    struct config *none = load_good(NULL, NULL);
    char *text = slurp("etc/doipd.conf");
    struct config *config = load_text(text);
    char *first = print_values(none);
    char *second = print_values(config);

    ck_assert_str_eq(first, second);
    ck_assert_uint_eq(config->handler_count, 0);
    config_free(&config);
    uncomment(text);
    config = load_text(text);
    ck_assert_uint_ge(config->handler_count, 1);
    ck_assert_str_eq(config->handlers[0].name, "store");
    for (const struct config_key *key = config_keys; key->name != NULL; key++)
        ck_assert_msg(config_is_set(config, key->name) || strncmp(key->name, "service.", 8) == 0 ||
                          strcmp(key->name, "workers.processes") == 0 ||
                          strcmp(key->name, "control.socket") == 0,
                      "etc/doipd.conf lacks %s", key->name);
    config_free(&config);
    config_free(&none);
    free(first);
    free(second);
    free(text);
}
END_TEST

START_TEST(test_manual)
{
    char *text = slurp("man/doipd.conf.5");
    char item[128];

    for (const struct config_key *key = config_keys; key->name != NULL; key++) {
        snprintf(item, sizeof(item), ".It Ic %s", key->name);
        ck_assert_msg(strstr(text, item) != NULL, "doipd.conf.5 lacks %s", key->name);
    }
    free(text);
}
END_TEST

static Suite *
suite(void)
{
    Suite *all = suite_create("config");
    TCase *tests = tcase_create("config");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_defaults);
    tcase_add_test(tests, test_full);
    tcase_add_test(tests, test_print);
    tcase_add_test(tests, test_conf_d);
    tcase_add_loop_test(tests, test_override, 0,
                        sizeof(overrides_given) / sizeof(overrides_given[0]));
    tcase_add_loop_test(tests, test_few_connections, 0, sizeof(few_connections) / sizeof(few_connections[0]));
    tcase_add_test(tests, test_override_relative_path);
    tcase_add_test(tests, test_wildcard);
    tcase_add_test(tests, test_installed_file);
    tcase_add_test(tests, test_manual);
    suite_add_tcase(all, tests);
    return all;
}

UNIT_MAIN(suite)
