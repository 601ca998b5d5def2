/*
 * What the client makes of its arguments, and of text and names that a server sends.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "doip/arguments.h"
#include "doip/names.h"
#include "doip/options.h"
#include "doip/terminal.h"
#include "unit.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static char reason[1024];

/* ------------------------------------------------------------------ HOST:PORT */

static const struct {
    const char *text, *host; /* NULL: refused */
    int port;                /* 0: as it was */
} servers[] = {
    {"localhost", "localhost", 0},
    {"localhost:9001", "localhost", 9001},
    {"192.0.2.1:1", "192.0.2.1", 1},
    {"[2001:db8::1]:65535", "2001:db8::1", 65535},
    {"[2001:db8::1]", "2001:db8::1", 0},
    {"2001:db8::1", "2001:db8::1", 0},
    {"::1", "::1", 0},
    {"", NULL, 0},
    {":9000", NULL, 0},
    {"host:", NULL, 0},
    {"host:0", NULL, 0},
    {"host:65536", NULL, 0},
    {"host:99999999999999999999", NULL, 0},
    {"host:-1", NULL, 0},
    {"host:+1", NULL, 0},
    {"host: 1", NULL, 0},
    {"host:9000x", NULL, 0},
    {"[::1", NULL, 0},
    {"[]:9000", NULL, 0},
    {"[::1]9000", NULL, 0},
    {"[::1]:", NULL, 0},
};

START_TEST(parses_a_server)
{
    char host[ARGUMENT_HOST_MAX] = "";
    int port = -1;
    bool good = argument_server(servers[_i].text, host, &port, reason, sizeof(reason));

    ck_assert_msg(good == (servers[_i].host != NULL), "%s", servers[_i].text);
    if (!good)
        return;
    ck_assert_str_eq(host, servers[_i].host);
    ck_assert_int_eq(port, servers[_i].port != 0 ? servers[_i].port : -1);
}
END_TEST

START_TEST(refuses_a_long_server)
{
    char text[300], host[ARGUMENT_HOST_MAX];
    int port;

    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    ck_assert(!argument_server(text, host, &port, reason, sizeof(reason)));
    text[255] = '\0';
    ck_assert(argument_server(text, host, &port, reason, sizeof(reason)));
}
END_TEST

/* ------------------------------------------------------------------ elements, ranges, numbers,
 * pins */

static const struct {
    const char *text, *id, *file, *type; /* id NULL: refused */
} elements[] = {
    {"a=b", "a", "b", NULL},
    {"a=-", "a", "-", NULL},
    {"a=b=c", "a", "b=c", NULL},
    {"a=b;type=text/plain", "a", "b", "text/plain"},
    {"a=b;c;type=text/plain; charset=utf-8", "a", "b;c", "text/plain; charset=utf-8"},
    {"a=b;type=x;type=y", "a", "b;type=x", "y"},
    {"a=b;", "a", "b;", NULL},
    {"a/b c=/x/y z", "a/b c", "/x/y z", NULL},
    {"", NULL, NULL, NULL},
    {"a", NULL, NULL, NULL},
    {"a=", NULL, NULL, NULL},
    {"=b", NULL, NULL, NULL},
    {"a=;type=x", NULL, NULL, NULL},
    {"a=b;type=", NULL, NULL, NULL},
};

START_TEST(parses_an_element)
{
    argument_element element;
    bool good = argument_element_parse(elements[_i].text, &element, reason, sizeof(reason));

    ck_assert_msg(good == (elements[_i].id != NULL), "%s", elements[_i].text);
    ck_assert_pstr_eq(element.id, elements[_i].id);
    ck_assert_pstr_eq(element.file, elements[_i].file);
    ck_assert_pstr_eq(element.type, elements[_i].type);
    argument_element_fini(&element);
}
END_TEST

static const struct {
    const char *text;
    int64_t start, end; /* -2: refused */
} ranges[] = {
    {"0-0", 0, 0},
    {"5-9", 5, 9},
    {"5-", 5, -1},
    {"-9", -1, 9},
    {"0-9223372036854775807", 0, INT64_MAX},
    {"-", -2, 0},
    {"", -2, 0},
    {"5", -2, 0},
    {"9-5", -2, 0},
    {"a-b", -2, 0},
    {"1-2-3", -2, 0},
    {"1--2", -2, 0},
    {"0-9223372036854775808", -2, 0},
    {"00000000000000000000000000000001-2", -2, 0},
};

