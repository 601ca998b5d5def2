/*
 * The command line of doipd: what it means, and that mistakes are told and exit with 2.
 */
#include "unit.h"

#include <string.h>
#include <unistd.h>

#include "doipd/commandline.h"

#define ARGUMENTS_MAX 8

static const struct {
    const char *arguments[ARGUMENTS_MAX];
    const char *file;  /* NULL for none */
    const char *flags; /* of n f t T V h */
    const char *overrides[3];
} good[] = {
    {{NULL}, "/etc/doipd/doipd.conf", "", {NULL}},
    {{"-f"}, "/etc/doipd/doipd.conf", "f", {NULL}},
    {{"-c", "x.conf"}, "x.conf", "", {NULL}},
    {{"-cx.conf", "-ft"}, "x.conf", "ft", {NULL}},
    {{"-n", "-T"}, NULL, "nT", {NULL}},
    {{"-nfo", "a=1", "-oa=2"}, NULL, "nf", {"a=1", "a=2"}},
    {{"-o", "a=", "-V", "-h"}, "/etc/doipd/doipd.conf", "Vh", {"a="}},
    {{"-n", "--"}, NULL, "n", {NULL}},
};

static const struct {
    const char *arguments[ARGUMENTS_MAX];
    const char *wanted;
} bad[] = {
    {{"-x"}, "-x is no option"},
    {{"-fx"}, "-x is no option"},
    {{"-c"}, "-c needs an argument"},
    {{"-o"}, "-o needs an argument"},
    {{"-c", ""}, "-c needs the name of a file"},
    {{"-c", "a", "-c", "b"}, "-c is given twice"},
    {{"-c", "a", "-n"}, "-c and -n exclude each other"},
    {{"-n", "-c", "a"}, "-c and -n exclude each other"},
    {{"-o", "threads"}, "-o threads: must be KEY=VALUE"},
    {{"-o", "=1"}, "-o =1: must be KEY=VALUE"},
    {{"start"}, "start: doipd takes no such argument"},
    {{"-f", "start", "-t"}, "start: doipd takes no such argument"},
    {{"--", "-f"}, "-f: doipd takes no such argument"},
};

static int
parse(const char *const *arguments, struct commandline *out)
{
    char *argv[ARGUMENTS_MAX + 2] = {strdup("doipd")};
    int argc = 1;

    for (; *arguments != NULL; arguments++)
        argv[argc++] = (char *)(size_t)*arguments;
    int status = commandline_parse(argc, argv, out);
    free(argv[0]);
    return status;
}

START_TEST(test_good)
{
    struct commandline out;

    ck_assert_int_eq(parse(good[_i].arguments, &out), 0);
    if (good[_i].file == NULL)
        ck_assert_ptr_null(out.file);
    else
        ck_assert_str_eq(out.file, good[_i].file);
    const char *flags = good[_i].flags;
    ck_assert_int_eq(out.none, strchr(flags, 'n') != NULL);
    ck_assert_int_eq(out.foreground, strchr(flags, 'f') != NULL);
    ck_assert_int_eq(out.test, strchr(flags, 't') != NULL);
    ck_assert_int_eq(out.print, strchr(flags, 'T') != NULL);
    ck_assert_int_eq(out.version, strchr(flags, 'V') != NULL);
    ck_assert_int_eq(out.help, strchr(flags, 'h') != NULL);
    size_t count = 0;
    for (; good[_i].overrides[count] != NULL; count++)
        ck_assert_str_eq(out.overrides[count], good[_i].overrides[count]);
    ck_assert_ptr_null(out.overrides[count]);
    commandline_fini(&out);
    ck_assert_ptr_null(out.overrides);
}
END_TEST

/* Runs the parser with stderr in a file, whose text is returned. */
static const char *
complaint(const char *const *arguments, int *status)
{
    static char text[1024];
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO);
    struct commandline out;

    ck_assert_ptr_nonnull(file);
    dup2(fileno(file), STDERR_FILENO);
    *status = parse(arguments, &out);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    commandline_fini(&out);
    rewind(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    return text;
}

START_TEST(test_bad)
{
    int status;
    const char *text = complaint(bad[_i].arguments, &status);

    ck_assert_int_eq(status, 2);
    ck_assert_msg(strncmp(text, "doipd: ", 7) == 0 && strstr(text, bad[_i].wanted) != NULL, "%s",
                  text);
    ck_assert_ptr_eq(strchr(text, '\n') + 1, text + strlen(text));
}
END_TEST

static Suite *
suite(void)
{
    Suite *all = suite_create("commandline");
    TCase *tests = tcase_create("commandline");

    tcase_add_loop_test(tests, test_good, 0, sizeof(good) / sizeof(good[0]));
    tcase_add_loop_test(tests, test_bad, 0, sizeof(bad) / sizeof(bad[0]));
    suite_add_tcase(all, tests);
    return all;
}

UNIT_MAIN(suite)
