/*
 * The client over real sockets and TLS, against a service of a few lines in a thread: trust, order,
 * early answers, deadlines.
 */
#include <semaphore.h>

#include "unit_service.h"

/* ------------------------------------------------------------------ trust */

struct asked {
    bool answer, chain;
    char host[64], pin[65];
    int port, times;
};

static bool
ask(const char *host, int port, const char *pin, bool chain, void *closure)
{
    struct asked *asked = closure;

    strcpy(asked->host, host);
    strcpy(asked->pin, pin);
    asked->port = port;
    asked->chain = chain;
    asked->times++;
    return asked->answer;
}

static doip_client *
connect_asking(struct asked *asked, const char *host, const char *ca)
{
    char reason[512] = "";
    doip_client_options options = {.host = host,
                                   .port = service.port,
                                   .ca = ca,
                                   .connect_ms = 5000,
                                   .wait_ms = 5000,
                                   .trust = asked != NULL ? ask : NULL,
                                   .closure = asked};
    doip_client *client = doip_client_connect(&options, reason, sizeof(reason));

    ck_assert_msg((client == NULL) == (reason[0] != '\0'), "%s", reason);
    return client;
}

static doip_client *
connect_trusting(void)
{
    struct asked asked = {.answer = true};
    doip_client *client = connect_asking(&asked, "127.0.0.1", NULL);

    ck_assert_ptr_nonnull(client);
    return client;
}

START_TEST(asks_whether_to_trust)
{
    struct asked asked = {.answer = _i != 0};
    char pin[65];
    doip_client *client;

    service_start(NULL);
    client = connect_asking(&asked, "127.0.0.1", NULL);
    ck_assert_int_eq(client != NULL, asked.answer);
    ck_assert_int_eq(asked.times, 1);
    ck_assert(!asked.chain);
    ck_assert_str_eq(asked.host, "127.0.0.1");
    ck_assert_int_eq(asked.port, service.port);
    ck_assert(doip_certificate_pin(service.certificate, pin));
    ck_assert_str_eq(asked.pin, pin);
    doip_client_free(&client);
    service_stop();
}
END_TEST

/* The certificate names 127.0.0.1 only, and is its own CA. */
static const struct {
    const char *host;
    bool own_ca, trusted;
} chains[] = {{"127.0.0.1", true, true}, {"127.0.0.1", false, false}, {"localhost", true, false}};

START_TEST(trusts_a_chain_by_itself)
{
    doip_client *client;

    service_start(NULL);
    client = connect_asking(NULL, chains[_i].host, chains[_i].own_ca ? service.file : NULL);
    ck_assert_int_eq(client != NULL, chains[_i].trusted);
    doip_client_free(&client);
    service_stop();
}
END_TEST

START_TEST(says_what_is_missing)
{
    char reason[512];
    doip_client_options options = {.host = "127.0.0.1", .port = 1, .ca = "/nonexistent"};

    ck_assert_ptr_null(doip_client_connect(&options, reason, sizeof(reason)));
    ck_assert_ptr_nonnull(strstr(reason, "/nonexistent"));
    options.ca = NULL;
    options.certificate = "/nonexistent";
    ck_assert_ptr_null(doip_client_connect(&options, reason, sizeof(reason)));
    ck_assert_ptr_nonnull(strstr(reason, "/nonexistent"));
    options.certificate = NULL;
    ck_assert_ptr_null(doip_client_connect(&options, reason, sizeof(reason)));
    ck_assert_ptr_nonnull(strstr(reason, "Connection refused"));
}
END_TEST

/* A server that accepts and stays silent: the listener's queue does just that. */
START_TEST(does_not_wait_for_ever)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    char reason[512];
    doip_client_options options = {.host = "127.0.0.1", .connect_ms = 200};

    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(listener, 5), 0);
    getsockname(listener, (struct sockaddr *)&address, &size);
    options.port = ntohs(address.sin_port);
    ck_assert_ptr_null(doip_client_connect(&options, reason, sizeof(reason)));
    ck_assert_ptr_nonnull(strstr(reason, "timed out"));
    close(listener);
}
END_TEST

/* ------------------------------------------------------------------ requests and answers */

static void
send_request(doip_client *client, const char *id, const char *operation)
{
    json_t *head = json_pack("{s:s*, s:s, s:s, s:{}}", "requestId", id, "targetId", "x",
                             "operationId", operation, "input");

    ck_assert_int_eq(doip_client_send(client, head), 0);
    json_decref(head);
}

