/*
 * What slows guessing down: the table of failures that all workers share, the gate before hashings, and the memory of verified
 * passwords.
 */
#include "unit.h"

#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "doipd/gate.h"
#include "doipd/throttle.h"
#include "doipd/verified.h"

/* Some time after the system's start, ms. */
#define NOW INT64_C(1000000000)

static void
setup(void)
{
    ck_assert(throttle_init());
}

static void
failures(enum throttle_kind kind, const char *name, int times, int64_t now)
{
    while (times-- > 0)
        throttle_failed(kind, name, now);
}

/* ------------------------------------------------------------------ penalties */

START_TEST(each_failure_costs_twice_the_last)
{
    static const int64_t penalties[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000};

    failures(THROTTLE_USER, "alice", THROTTLE_FREE_USER - 1, NOW);
    ck_assert_int_eq(throttle_wait(THROTTLE_USER, "alice", NOW), 0);
    for (size_t i = 0; i < sizeof penalties / sizeof penalties[0]; i++) {
        throttle_failed(THROTTLE_USER, "alice", NOW + (int64_t)i);
        ck_assert_int_eq(throttle_wait(THROTTLE_USER, "alice", NOW + (int64_t)i), penalties[i]);
    }
    ck_assert_int_eq(throttle_wait(THROTTLE_USER, "alice", NOW + 60000 + 8), 0);
    ck_assert_int_eq(throttle_wait(THROTTLE_USER, "bob", NOW), 0);
    ck_assert_int_eq(throttle_wait(THROTTLE_ADDRESS, "alice", NOW), 0);
}
END_TEST

START_TEST(addresses_have_more_for_free)
{
    failures(THROTTLE_ADDRESS, "192.0.2.1", THROTTLE_FREE_ADDRESS - 1, NOW);
    ck_assert_int_eq(throttle_wait(THROTTLE_ADDRESS, "192.0.2.1", NOW), 0);
    failures(THROTTLE_ADDRESS, "192.0.2.1", 1, NOW);
    ck_assert_int_eq(throttle_wait(THROTTLE_ADDRESS, "192.0.2.1", NOW), 1000);
}
END_TEST

START_TEST(failures_are_forgotten_and_forgiven)
{
    failures(THROTTLE_USER, "alice", 20, NOW);
    failures(THROTTLE_USER, "bob", 20, NOW);
    throttle_forgive(THROTTLE_USER, "alice");
    ck_assert_int_eq(throttle_wait(THROTTLE_USER, "alice", NOW), 0);
    ck_assert_int_eq(throttle_wait(THROTTLE_USER, "bob", NOW), THROTTLE_MOST_MS);
    failures(THROTTLE_USER, "bob", 1,
             NOW + THROTTLE_FORGET_MS + 1); /* counts from the start again */
    ck_assert_int_eq(throttle_wait(THROTTLE_USER, "bob", NOW + THROTTLE_FORGET_MS + 1), 0);
    throttle_forgive(THROTTLE_USER, "nobody");
}
END_TEST

/* Failures of ever new names do not push out one that has failed often. */
START_TEST(a_flood_pushes_nobody_out)
{
    char name[32];

    failures(THROTTLE_USER, "alice", 20, NOW);
    for (int i = 0; i < 100000; i++) {
        snprintf(name, sizeof name, "flood %d", i);
        throttle_failed(THROTTLE_USER, name, NOW + 1);
    }
    ck_assert_int_gt(throttle_wait(THROTTLE_USER, "alice", NOW + 1), 0);
}
END_TEST

START_TEST(processes_count_together)
{
    pid_t children[4];
    int status;

    for (int i = 0; i < 4; i++)
        if ((children[i] = fork()) == 0) {
            for (int j = 0; j < 100; j++) {
                throttle_failed(THROTTLE_ADDRESS, "::", NOW);
                throttle_failed(THROTTLE_USER, j % 2 == 0 ? "even" : "odd", NOW);
            }
            _exit(0);
        }
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
    ck_assert_int_eq(throttle_wait(THROTTLE_ADDRESS, "::", NOW), THROTTLE_MOST_MS);
    ck_assert_int_eq(throttle_wait(THROTTLE_USER, "odd", NOW), THROTTLE_MOST_MS);
}
END_TEST

static const struct {
    const char *peer;
    const char *address;
} addresses[] = {
    {"192.0.2.1:40000", "192.0.2.1"},
    {"[2001:db8:1:2:3:4:5:6]:40000", "2001:db8:1:2::"},
    {"[2001:db8:1:2::9]:1", "2001:db8:1:2::"},
    {"[fe80::1%eth0]:1", "fe80::"},
    {"[::1]:1", "::"},
    {"unknown", "unknown"},
};

START_TEST(addresses_of_peers)
{
    char address[64];

    throttle_address(addresses[_i].peer, address, sizeof address);
    ck_assert_str_eq(address, addresses[_i].address);
}
END_TEST

