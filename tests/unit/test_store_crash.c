/*
 * Several processes with several threads each change and read a repository, and are killed in the
 * middle of it, again and again: what was acknowledged is there, what was not is there whole or not
 * at all, and nothing else stays.
 *
 * TEST_STORE_ROUNDS=N makes it N rounds, for a long run by hand.
 */
#include "unit_store.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

enum {
    PROCESSES = 3,
    THREADS = 3,
    SLOTS = PROCESSES * THREADS,
    OBJECTS = 4,
    VALUES = 6,
    ROUND_MS = 120
};

/* What a thread says before a change, and after it succeeded. Value 0: there is no such object. */
struct record {
    int slot;
    int object;
    int value;
    int done;
};

struct slot {
    struct repository *repository;
    int number;
    int log;
    unsigned seed;
    const int *values; /* of its objects at the round's start */
};

/* Few contents, so that all threads share, drop and bring back the same bytes all the time. */
static const char *
content(int value)
{
    static char texts[VALUES + 1][70000];
    char *text = texts[value];

    if (text[0] == '\0') {
        size_t size = value % 2 == 0 ? 20 : sizeof(texts[0]) - 1;

        memset(text, 'a' + value, size);
        text[size] = '\0';
    }
    return text;
}

static void
object_id(int slot, int object, char id[32])
{
    snprintf(id, 32, "crash/%d/%d", slot, object);
}

static void
say(const struct slot *slot, int object, int value, int done)
{
    struct record record = {slot->number, object, value, done};

    if (write(slot->log, &record, sizeof(record)) != (ssize_t)sizeof(record))
        _exit(1);
}

/* A fault in a child: its exit status says so. */
static void
demand(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "# %s\n", what);
        _exit(2);
    }
}

static void
change(const struct slot *slot, int object, int old, int value)
{
    const struct repository_terms terms = {.version = REPOSITORY_ANY_VERSION};
    struct failure failure = {.text = ""};
    char id[32], json[200];
    int status;

    object_id(slot->number, object, id);
    snprintf(
        json, sizeof(json),
        "{\"type\":\"T%d\",\"attributes\":{\"v\":%d},\"elements\":[{\"id\":\"a\"},{\"id\":\"b\"}]}",
        value, value);
    say(slot, object, value, 0);
    if (value == 0) {
        status = repository_delete(slot->repository, NULL, id, REPOSITORY_ANY_VERSION, &failure);
    } else {
        struct repository_change *made = repository_change_new(slot->repository, NULL);
        json_t *input = json_loads(json, 0, NULL), *stored = NULL;

        for (const char *element = "a"; *element <= 'b'; element = *element == 'a' ? "b" : "c") {
            demand(repository_stage_begin(made, element, &failure) == REPOSITORY_OK, failure.text);
            demand(repository_stage_write(made, content(value), strlen(content(value)), &failure) ==
                       REPOSITORY_OK,
                   failure.text);
            demand(repository_stage_end(made, &failure) == REPOSITORY_OK, failure.text);
        }
        status = old == 0 ? repository_create(made, id, input, &stored, &failure)
                          : repository_update(made, id, input, &terms, &stored, &failure);
        json_decref(stored);
        json_decref(input);
        repository_change_free(&made);
    }
    demand(status == REPOSITORY_OK, failure.text[0] != '\0' ? failure.text : "unknown or taken");
    say(slot, object, value, 1);
}

/* Reads an object whole: the value it has, all parts agreeing; 0 where there is none; -1 when they
 * do not. */
static int
look(struct repository *repository, const char *id)
{
    static __thread char text[80000];
    struct repository_whole *whole;
    struct repository_bytes bytes;
    struct failure failure = {.text = ""};
    const char *element;
    int value, count = 0, status = repository_whole(repository, NULL, id, &whole, &failure);

    if (status == REPOSITORY_UNKNOWN)
        return 0;
    demand(status == REPOSITORY_OK, failure.text);
    value = (int)json_integer_value(
        json_object_get(json_object_get(repository_whole_object(whole), "attributes"), "v"));
    while (repository_whole_next(whole, &element, &bytes, &failure) == 1) {
        ssize_t got = bytes_text(&bytes, text, sizeof(text));

        if (got != (ssize_t)strlen(content(value)) ||
            memcmp(text, content(value), (size_t)got) != 0)
            value = -1;
        count++;
    }
    repository_whole_free(&whole);
    return count == 2 ? value : -1;
}

