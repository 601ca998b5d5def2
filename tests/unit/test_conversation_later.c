/*
 * Conversations over answers that come later (conversation_answer.c), completed here one after the other: unit_worker.h.
 */
#include "unit.h"
#include "unit_worker.h"

#define HELLO                                                                                \
    "{\"requestId\":\"h\",\"operationId\":\"0.DOIP/Op.Hello\",\"targetId\":\"" WORLD_SERVICE \
    "\"}\n#\n#\n"
#define HELLO_ANSWER                                                                            \
    "{\"requestId\":\"h\",\"status\":\"0.DOIP/Status.001\",\"output\":{\"id\":\"" WORLD_SERVICE \
    "\",\"type\":\"0.TYPE/DOIPServiceInfo\"}}\n#\n#\n"
#define LATER(id) \
    "{\"requestId\":\"" id "\",\"operationId\":\"x/later\",\"targetId\":\"o\"}\n#\n#\n"
#define LATER_ANSWER(id) \
    "{\"requestId\":\"" id "\",\"status\":\"0.DOIP/Status.001\",\"output\":\"late\"}\n#\n#\n"

enum { LARGE = 300000, SECOND = 1000 };

static char output[LARGE + 1000], data[LARGE];
static size_t length;

/* What is held, in its order. */
static struct {
    doip_ticket ticket;
    doip_response *response;
} pending[8];
static int held, completed;

/* Whether the handler reads to the input's end, as most do: then the connection rests when it has its answer. */
static bool reads_all;

static doip_result
handler_extended(doip_request *request, doip_response *response)
{
    if (reads_all && doip_input_end(request) != DOIP_OK)
        return DOIP_FAILED;
    pending[held].response = response;
    pending[held++].ticket = doip_later(request);
    return DOIP_LATER;
}

static void
complete(void)
{
    ck_assert_int_lt(completed, held);
    doip_respond_text(pending[completed].response, "\"late\"");
    ck_assert_int_eq(doip_complete(pending[completed++].ticket, DOIP_OK), DOIP_OK);
}

static int
greet(void)
{
    static const char *const overrides[] = {"service.id=" WORLD_SERVICE, "log.level=error",
                                            "access.anonymous=*",        "timeouts.write=20",
                                            "timeouts.idle=300",         NULL};
    static const doip_descriptor descriptor = {
        .magic = DOIP_MAGIC, .abi = DOIP_ABI, .size = sizeof descriptor, .flags = DOIP_THREAD_SAFE};
    static struct handler handler = {.name = "test",
                                     .descriptor = &descriptor,
                                     .functions = {[OPERATION_EXTENDED] = handler_extended}};
    int fd;

    log_setup(LOG_LEVEL_ERROR, false, false, true);
    world_start(overrides);
    world.worker.handlers = (struct handler_set){&handler, 1};
    fd = world_connect(40000);
    ck_assert_int_eq(send(fd, "T", 1, 0), 1);
    return fd;
}

static void
say(int fd, const char *text)
{
    ck_assert_int_eq(send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL),
                     (ssize_t)strlen(text));
    ck_assert(world_turn());
}

/* All that comes; true: until the end. */
static bool
hear(int fd)
{
    ssize_t n;

    do {
        ck_assert(world_turn());
        n = recv(fd, output + length, sizeof output - length - 1, MSG_DONTWAIT);
        length += n > 0 ? (size_t)n : 0;
    } while (n > 0);
    output[length] = '\0';
    return n == 0;
}

static void
expect(int fd, const char *answers)
{
    hear(fd);
    ck_assert_str_eq(output, answers);
}

static int
busy_parts(void)
{
    struct score_report report;
    int count = 0;

    for (size_t i = 0; i < score_parts(2); i++)
        count += score_read(&world.worker.score->threads[i], &report);
    return count;
}

START_TEST(answered_later)
{
    int fd = greet();

    for (int i = 0; i < 3; i++) {
        length = 0;
        say(fd, LATER("1"));
        expect(fd, "");
        ck_assert_int_eq(world.busy, 0);
        ck_assert_int_eq(busy_parts(), 1);
        world_wait(500 * SECOND); /* nothing that the client is to do */
        expect(fd, "");
        complete();
        ck_assert_int_eq(busy_parts(), 0);
        expect(fd, LATER_ANSWER("1"));
    }
    say(fd, HELLO);
    expect(fd, LATER_ANSWER("1") HELLO_ANSWER);
    close(fd);
}
END_TEST