static void
answer_two(doip_stream *stream)
{
    doip_reader *reader = doip_reader_new(stream, 4096);
    doip_segment kind;

    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(doip_reader_next(reader, &kind), 1);
    say(stream, "{\"requestId\":\"1\",\"status\":\"0.DOIP/"
                "Status.001\"}\n#\n@\n5\nhello\n#\n{\"rest\":1}\n#\n#\n");
    say(stream, "{\"status\":\"0.DOIP/Status.104\",\"output\":{\"reason\":\"gone\"}}\n#\n#\n");
    doip_reader_free(&reader);
}

START_TEST(reads_answers_in_order)
{
    doip_client *client;
    doip_message *message;
    const char *status, *text;
    json_t *head;

    service_start(answer_two);
    client = connect_trusting();
    send_request(client, "1", "a");
    send_request(client, "2", "b");
    message = doip_client_reply(client, &head);
    ck_assert_ptr_nonnull(message);
    ck_assert(doip_reply_ok(head, &status, &text));
    ck_assert_int_eq(doip_message_next(message), DOIP_SEGMENT_BYTES);
    /* What is left of the first answer is read away. */
    message = doip_client_reply(client, &head);
    ck_assert_ptr_nonnull(message);
    ck_assert(!doip_reply_ok(head, &status, &text));
    ck_assert_str_eq(status, "0.DOIP/Status.104");
    ck_assert_str_eq(text, "gone");
    ck_assert_ptr_null(doip_client_reply(client, &head));
    ck_assert_ptr_nonnull(strstr(doip_client_reason(client), "without an answer"));
    doip_client_free(&client);
    service_stop();
}
END_TEST

static void
answer_another(doip_stream *stream)
{
    say(stream, "{\"requestId\":\"2\",\"status\":\"0.DOIP/Status.001\"}\n#\n#\n");
    swallow(stream);
}

static void
answer_half(doip_stream *stream)
{
    say(stream, "{\"requestId\":\"1\",\"sta");
}

static void
answer_no_object(doip_stream *stream)
{
    say(stream, "[1]\n#\n#\n");
}

static void
answer_nothing(doip_stream *stream)
{
    (void)stream;
}

static const struct {
    behaviour behave;
    const char *reason;
} bad_answers[] = {
    {answer_another, "another request"},
    {answer_half, "no answer"},
    {answer_no_object, "no answer"},
    {answer_nothing, ""},
};

START_TEST(refuses_bad_answers)
{
    doip_client *client;
    json_t *head, *request = json_pack("{s:s, s:s}", "requestId", "1", "operationId", "a");

    service_start(bad_answers[_i].behave);
    client = connect_trusting();
    if (doip_client_send(client, request) == 0)
        doip_client_send_end(client);
    ck_assert_ptr_null(doip_client_reply(client, &head));
    ck_assert_ptr_nonnull(strstr(doip_client_reason(client), bad_answers[_i].reason));
    ck_assert_str_ne(doip_client_reason(client), "");
    json_decref(request);
    doip_client_free(&client);
    service_stop();
}
END_TEST

/* Answers, reads on for as long as the kernel's buffers may hold what was sent before that, and
 * resets the connection under the rest of the upload. */
static void
refuse_early(doip_stream *stream)
{
    static char buffer[65536];
    ssize_t count;

    say(stream, "{\"requestId\":\"1\",\"status\":\"0.DOIP/"
                "Status.103\",\"attributes\":{\"message\":\"no\"}}\n#\n#\n");
    doip_stream_finish(stream);
    for (ssize_t left = 8 << 20; left > 0; left -= count) {
        count = doip_stream_read(stream, buffer, sizeof(buffer));
        if (count <= 0)
            return;
    }
}

START_TEST(reads_an_early_answer)
{
    static char data[65536];
    doip_client *client;
    const char *status, *text;
    json_t *head, *request = json_pack("{s:s, s:s}", "requestId", "1", "operationId", "a");
    int error;

    service_start(refuse_early);
    client = connect_trusting();
    error = doip_client_send(client, request);
    if (error == 0)
        error = doip_writer_bytes_begin(doip_client_writer(client));
    for (int i = 0; error == 0 && i < 1000; i++)
        error = doip_writer_bytes(doip_client_writer(client), data, sizeof(data));
    ck_assert_int_lt(error, 0);
    ck_assert_msg(doip_client_reply(client, &head) != NULL, "%s", doip_client_reason(client));
    ck_assert(!doip_reply_ok(head, &status, &text));
    ck_assert_str_eq(text, "no");
    json_decref(request);
    doip_client_free(&client);
    service_stop();
}
END_TEST