/* ------------------------------------------------------------------ the gate */

START_TEST(the_gate_lets_so_many_in)
{
    struct gate gate;
    struct gate_pass pass[5] = {0};

    gate_init(&gate, 2, 2);
    ck_assert_int_eq(gate_enter(&gate, &pass[0], 1), GATE_OPEN);
    ck_assert_int_eq(gate_enter(&gate, &pass[1], 1), GATE_OPEN);
    ck_assert_int_eq(gate_enter(&gate, &pass[2], 7), GATE_QUEUED);
    ck_assert_int_eq(gate_enter(&gate, &pass[3], 8), GATE_QUEUED);
    ck_assert_int_eq(gate_enter(&gate, &pass[4], 9), GATE_FULL);
    ck_assert(!pass[2].held && !pass[4].held);
    ck_assert_ptr_null(gate_leave(&gate, &pass[4])); /* it never was inside */
    ck_assert_ptr_eq(gate_leave(&gate, &pass[1]), &pass[2]);
    ck_assert(pass[2].held && !pass[1].held);
    ck_assert_int_eq(pass[2].since, 7);
    ck_assert_int_eq(gate_enter(&gate, &pass[2], 9), GATE_OPEN); /* its turn has come */
    ck_assert_int_eq(gate_enter(&gate, &pass[1], 9), GATE_QUEUED);
    ck_assert_ptr_eq(gate_leave(&gate, &pass[0]), &pass[3]);
    ck_assert_ptr_eq(gate_leave(&gate, &pass[3]), &pass[1]);
    ck_assert_ptr_null(gate_leave(&gate, &pass[1]));
    ck_assert_ptr_null(gate_leave(&gate, &pass[2]));
    ck_assert_int_eq(gate.places, 2);
    ck_assert_int_eq(gate.queued, 0);
}
END_TEST

/* ------------------------------------------------------------------ verified passwords */

static struct verified verified;

START_TEST(a_verified_password_is_known_for_a_minute)
{
    unsigned char mac[VERIFIED_MAC], other[VERIFIED_MAC];

    ck_assert(verified_init(&verified));
    ck_assert(verified_mac(&verified, "alice", "$y$", "secret", mac));
    ck_assert(!verified_knows(&verified, mac, NOW));
    verified_add(&verified, mac, NOW);
    ck_assert(verified_knows(&verified, mac, NOW + VERIFIED_MS - 1));
    ck_assert(!verified_knows(&verified, mac, NOW + VERIFIED_MS));
    ck_assert(verified_mac(&verified, "alice", "$y$", "secreT", other) &&
              !verified_knows(&verified, other, NOW));
    ck_assert(verified_mac(&verified, "alice", "$y$s", "ecret", other) &&
              !verified_knows(&verified, other, NOW));
    ck_assert(verified_mac(&verified, "alice$", "y$", "secret", other) &&
              !verified_knows(&verified, other, NOW));
    ck_assert(verified_mac(&verified, "alice", "$y$", "secret", other) &&
              verified_knows(&verified, other, NOW));
    verified_fini(&verified);
    /* Another worker, or the same after a reload, has another key. */
    ck_assert(verified_init(&verified) && verified_mac(&verified, "alice", "$y$", "secret", other));
    ck_assert(memcmp(mac, other, sizeof mac) != 0 && !verified_knows(&verified, mac, NOW));
    verified_fini(&verified);
}
END_TEST

START_TEST(its_memory_is_bounded)
{
    unsigned char mac[VERIFIED_MAC] = {7};

    ck_assert(verified_init(&verified));
    for (unsigned char i = 0; i <= VERIFIED_PLACES; i++) {
        mac[1] = i;
        verified_add(&verified, mac, NOW + i);
    }
    for (unsigned char i = 0; i <= VERIFIED_PLACES; i++) {
        mac[1] = i;
        ck_assert_int_eq(verified_knows(&verified, mac, NOW + 10), i > 0); /* the oldest went */
    }
    verified_fini(&verified);
}
END_TEST

static Suite *
suite(void)
{
    Suite *all = suite_create("throttle");
    TCase *tests = tcase_create("throttle");

    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, each_failure_costs_twice_the_last);
    tcase_add_test(tests, addresses_have_more_for_free);
    tcase_add_test(tests, failures_are_forgotten_and_forgiven);
    tcase_add_test(tests, a_flood_pushes_nobody_out);
    tcase_add_test(tests, processes_count_together);
    tcase_add_loop_test(tests, addresses_of_peers, 0, sizeof addresses / sizeof addresses[0]);
    tcase_add_test(tests, the_gate_lets_so_many_in);
    tcase_add_test(tests, a_verified_password_is_known_for_a_minute);
    tcase_add_test(tests, its_memory_is_bounded);
    suite_add_tcase(all, tests);
    return all;
}

UNIT_MAIN(suite)