START_TEST(parses_a_range)
{
    int64_t start, end;
    bool good = argument_range(ranges[_i].text, &start, &end, reason, sizeof(reason));

    ck_assert_msg(good == (ranges[_i].start != -2), "%s", ranges[_i].text);
    if (!good)
        return;
    ck_assert_int_eq(start, ranges[_i].start);
    ck_assert_int_eq(end, ranges[_i].end);
}
END_TEST

#define HEX32 "0123456789abcdef0123456789abcdef"

static const struct {
    const char *text;
    bool good;
} pins[] = {
    {HEX32 HEX32, true},
    {"0123456789ABCDEF0123456789ABCDEF" HEX32, true},
    {"01:23:45:67:89:ab:cd:ef:01:23:45:67:89:AB:CD:EF" HEX32, true},
    {HEX32, false},
    {HEX32 HEX32 "0", false},
    {HEX32 HEX32 HEX32, false},
    {HEX32 "0123456789abcdef0123456789abcdeg", false},
    {"0:123456789abcdef0123456789abcdef" HEX32, false},
    {"", false},
};

START_TEST(parses_a_pin)
{
    char pin[65];
    bool good = argument_pin(pins[_i].text, pin, reason, sizeof(reason));

    ck_assert_msg(good == pins[_i].good, "%s", pins[_i].text);
    if (good)
        ck_assert_str_eq(pin, HEX32 HEX32);
}
END_TEST

START_TEST(parses_json_and_files_of_it)
{
    char path[] = "/tmp/doip-arguments-XXXXXX", argument[64];
    json_t *value = argument_json("{\"a\":[1,2]}", reason, sizeof(reason));
    int fd = mkstemp(path);

    ck_assert_int_eq(json_array_size(json_object_get(value, "a")), 2);
    json_decref(value);
    ck_assert_ptr_null(argument_json("{", reason, sizeof(reason)));
    ck_assert_ptr_null(argument_json("", reason, sizeof(reason)));
    ck_assert_ptr_null(argument_json("@/nonexistent", reason, sizeof(reason)));
    ck_assert_int_eq(write(fd, "\n[null]\n", 8), 8);
    snprintf(argument, sizeof(argument), "@%s", path);
    value = argument_json(argument, reason, sizeof(reason));
    ck_assert_int_eq(json_array_size(value), 1);
    json_decref(value);
    close(fd);
    unlink(path);
}
END_TEST

/* ------------------------------------------------------------------ the command line */

START_TEST(takes_options_before_and_after_the_command)
{
    char *line[] = {"doip", "-s",     "[::1]:9001", "create",        "--element",
                    "a=b",  "--type", "T",          "--element=c=d", "-j",
                    "--",   "-x",     NULL};
    options given;

    ck_assert(options_parse(&given, COUNT(line) - 1, line));
    ck_assert_str_eq(given.host, "::1");
    ck_assert_int_eq(given.port, 9001);
    ck_assert_int_eq(given.count, 2);
    ck_assert_str_eq(given.words[0], "create");
    ck_assert_str_eq(given.words[1], "-x");
    ck_assert_int_eq(given.elements.count, 2);
    ck_assert_str_eq(given.elements.items[1], "c=d");
    ck_assert_str_eq(given.type, "T");
    ck_assert(given.json && !given.insecure);
    ck_assert_ptr_null(options_stranger(&given, COMMAND_CREATE));
    ck_assert_str_eq(options_stranger(&given, COMMAND_RETRIEVE), "type");
    options_fini(&given);
}
END_TEST

static char *const wrong_lines[][6] = {
    {"doip", "--nonsense", NULL},
    {"doip", "-s", NULL},
    {"doip", "-s", "a:0", "hello", NULL},
    {"doip", "-k", "--ca", "x", "hello", NULL},
    {"doip", "--pin", "12", "hello", NULL},
    {"doip", "--key", "x", "hello", NULL},
    {"doip", "-cx", "--key=x", "--token=x", "hello", NULL},
    {"doip", "-cx", "--key=x", "-uy", "hello", NULL},
    {"doip", "-cx", "--key=x", "--password-file=x", "hello", NULL},
    {"doip", "--token", "x", "-u", "y", NULL},
    {"doip", "--password-file", "x", "hello", NULL},
};

START_TEST(refuses_wrong_lines)
{
    char *line[6];
    int count = 0;
    options given;

    memcpy(line, wrong_lines[_i], sizeof(line));
    while (line[count] != NULL)
        count++;
    ck_assert(!options_parse(&given, count, line));
    options_fini(&given);
}
END_TEST

/* ------------------------------------------------------------------ names and text */

