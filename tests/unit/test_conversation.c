/*
 * What a worker says on a connection (conversation.c): in which order, what happens when a client is slow to send or to read, when threads are
 * short, and how connections end. In this process, in a time of its own: unit_worker.h.
 */
#include "unit.h"
#include "unit_worker.h"

#define HELLO                                                                                \
    "{\"requestId\":\"h\",\"operationId\":\"0.DOIP/Op.Hello\",\"targetId\":\"" WORLD_SERVICE \
    "\"}\n#\n#\n"
#define HELLO_ANSWER                                                                            \
    "{\"requestId\":\"h\",\"status\":\"0.DOIP/Status.001\",\"output\":{\"id\":\"" WORLD_SERVICE \
    "\",\"type\":\"0.TYPE/DOIPServiceInfo\"}}\n#\n#\n"
#define CALL(id, operation) \
    "{\"requestId\":\"" id "\",\"operationId\":\"" operation "\",\"targetId\":\"o\"}\n#\n"

enum { LARGE = 300000, SECOND = 1000 };

static char output[LARGE + 1000];
static size_t length;
static bool ended;

/* ------------------------------------------------------------------ the handler */

static char data[LARGE];

static doip_result
handler_extended(doip_request *request, doip_response *response)
{
    ssize_t n;

    if (strcmp(doip_request_operation(request), "x/large") == 0)
        return doip_respond_bytes(response, data, sizeof data);
    if (strcmp(doip_request_operation(request), "x/ignore") == 0)
        return doip_respond_text(response, "1");
    if (doip_input_next_bytes(request) != DOIP_OK)
        return DOIP_FAILED;
    while ((n = doip_read(request, data, sizeof data)) > 0)
        ;
    return n < 0 ? DOIP_FAILED : doip_respond_text(response, "\"read\"");
}

/* ------------------------------------------------------------------ the client */

static void
start_with(const char *more)
{
    const char *const overrides[] = {"service.id=" WORLD_SERVICE,
                                     "log.level=error",
                                     "access.anonymous=*",
                                     "timeouts.read=30",
                                     "timeouts.write=20",
                                     "timeouts.idle=300",
                                     more,
                                     NULL};
    static const doip_descriptor descriptor = {
        .magic = DOIP_MAGIC, .abi = DOIP_ABI, .size = sizeof descriptor};
    static struct handler handler = {.name = "test",
                                     .descriptor = &descriptor,
                                     .functions = {[OPERATION_EXTENDED] = handler_extended}};

    log_setup(LOG_LEVEL_ERROR, false, false, true);
    world_start(overrides);
    world.worker.handlers = (struct handler_set){&handler, 1};
    length = 0;
    ended = false;
}

static void
say(int fd, const char *text)
{
    ck_assert_int_eq(send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL),
                     (ssize_t)strlen(text));
    ck_assert(world_turn());
}

static int
greet(const char *more)
{
    int fd;

    start_with(more);
    fd = world_connect(40000);
    say(fd, "T");
    return fd;
}

/* All that comes. */
static void
hear(int fd)
{
    ssize_t n;

    do {
        ck_assert(world_turn());
        n = recv(fd, output + length, sizeof output - length - 1, MSG_DONTWAIT);
        length += n > 0 ? (size_t)n : 0;
    } while (n > 0);
    ended = n == 0 || errno != EAGAIN;
    output[length] = '\0';
}

static void
expect(int fd, const char *answers)
{
    hear(fd);
    ck_assert_str_eq(output, answers);
}

static void
let_pass(int64_t ms)
{
    world_wait(ms);
    ck_assert(world_turn());
}

static uint64_t
closed(enum metrics_counter cause)
{
    static struct metrics_sum sum;

    metrics_add_up(&sum);
    return sum.counters[cause];
}

static void
expect_closed(int fd, enum metrics_counter cause)
{
    hear(fd);
    ck_assert(ended);
    close(fd);
    ck_assert(world_turn());
    let_pass(3 * SECOND); /* the end of a conversation is lingered on */
    ck_assert_int_eq(atomic_load(&world.worker.count), 0);
    ck_assert_uint_eq(closed(cause), 1);
}

/* ------------------------------------------------------------------ requests and answers */

START_TEST(answers_in_order)
{
    int fd = greet(NULL);

    say(fd, HELLO CALL("2", "x/ignore") "\"unread\"\n#\n#\n" CALL(
                "3", "x/read") "@\n3\nabc\n#\n#\n" HELLO);
    expect(fd, HELLO_ANSWER
           "{\"requestId\":\"2\",\"status\":\"0.DOIP/Status.001\",\"output\":1}\n#\n#\n"
           "{\"requestId\":\"3\",\"status\":\"0.DOIP/"
           "Status.001\",\"output\":\"read\"}\n#\n#\n" HELLO_ANSWER);
    shutdown(fd, SHUT_WR);
    expect_closed(fd, METRICS_CLOSED_ORDERLY);
}
END_TEST

