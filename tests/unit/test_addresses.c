/*
 * Connections counted per address, in memory that workers share and that survives their deaths.
 */
#include "unit.h"

#include <sys/wait.h>
#include <unistd.h>

#include "doipd/addresses.h"

enum { MANY = 200 };

static void
setup(void)
{
    ck_assert(addresses_init());
}

START_TEST(connections_come_and_go)
{
    atomic_uint notes[4] = {0, 0, 0, 0};

    ck_assert_uint_eq(addresses_enter("192.0.2.1:1000", &notes[0]), 1);
    ck_assert_uint_eq(addresses_enter("192.0.2.1:1001", &notes[1]), 2);
    ck_assert_uint_eq(addresses_enter("192.0.2.2:1001", &notes[2]), 1);
    addresses_leave(&notes[0]);
    addresses_leave(&notes[0]);
    ck_assert_uint_eq(addresses_enter("192.0.2.1:1002", &notes[3]), 2);
}
END_TEST

START_TEST(of_ipv6_a_network_is_an_address)
{
    atomic_uint notes[3] = {0, 0, 0};

    ck_assert_uint_eq(addresses_enter("[2001:db8::1]:1000", &notes[0]), 1);
    ck_assert_uint_eq(addresses_enter("[2001:db8::2]:1000", &notes[1]), 2);
    ck_assert_uint_eq(addresses_enter("[2001:db8:0:1::1]:1000", &notes[2]), 1);
}
END_TEST

/* A process that counts on a part of the scoreboard and dies without a word. */
static void
count_and_die(const struct scoreboard *board)
{
    pid_t child = fork();

    if (child == 0) {
        for (int i = 0; i < MANY; i++)
            addresses_enter("192.0.2.1:1",
                            &score_connection_take(board, 0, "192.0.2.1:1", 1)->counted);
        _exit(0);
    }
    ck_assert_int_gt(child, 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}

START_TEST(the_counts_of_a_dead_worker_are_taken_back)
{
    struct scoreboard board;
    atomic_uint own = 0, other = 0;

    ck_assert(scoreboard_init(&board, 2, 2, MANY));
    addresses_enter("192.0.2.1:9", &own);
    count_and_die(&board);
    ck_assert_uint_eq(addresses_enter("192.0.2.1:9", &other), MANY + 2);
    addresses_worker_gone(&board, 0);
    addresses_worker_gone(&board, 0);
    addresses_leave(&other);
    ck_assert_uint_eq(addresses_enter("192.0.2.1:9", &other), 2);
    scoreboard_fini(&board);
}
END_TEST

START_TEST(a_note_that_is_nonsense_does_no_harm)
{
    atomic_uint wrong = 4000000000U;

    addresses_leave(&wrong);
    ck_assert_uint_eq(wrong, 0);
}
END_TEST

/* More addresses than the table has room for: whoever finds none is let in, uncounted, and the others' counts stay right. */
START_TEST(a_full_table_shuts_nobody_out)
{
    enum { FLOOD = 100000 };
    static atomic_uint notes[FLOOD];
    char peer[32];
    unsigned counted = 0;

    for (unsigned i = 0; i < FLOOD; i++) {
        snprintf(peer, sizeof peer, "10.%u.%u.%u:1", i >> 16, i >> 8 & 255, i & 255);
        counted += addresses_enter(peer, &notes[i]);
    }
    ck_assert_uint_gt(counted, 50000);
    ck_assert_uint_le(counted, 65536);
    for (unsigned i = 0; i < FLOOD; i++)
        addresses_leave(&notes[i]);
    ck_assert_uint_eq(addresses_enter("10.0.0.1:1", &notes[0]), 1);
}
END_TEST

static Suite *
suite(void)
{
    Suite *all = suite_create("addresses");
    TCase *tests = tcase_create("addresses");

    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, connections_come_and_go);
    tcase_add_test(tests, of_ipv6_a_network_is_an_address);
    tcase_add_test(tests, the_counts_of_a_dead_worker_are_taken_back);
    tcase_add_test(tests, a_note_that_is_nonsense_does_no_harm);
    tcase_add_test(tests, a_full_table_shuts_nobody_out);
    suite_add_tcase(all, tests);
    return all;
}

UNIT_MAIN(suite)