static const struct {
    const char *name, *safe;
} names[] = {
    {"report.pdf", "report.pdf"},
    {"a b", "a b"},
    {"\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9"},
    {"../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"},
    {"/etc/passwd", "%2Fetc%2Fpasswd"},
    {"..", "%2E."},
    {".", "%2E"},
    {"", "_"},
    {".bashrc", "%2Ebashrc"},
    {"-rf", "%2Drf"},
    {"a\\b", "a%5Cb"},
    {"a%2Fb", "a%252Fb"},
    {"a\nb\x1b[2J", "a%0Ab%1B[2J"},
    {"a\xc2\x9b"
     "b",
     "a%C2%9Bb"},
    {"exe\xe2\x80\xae"
     "fdp.txt",
     "exe%E2%80%AEfdp.txt"},
    {"a\xff\xc3", "a%FF%C3"},
};

START_TEST(makes_names_safe)
{
    char safe[NAME_SAFE_MAX + 1];

    name_safe(names[_i].name, safe);
    ck_assert_str_eq(safe, names[_i].safe);
}
END_TEST

START_TEST(cuts_long_names_at_a_character)
{
    char name[600] = "", safe[NAME_SAFE_MAX + 1];

    for (int i = 0; i < 100; i++)
        strcat(name, "\xe2\x82\xac"); /* three bytes */
    name_safe(name, safe);
    ck_assert_int_eq(strlen(safe), 198);
}
END_TEST

static const struct {
    const char *text, *shown, *json;
} texts[] = {
    {"plain \xc3\xa9", "plain \xc3\xa9", "plain \xc3\xa9"},
    {"a\nb\tc", "a\nb\tc", NULL},
    {"\x1b[2J", "\\x1b[2J", NULL},
    {"\x7f", "\\x7f", "\\u007f"},
    {"\xc2\x9b", "\\u{9b}", "\\u009b"},
    {"\xe2\x80\xae", "\\u{202e}", "\\u202e"},
    {"\x9b", "\\x9b", NULL},
    {"\xc0\x9b", "\\xc0\\x9b", NULL},
    {"\xed\xa0\x80", "\\xed\\xa0\\x80", NULL},
    {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
    {"\xf0\x9f", "\\xf0\\x9f", NULL},
    {"\r", "\\x0d", NULL},
};

static char *
shown(const char *text, bool json)
{
    char *made = NULL;
    size_t size;
    FILE *out = open_memstream(&made, &size);

    if (json)
        terminal_write_json(out, text, strlen(text));
    else
        ck_assert_int_eq(terminal_write(out, text, strlen(text), "\n\t", false), strlen(text));
    fclose(out);
    return made;
}

START_TEST(keeps_controls_from_the_terminal)
{
    char *made = shown(texts[_i].text, false);

    ck_assert_str_eq(made, texts[_i].shown);
    free(made);
    if (texts[_i].json == NULL)
        return;
    made = shown(texts[_i].text, true);
    ck_assert_str_eq(made, texts[_i].json);
    free(made);
}
END_TEST

START_TEST(waits_for_the_rest_of_a_character)
{
    ck_assert_int_eq(terminal_write(stderr, "\xf0\x9f\x98", 3, "", true), 0);
    ck_assert_int_eq(terminal_write(stderr, "\xc3", 1, "", true), 0);
    ck_assert_int_eq(terminal_write(stderr, "\xff", 1, "", true), 1);
    ck_assert_int_eq(terminal_write(stderr,
                                    "\xf0"
                                    "a",
                                    2, "", true),
                     2);
}
END_TEST

static Suite *
suite(void)
{
    Suite *made = suite_create("arguments");
    TCase *tests = tcase_create("arguments");

    tcase_add_loop_test(tests, parses_a_server, 0, COUNT(servers));
    tcase_add_test(tests, refuses_a_long_server);
    tcase_add_loop_test(tests, parses_an_element, 0, COUNT(elements));
    tcase_add_loop_test(tests, parses_a_range, 0, COUNT(ranges));
    tcase_add_loop_test(tests, parses_a_pin, 0, COUNT(pins));
    tcase_add_test(tests, parses_json_and_files_of_it);
    tcase_add_test(tests, takes_options_before_and_after_the_command);
    tcase_add_loop_test(tests, refuses_wrong_lines, 0, COUNT(wrong_lines));
    tcase_add_loop_test(tests, makes_names_safe, 0, COUNT(names));
    tcase_add_test(tests, cuts_long_names_at_a_character);
    tcase_add_loop_test(tests, keeps_controls_from_the_terminal, 0, COUNT(texts));
    tcase_add_test(tests, waits_for_the_rest_of_a_character);
    suite_add_tcase(made, tests);
    return made;
}

UNIT_MAIN(suite)
