/*
 * What every unit test program includes. A program is a Check suite over one part, named test_PART.c, and ends with
 * UNIT_MAIN(suite): TAP on stdout, for tests/run; exit status 0 when all passed. CK_FORK=no runs it under a debugger.
 */
#ifndef UNIT_H
#define UNIT_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static inline int
unit_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    int failed;

    /* Each test is a process: a buffered line would be written by each of them. */
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* `suite`: a function that makes the Suite. */
#define UNIT_MAIN(suite)                                                                           \
    int main(void)                                                                                 \
    {                                                                                              \
        return unit_run(suite());                                                                  \
    }

#endif
