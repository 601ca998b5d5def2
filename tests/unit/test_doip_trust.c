/*
 * The client's file of pinned keys: first use, known, changed, broken, and several processes at
 * once.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "doip/pins.h"
#include "unit.h"

#define PIN_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PIN_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static char directory[] = "/tmp/doip-trust-XXXXXX";
static char path[256];
static char known[65], reason[1024];

static void
setup(void)
{
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/state/doip/known_services", directory);
}

static void
teardown(void)
{
    char command[300];

    snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    ck_assert_int_eq(system(command), 0);
}

static pins_answer
check(const char *host, int port, const char *pin)
{
    return pins_check(path, host, port, pin, known, reason, sizeof(reason));
}

/* Puts `text` in place of the file. */
static void
put(const char *text)
{
    FILE *file;

    check("other.example", 1, PIN_A); /* makes the directories */
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static int
lines(void)
{
    FILE *file = fopen(path, "r");
    int byte, count = 0;

    while ((byte = getc(file)) != EOF)
        count += byte == '\n';
    fclose(file);
    return count;
}

START_TEST(pins_on_first_use)
{
    struct stat status;

    ck_assert_int_eq(check("a.example", 9000, PIN_A), PINS_NEW);
    ck_assert_int_eq(check("a.example", 9000, PIN_A), PINS_KNOWN);
    ck_assert_int_eq(check("A.Example", 9000, PIN_A), PINS_KNOWN);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_eq(status.st_mode & 0777, 0600);
    ck_assert_int_eq(lines(), 1);
}
END_TEST

START_TEST(tells_host_and_port_apart)
{
    ck_assert_int_eq(check("a.example", 9000, PIN_A), PINS_NEW);
    ck_assert_int_eq(check("a.example", 9001, PIN_B), PINS_NEW);
    ck_assert_int_eq(check("b.example", 9000, PIN_B), PINS_NEW);
    ck_assert_int_eq(check("::1", 9000, PIN_B), PINS_NEW);
    ck_assert_int_eq(check("a.example", 9000, PIN_A), PINS_KNOWN);
    ck_assert_int_eq(check("::1", 9000, PIN_B), PINS_KNOWN);
    ck_assert_int_eq(lines(), 4);
}
END_TEST

START_TEST(shows_a_changed_key_and_keeps_the_old)
{
    ck_assert_int_eq(check("a.example", 9000, PIN_A), PINS_NEW);
    ck_assert_int_eq(check("a.example", 9000, PIN_B), PINS_CHANGED);
    ck_assert_str_eq(known, PIN_A);
    ck_assert_int_eq(check("a.example", 9000, PIN_A), PINS_KNOWN);
    ck_assert_int_eq(lines(), 1);
}
END_TEST

START_TEST(keeps_comments_and_a_last_line_without_newline)
{
    put("# mine\n\na.example 9000 " PIN_A);
    ck_assert_int_eq(check("b.example", 9000, PIN_B), PINS_NEW);
    ck_assert_int_eq(check("a.example", 9000, PIN_A), PINS_KNOWN);
    ck_assert_int_eq(lines(), 4);
}
END_TEST

/* A line that can't be read might be the one about this service. */
static const char *const broken[] = {
    "a.example 9000\n",
    "a.example 9000 abc\n",
    "a.example 9000 " PIN_A "a\n",
    "a.example 9000 " PIN_A " x\n",
    "a.example x " PIN_A "\n",
    "a.example:9000 " PIN_A "\n",
    "\x01\x02\n",
};

START_TEST(does_not_trust_a_broken_file)
{
    put(broken[_i]);
    ck_assert_int_eq(check("a.example", 9000, PIN_A), PINS_FAILED);
    ck_assert_ptr_nonnull(strstr(reason, ":1: not a line of HOST PORT PIN"));
    ck_assert_int_eq(lines(), 1);
}
END_TEST

START_TEST(fails_where_it_cannot_write)
{
    char file[300];

    snprintf(file, sizeof(file), "%s/state", directory);
    fclose(fopen(file, "w")); /* a file where a directory is due */
    ck_assert_int_eq(check("a.example", 9000, PIN_A), PINS_FAILED);
    ck_assert_ptr_nonnull(strstr(reason, path));
}
END_TEST

START_TEST(loses_nothing_among_processes)
{
    enum { PROCESSES = 8, EACH = 10 };
    int status, good = 0;

    for (int i = 0; i < PROCESSES; i++) {
        if (fork() != 0)
            continue;
        for (int j = 0; j < EACH; j++) {
            if (check("a.example", 1 + i * EACH + j, PIN_A) != PINS_NEW)
                _exit(1);
        }
        _exit(0);
    }
    while (wait(&status) > 0)
        good += status == 0;
    ck_assert_int_eq(good, PROCESSES);
    ck_assert_int_eq(lines(), PROCESSES * EACH);
}
END_TEST

START_TEST(finds_its_place)
{
    char place[300];

    setenv("XDG_STATE_HOME", "/x/y", 1);
    ck_assert_str_eq(pins_path(place, sizeof(place)), "/x/y/doip/known_services");
    setenv("XDG_STATE_HOME", "relative", 1);
    setenv("HOME", "/home/me", 1);
    ck_assert_str_eq(pins_path(place, sizeof(place)), "/home/me/.local/state/doip/known_services");
    unsetenv("XDG_STATE_HOME");
    ck_assert_str_eq(pins_path(place, sizeof(place)), "/home/me/.local/state/doip/known_services");
}
END_TEST

static Suite *
suite(void)
{
    Suite *made = suite_create("trust");
    TCase *tests = tcase_create("trust");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, pins_on_first_use);
    tcase_add_test(tests, tells_host_and_port_apart);
    tcase_add_test(tests, shows_a_changed_key_and_keeps_the_old);
    tcase_add_test(tests, keeps_comments_and_a_last_line_without_newline);
    tcase_add_loop_test(tests, does_not_trust_a_broken_file, 0,
                        (int)(sizeof(broken) / sizeof(broken[0])));
    tcase_add_test(tests, fails_where_it_cannot_write);
    tcase_add_test(tests, loses_nothing_among_processes);
    tcase_add_test(tests, finds_its_place);
    suite_add_tcase(made, tests);
    return made;
}

UNIT_MAIN(suite)