START_TEST(what_follows_waits_and_is_the_pools)
{
    int fd = greet();

    say(fd, HELLO LATER("1") LATER("2") HELLO);
    expect(fd, HELLO_ANSWER);
    complete();
    ck_assert_int_eq(held, 1); /* the next runs in no thread of a handler's */
    expect(fd, HELLO_ANSWER LATER_ANSWER("1"));
    ck_assert_int_eq(held, 2);
    complete();
    expect(fd, HELLO_ANSWER LATER_ANSWER("1") LATER_ANSWER("2") HELLO_ANSWER);
    ck_assert_int_eq(world.busy, 0);
    close(fd);
}
END_TEST

/* Once it is known that such requests are held, what is answered does not wait for them, however quick they are. */
START_TEST(earlier_answers_leave)
{
    int fd = greet();

    world.quick = true;
    say(fd, LATER("1"));
    complete();
    expect(fd, LATER_ANSWER("1"));
    length = 0;
    say(fd, HELLO HELLO LATER("2"));
    expect(fd, HELLO_ANSWER HELLO_ANSWER);
    complete();
    expect(fd, HELLO_ANSWER HELLO_ANSWER LATER_ANSWER("2"));
    close(fd);
}
END_TEST

START_TEST(client_has_gone)
{
    int fd = greet();

    say(fd, LATER("1"));
    close(fd);
    ck_assert(world_turn());
    ck_assert_int_eq(atomic_load(&world.worker.count), 1);
    complete();
    ck_assert(world_turn());
    ck_assert_int_eq(atomic_load(&world.worker.count), 0);
    ck_assert_int_eq(doip_complete(pending[0].ticket, DOIP_OK), DOIP_FAILED);
}
END_TEST

/* Its thread leaves it to the pool to send the rest. */
START_TEST(large_answer)
{
    int fd = greet();

    say(fd, LATER("1") HELLO);
    ck_assert_int_eq(doip_respond_bytes(pending[0].response, data, sizeof data), DOIP_OK);
    ck_assert_int_eq(doip_complete(pending[0].ticket, DOIP_OK), DOIP_OK);
    world_wait(19 * SECOND);
    hear(fd);
    ck_assert_uint_gt(length, LARGE);
    ck_assert_str_eq(output + length - strlen(HELLO_ANSWER), HELLO_ANSWER);
    close(fd);
}
END_TEST

START_TEST(large_answer_that_nobody_reads)
{
    int fd = greet();

    say(fd, LATER("1") HELLO);
    doip_respond_bytes(pending[0].response, data, sizeof data);
    doip_complete(pending[0].ticket, DOIP_OK);
    ck_assert(world_turn());
    world_wait(21 * SECOND);
    ck_assert(world_turn());
    ck_assert_int_eq(atomic_load(&world.worker.count), 0);
    close(fd);
}
END_TEST

START_TEST(failed)
{
    int fd = greet();

    say(fd, LATER("1"));
    doip_fail(pending[0].response, "0.DOIP/Status.103", "No.");
    doip_complete(pending[0].ticket, DOIP_FAILED);
    hear(fd);
    ck_assert_ptr_nonnull(strstr(output, "\"requestId\":\"1\",\"status\":\"0.DOIP/Status.103\""));
    close(fd);
}
END_TEST

START_TEST(the_last_call)
{
    int fd = greet();

    reads_all = _i == 1;
    say(fd, LATER("1"));
    atomic_store(&world.worker.draining, true);
    atomic_store(&world.worker.last_call, true);
    world_wait(3 * SECOND);
    ck_assert(world_turn());
    complete();
    ck_assert(hear(fd));
    ck_assert_str_eq(output, LATER_ANSWER("1"));
    close(fd);
    ck_assert(world_turn());
    ck_assert_int_eq(atomic_load(&world.worker.count), 0);
}
END_TEST

static Suite *
suite(void)
{
    Suite *made = suite_create("conversation_later");
    TCase *tests = tcase_create("later");

    tcase_add_test(tests, answered_later);
    tcase_add_test(tests, what_follows_waits_and_is_the_pools);
    tcase_add_test(tests, earlier_answers_leave);
    tcase_add_test(tests, client_has_gone);
    tcase_add_test(tests, large_answer);
    tcase_add_test(tests, large_answer_that_nobody_reads);
    tcase_add_test(tests, failed);
    tcase_add_loop_test(tests, the_last_call, 0, 2);
    suite_add_tcase(made, tests);
    return made;
}

UNIT_MAIN(suite)
