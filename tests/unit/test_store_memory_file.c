/*
 * memory_file(): what was written is there, or fclose() says that it is not.
 */
#include "memory_file.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

START_TEST(keeps_all)
{
    size_t size = 0;
    char *text;
    FILE *file = memory_file(&text, &size);

    ck_assert_ptr_nonnull(file);
    for (int i = 0; i < 10000; i++)
        ck_assert_int_eq(fprintf(file, "%09d", i), 9);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_uint_eq(size, 90000);
    ck_assert_uint_eq(strlen(text), 90000);
    ck_assert_str_eq(text + 90000 - 18, "000009998000009999");
    free(text);
}
END_TEST

START_TEST(may_be_empty)
{
    size_t size = 1;
    char *text;

    ck_assert_int_eq(fclose(memory_file(&text, &size)), 0);
    ck_assert_uint_eq(size, 0);
    ck_assert_str_eq(text, "");
    free(text);
}
END_TEST

/* Sanitizers end a program that asks for so much. */
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
/* More is asked for than there can be; what comes after it fits again. */
START_TEST(tells_what_it_lost)
{
    static const char some[65536];
    volatile size_t too_much = (size_t)1 << 60;
    size_t size = 0;
    char *text;
    FILE *file = memory_file(&text, &size);

    fputs("before", file);
    ck_assert_uint_lt(fwrite(some, 1, too_much, file), too_much);
    fputs("after", file);
    ck_assert_int_ne(fclose(file), 0);
    ck_assert_ptr_null(text);
}
END_TEST
#endif

static Suite *
suite(void)
{
    Suite *all = suite_create("memory file");
    TCase *files = tcase_create("files");

    tcase_add_test(files, keeps_all);
    tcase_add_test(files, may_be_empty);
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
    tcase_add_test(files, tells_what_it_lost);
#endif
    suite_add_tcase(all, files);
    return all;
}

UNIT_MAIN(suite)