START_TEST(waits_for_a_thread)
{
    int fd = greet(NULL);

    world.pool_full = true;
    say(fd, HELLO);
    expect(fd, "");
    world.pool_full = false;
    expect(fd, HELLO_ANSWER);
    close(fd);
}
END_TEST

/* Answers that were held back leave before a request that has to wait. */
START_TEST(holds_nothing_back_from_who_waits)
{
    int fd = greet(NULL);

    world.quick = true;
    say(fd, HELLO HELLO "{\"requestId\":\"3\",");
    expect(fd, HELLO_ANSWER HELLO_ANSWER);
    close(fd);
}
END_TEST

/* ------------------------------------------------------------------ clients that are slow */

static int reading;

/* Takes a part of what a handler writes, when it has waited for nearly timeouts.write. */
static bool
read_slowly(void)
{
    ssize_t n = recv(reading, output + length, 5000, MSG_DONTWAIT);

    world.now += 19 * SECOND;
    length += n > 0 ? (size_t)n : 0;
    return n > 0;
}

START_TEST(slow_reader_gets_all)
{
    reading = greet(NULL);
    world.while_waiting = read_slowly;
    say(reading, CALL("1", "x/large") "#\n" HELLO);
    hear(reading);
    ck_assert_uint_gt(length, LARGE);
    ck_assert_str_eq(output + length - strlen(HELLO_ANSWER), HELLO_ANSWER);
    close(reading);
}
END_TEST

/* So many answers that they get stuck. */
static int
ask_much(void)
{
    int fd = greet(NULL);

    for (int i = 0; i < 200; i++)
        say(fd, HELLO);
    ck_assert_int_eq(atomic_load(&world.worker.count), 1);
    return fd;
}

START_TEST(who_asks_much_gets_all)
{
    int fd = ask_much();

    let_pass(19 * SECOND);
    hear(fd);
    ck_assert_uint_eq(length, 200 * strlen(HELLO_ANSWER));
    say(fd, HELLO);
    hear(fd);
    ck_assert_uint_eq(length, 201 * strlen(HELLO_ANSWER));
    close(fd);
}
END_TEST

START_TEST(who_asks_much_and_reads_nothing_is_given_up)
{
    int fd = ask_much();

    let_pass(21 * SECOND);
    expect_closed(fd, METRICS_CLOSED_ANSWER_TIMEOUT);
}
END_TEST

START_TEST(slow_reader_is_given_up)
{
    int fd = greet(NULL);

    say(fd, CALL("1", "x/large") "#\n");
    let_pass(21 * SECOND);
    hear(fd);
    ck_assert_uint_lt(length, LARGE); /* not a short answer that looks whole */
    ck_assert_ptr_null(strstr(output + length - 4, "#\n#\n"));
    expect_closed(fd, METRICS_CLOSED_ANSWER_TIMEOUT);
}
END_TEST

START_TEST(slow_sender_is_told)
{
    int fd = greet(NULL);

    say(fd, "{\"requestId\":\"1\",");
    let_pass(29 * SECOND);
    expect(fd, "");
    let_pass(2 * SECOND);
    hear(fd);
    ck_assert_ptr_nonnull(strstr(output, "\"The request did not arrive in time.\""));
    expect_closed(fd, METRICS_CLOSED_REQUEST_TIMEOUT);
}
END_TEST

/* What a handler left unread, and the client never sends. */
START_TEST(slow_sender_after_the_answer)
{
    int fd = greet(NULL);

    say(fd, CALL("1", "x/ignore") "@\n100000\n");
    for (int i = 0; i < 7; i++)
        say(fd, "ten bytes.");
    memset(output, 'x', 70000);
    ck_assert_int_gt(send(fd, output, 70000, MSG_DONTWAIT), 65536);
    ck_assert(world_turn());
    expect(fd, "{\"requestId\":\"1\",\"status\":\"0.DOIP/Status.001\",\"output\":1}\n#\n#\n");
    let_pass(31 * SECOND);
    expect_closed(fd, METRICS_CLOSED_REQUEST_TIMEOUT);
}
END_TEST

START_TEST(idle_client_is_let_go)
{
    int fd = greet(NULL);

    let_pass(299 * SECOND);
    ck_assert_int_eq(atomic_load(&world.worker.count), 1);
    let_pass(2 * SECOND);
    expect_closed(fd, METRICS_CLOSED_IDLE);
}
END_TEST