/* Each part of the answers goes only when the client has waited for it in vain. */
static struct {
    sem_t given_up;
    const char *parts[4];
} late;

static void
answer_late(doip_stream *stream)
{
    for (int i = 0; late.parts[i] != NULL; i++) {
        sem_wait(&late.given_up);
        say(stream, late.parts[i]);
    }
    swallow(stream);
}

static doip_message *
reply_after_waits(doip_client *client, int waits)
{
    doip_message *message;
    json_t *head;

    for (int i = 0; i < waits; i++) {
        ck_assert_ptr_null(doip_client_reply(client, &head));
        ck_assert_str_ne(doip_client_reason(client), "");
        sem_post(&late.given_up);
    }
    while ((message = doip_client_reply(client, &head)) == NULL)
        ck_assert_ptr_nonnull(strstr(doip_client_reason(client), "timed out"));
    ck_assert_str_eq(doip_client_reason(client), "");
    return message;
}

/* A wait that was too short loses no answer: neither the one that was awaited, nor the next one, before which the rest of
 * the last lies. */
START_TEST(goes_on_waiting)
{
    doip_client *client;
    doip_message *message;

    sem_init(&late.given_up, 0, 0);
    late.parts[0] = "{\"requestId\":\"1\",\"status\":\"0.DOIP/Sta";
    late.parts[1] = "tus.001\"}\n#\n[1]\n#\n@\n10\n01234";
    late.parts[2] = "56789\n#\n#\n{\"requestId\":\"2\",\"status\":\"0.DOIP/Status.001\",\"output\":2}\n#\n#\n";
    service_start(answer_late);
    client = connect_trusting();
    doip_stream_set_waits(doip_client_stream(client), 50, 5000);
    send_request(client, "1", "a");
    send_request(client, "2", "b");
    message = reply_after_waits(client, 2);
    ck_assert_int_eq(doip_message_next(message), DOIP_SEGMENT_JSON);
    ck_assert_int_eq(json_integer_value(json_array_get(doip_message_json(message), 0)), 1);
    message = reply_after_waits(client, 1);
    ck_assert_int_eq(doip_message_next(message), DOIP_SEGMENT_JSON);
    ck_assert_int_eq(json_integer_value(doip_message_json(message)), 2);
    doip_client_free(&client);
    service_stop();
    sem_destroy(&late.given_up);
}
END_TEST

static const struct {
    const char *head, *status, *text; /* text NULL: success */
} replies[] = {
    {"{\"status\":\"0.DOIP/Status.001\"}", DOIP_STATUS_OK, NULL},
    {"{\"status\":\"0.DOIP/Status.101\"}", DOIP_STATUS_INVALID, ""},
    {"{\"status\":\"x\",\"attributes\":{\"message\":\"a\"},\"output\":{\"reason\":\"b\"}}", "x",
     "a"},
    {"{\"status\":\"x\",\"output\":{\"reason\":\"b\",\"message\":\"c\"}}", "x", "c"},
    {"{\"status\":\"x\",\"output\":\"d\"}", "x", "d"},
    {"{\"status\":\"x\",\"attributes\":{\"message\":1},\"output\":[]}", "x", ""},
    {"{\"status\":1}", "no status", ""},
    {"{}", "no status", ""},
};

START_TEST(tells_what_a_reply_says)
{
    json_t *head = json_loads(replies[_i].head, 0, NULL);
    const char *status, *text;

    ck_assert_int_eq(doip_reply_ok(head, &status, &text), replies[_i].text == NULL);
    ck_assert_str_eq(status, replies[_i].status);
    ck_assert_str_eq(text, replies[_i].text != NULL ? replies[_i].text : "");
    json_decref(head);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static Suite *
suite(void)
{
    Suite *made = suite_create("client");
    TCase *tests = tcase_create("client");

    tcase_set_timeout(tests, 20);
    tcase_add_loop_test(tests, asks_whether_to_trust, 0, 2);
    tcase_add_loop_test(tests, trusts_a_chain_by_itself, 0, COUNT(chains));
    tcase_add_test(tests, says_what_is_missing);
    tcase_add_test(tests, does_not_wait_for_ever);
    tcase_add_test(tests, reads_answers_in_order);
    tcase_add_loop_test(tests, refuses_bad_answers, 0, COUNT(bad_answers));
    tcase_add_test(tests, reads_an_early_answer);
    tcase_add_test(tests, goes_on_waiting);
    tcase_add_loop_test(tests, tells_what_a_reply_says, 0, COUNT(replies));
    suite_add_tcase(made, tests);
    return made;
}

UNIT_MAIN(suite)