/* Whatever a thread has done, it finds; and nobody searches in half an index. */
static void
search(struct repository *repository, const char *id, int value)
{
    const struct repository_page page = {.most = 0};
    struct repository_results *results;
    struct failure failure = {.text = ""};
    char text[100];
    struct query *query;

    snprintf(text, sizeof(text), "id:%s type:T%d /attributes/v:%d \"%s\"", id, value, value, id);
    query = query_parse(text, failure.text, sizeof(failure.text));
    demand(query != NULL, failure.text);
    demand(repository_search(repository, NULL, query, &page, &results, &failure) == REPOSITORY_OK,
           failure.text);
    demand(repository_results_size(results) == (value != 0), "what was acknowledged is not found");
    repository_results_free(&results);
    query_free(&query);
}

static void *
thread_run(void *closure)
{
    struct slot *slot = closure;
    int values[OBJECTS];
    char id[32];

    memcpy(values, slot->values, sizeof(values));
    for (;;) {
        int object = rand_r(&slot->seed) % OBJECTS;
        int value = rand_r(&slot->seed) % (VALUES + 1);

        if (value == 0 && values[object] == 0)
            value = 1;
        change(slot, object, values[object], value);
        values[object] = value;
        object_id(slot->number, object, id);
        demand(look(slot->repository, id) == value, "what was acknowledged is not there");
        if (rand_r(&slot->seed) % 4 == 0)
            search(slot->repository, id, value);
        object_id(rand_r(&slot->seed) % SLOTS, object, id);
        demand(look(slot->repository, id) >= 0, "parts of an object do not fit");
    }
    return NULL;
}

static pid_t
process_start(int number, int log, unsigned seed, int values[SLOTS][OBJECTS])
{
    static struct slot slots[THREADS];
    pthread_t thread;
    struct repository *opened;
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    opened = scratch_open();
    for (int i = 0; i < THREADS; i++) {
        slots[i] = (struct slot){opened, number * THREADS + i, log, seed + (unsigned)i,
                                 values[number * THREADS + i]};
        demand(pthread_create(&thread, NULL, thread_run, &slots[i]) == 0, "no thread");
    }
    for (;;)
        pause();
}

/* Follows the log until `deadline_ms` have passed (or, -1, until it ends). */
static void
follow(int log, int deadline_ms, int values[SLOTS][OBJECTS], int pending[SLOTS][OBJECTS],
       int *changes)
{
    struct timespec start, now;
    struct record record;

    clock_gettime(CLOCK_MONOTONIC, &start);
    for (;;) {
        struct pollfd wait = {.fd = log, .events = POLLIN};
        int left = -1;

        if (deadline_ms >= 0) {
            clock_gettime(CLOCK_MONOTONIC, &now);
            left = deadline_ms - (int)((now.tv_sec - start.tv_sec) * 1000 +
                                       (now.tv_nsec - start.tv_nsec) / 1000000);
            if (left <= 0 || poll(&wait, 1, left) == 0)
                return;
        }
        if (read(log, &record, sizeof(record)) != (ssize_t)sizeof(record))
            return;
        pending[record.slot][record.object] = record.done ? -1 : record.value;
        if (record.done)
            values[record.slot][record.object] = record.value;
        *changes += record.done;
    }
}

static void
verify(int values[SLOTS][OBJECTS], int pending[SLOTS][OBJECTS])
{
    struct repository *opened = scratch_open();
    char id[32];

    for (int slot = 0; slot < SLOTS; slot++) {
        for (int object = 0; object < OBJECTS; object++) {
            int value;

            object_id(slot, object, id);
            value = look(opened, id);
            ck_assert_msg(value >= 0 &&
                              (value == values[slot][object] || value == pending[slot][object]),
                          "%s has value %d, not %d or %d", id, value, values[slot][object],
                          pending[slot][object]);
            values[slot][object] = value;
            pending[slot][object] = -1;
        }
    }
    repository_settle(opened);
    scratch_check_index();
    scratch_check();
    repository_close(&opened);
}