START_TEST(handshake_that_never_ends)
{
    int fd;

    start_with(NULL);
    fd = world_connect(40000);
    let_pass(11 * SECOND);
    expect_closed(fd, METRICS_CLOSED_HANDSHAKE);
}
END_TEST

/* ------------------------------------------------------------------ ends */

START_TEST(client_goes_inside_a_request)
{
    int fd = greet(NULL);

    say(fd, "{\"requestId\":\"1\"");
    shutdown(fd, SHUT_WR);
    expect_closed(fd, METRICS_CLOSED_REQUEST_BROKEN);
}
END_TEST

/* The answer is out; then what nobody read breaks off. */
START_TEST(client_goes_after_the_answer)
{
    int fd = greet(NULL);

    memset(output, 'x', 70000);
    say(fd, CALL("1", "x/ignore") "@\n100000\n");
    ck_assert_int_gt(send(fd, output, 70000, MSG_DONTWAIT), 65536);
    ck_assert(world_turn());
    expect(fd, "{\"requestId\":\"1\",\"status\":\"0.DOIP/Status.001\",\"output\":1}\n#\n#\n");
    shutdown(fd, SHUT_WR);
    expect_closed(fd, METRICS_CLOSED_REQUEST_BROKEN);
}
END_TEST

START_TEST(last_request_of_a_connection)
{
    int fd = greet("limits.requests_per_connection=2");

    say(fd, HELLO HELLO HELLO);
    expect(fd, HELLO_ANSWER HELLO_ANSWER);
    expect_closed(fd, METRICS_CLOSED_REQUESTS);
}
END_TEST

START_TEST(broken_framing_ends_it)
{
    int fd = greet(NULL);

    say(fd, CALL("1", "x/read") "@\n05\n" HELLO);
    hear(fd);
    ck_assert_ptr_nonnull(strstr(output, "\"requestId\":\"1\",\"status\":\"0.DOIP/Status.101\""));
    ck_assert_ptr_null(strstr(output, "\"h\""));
    expect_closed(fd, METRICS_CLOSED_ORDERLY);
}
END_TEST

START_TEST(drained_at_the_last_call)
{
    int fd = greet(NULL);

    atomic_store(&world.worker.draining, true);
    atomic_store(&world.worker.last_call, true);
    say(fd, HELLO);
    expect(fd, HELLO_ANSWER);
    expect_closed(fd, METRICS_CLOSED_ORDERLY);
}
END_TEST

START_TEST(one_too_many_of_an_address)
{
    int fds[3];

    start_with("limits.connections_per_address=1");
    for (unsigned i = 0; i < 3; i++)
        fds[i] = world_connect(40000 + i);
    say(fds[0], "T" HELLO);
    expect(fds[0], HELLO_ANSWER);
    length = 0;
    expect(fds[1], "!"); /* an alert */
    length = 0;
    expect(fds[2], ""); /* beyond twice as many: nothing */
    ck_assert(ended);
    for (unsigned i = 0; i < 3; i++)
        close(fds[i]);
    let_pass(3 * SECOND);
    ck_assert_int_eq(atomic_load(&world.worker.count), 0);
    ck_assert_uint_eq(closed(METRICS_CLOSED_ADDRESS), 2);
}
END_TEST

static Suite *
suite(void)
{
    Suite *made = suite_create("conversation");
    TCase *tests = tcase_create("conversation");

    tcase_add_test(tests, answers_in_order);
    tcase_add_test(tests, waits_for_a_thread);
    tcase_add_test(tests, holds_nothing_back_from_who_waits);
    tcase_add_test(tests, slow_reader_gets_all);
    tcase_add_test(tests, who_asks_much_gets_all);
    tcase_add_test(tests, who_asks_much_and_reads_nothing_is_given_up);
    tcase_add_test(tests, slow_reader_is_given_up);
    tcase_add_test(tests, slow_sender_is_told);
    tcase_add_test(tests, slow_sender_after_the_answer);
    tcase_add_test(tests, idle_client_is_let_go);
    tcase_add_test(tests, handshake_that_never_ends);
    tcase_add_test(tests, client_goes_inside_a_request);
    tcase_add_test(tests, client_goes_after_the_answer);
    tcase_add_test(tests, last_request_of_a_connection);
    tcase_add_test(tests, broken_framing_ends_it);
    tcase_add_test(tests, drained_at_the_last_call);
    tcase_add_test(tests, one_too_many_of_an_address);
    suite_add_tcase(made, tests);
    return made;
}

UNIT_MAIN(suite)