/* Now and then, somebody removes the index, while it is open or after all were killed. */
static void
remove_index(void)
{
    unlink(scratch_path("index.db"));
    unlink(scratch_path("index.db-wal"));
    unlink(scratch_path("index.db-shm"));
}

/* Where all is slower, under valgrind, a round is as much longer. */
static int
round_ms(int number)
{
    const char *slowness = getenv("DOIPD_TEST_SLOWNESS");

    return (int)((ROUND_MS + number * 37 % 100) * (slowness == NULL ? 1 : atof(slowness)));
}

static int
round_run(int number, int values[SLOTS][OBJECTS])
{
    int pending[SLOTS][OBJECTS], log[2], changes = 0, status;
    pid_t pids[PROCESSES];

    memset(pending, -1, sizeof(pending));
    ck_assert_int_eq(pipe(log), 0);
    for (int i = 0; i < PROCESSES; i++)
        pids[i] = process_start(i, log[1], (unsigned)(number * 100 + i * 10), values);
    close(log[1]);
    follow(log[0], round_ms(number), values, pending, &changes);
    for (int i = 0; i < PROCESSES; i++) {
        kill(pids[i], SIGKILL);
        ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
        ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
                      "process %d ended with status %x", i, status);
        if (i == 0) /* the others go on for a while without it */
            follow(log[0], 20, values, pending, &changes);
        if (number % 4 == 1 && i == PROCESSES - 1)
            remove_index();
    }
    follow(log[0], -1, values, pending, &changes);
    close(log[0]);
    verify(values, pending);
    return changes;
}

START_TEST(killed_again_and_again)
{
    const char *wanted = getenv("TEST_STORE_ROUNDS");
    int rounds = wanted == NULL ? 12 : atoi(wanted), changes = 0;
    static int values[SLOTS][OBJECTS];

    for (int value = 1; value <= VALUES; value++)
        content(value);
    scratch_setup();
    for (int i = 0; i < rounds; i++)
        changes += round_run(i, values);
    printf("# %d changes acknowledged in %d rounds\n", changes, rounds);
    ck_assert_int_gt(changes, rounds);
    scratch_teardown();
}
END_TEST

/* Eight processes make the same new repository at once. */
START_TEST(made_by_many_at_once)
{
    pid_t pids[8];
    int status;

    for (int round = 0; round < 5; round++) {
        int gate[2];
        char byte;

        scratch_setup();
        ck_assert_int_eq(pipe(gate), 0);
        for (int i = 0; i < 8; i++) {
            pids[i] = fork();
            if (pids[i] == 0) {
                struct repository *opened;
                char id[8];

                close(gate[1]);
                demand(read(gate[0], &byte, 1) == 0, "gate");
                opened = scratch_open();
                snprintf(id, sizeof(id), "x/%d", i);
                demand(object_create(opened, id, "{\"type\":\"T\",\"elements\":[{\"id\":\"e\"}]}",
                                     "e", "same") == REPOSITORY_OK,
                       "create");
                repository_close(&opened);
                _exit(0);
            }
        }
        close(gate[0]);
        close(gate[1]);
        for (int i = 0; i < 8; i++) {
            ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
            ck_assert_int_eq(status, 0);
        }
        ck_assert_int_eq(scratch_sql("SELECT count(*) FROM object"), 8);
        scratch_check();
        scratch_teardown();
    }
}
END_TEST

static Suite *
suite(void)
{
    Suite *made = suite_create("store crash");
    TCase *tests = tcase_create("crash");

    tcase_set_timeout(tests, getenv("TEST_STORE_ROUNDS") == NULL ? 120 : 24 * 3600);
    tcase_add_test(tests, killed_again_and_again);
    tcase_add_test(tests, made_by_many_at_once);
    suite_add_tcase(made, tests);
    return made;
}

UNIT_MAIN(suite)
