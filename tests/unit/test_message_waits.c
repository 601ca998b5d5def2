/*
 * Messages over a stream that does not wait: whatever had to be repeated goes on where it was. And
 * what reading away costs.
 */
#include <string.h>

#include <doip/message.h>
#include <doip/server.h>

#include "unit.h"

#define COUNT_OF(table) (int)(sizeof(table) / sizeof *(table))

struct inbox {
    doip_stream *stream;
    doip_reader *reader;
    doip_message *message;
    json_t *head;
};

static void
feed(struct inbox *inbox, const char *text)
{
    doip_memory_feed(inbox->stream, text, strlen(text));
}

/* A message whose head has come. */
static struct inbox
inbox_new(const char *head)
{
    struct inbox inbox = {.stream = doip_memory_new()};

    feed(&inbox, head);
    inbox.reader = doip_reader_new(inbox.stream, 65536);
    inbox.message = doip_message_new(inbox.reader, "input");
    ck_assert_int_eq(doip_message_head(inbox.message, &inbox.head), 1);
    return inbox;
}

static void
inbox_free(struct inbox *inbox)
{
    doip_message_free(&inbox->message);
    doip_reader_free(&inbox->reader);
    doip_stream_free(&inbox->stream);
}

static void
must_wait(struct inbox *inbox)
{
    ck_assert_int_eq(doip_message_next(inbox->message), DOIP_SEGMENT_ERROR);
    ck_assert_int_eq(doip_message_error(inbox->message), 0);
}

/* ------------------------------------------------------------------ moves */

/* What follows `input` is refused also where it comes after a wait. */
START_TEST(refuses_more_after_a_wait)
{
    struct inbox inbox = inbox_new("{\"input\":5}\n#\n");

    ck_assert_int_eq(doip_message_next(inbox.message), DOIP_SEGMENT_JSON);
    must_wait(&inbox);
    feed(&inbox, "{}\n#\n#\n");
    ck_assert_int_eq(doip_message_next(inbox.message), DOIP_SEGMENT_ERROR);
    ck_assert_int_eq(doip_message_error(inbox.message), DOIP_E_CONTENT);
    inbox_free(&inbox);
}
END_TEST

START_TEST(ends_after_a_wait)
{
    struct inbox inbox = inbox_new("{\"input\":5}\n#\n");

    ck_assert_int_eq(doip_message_next(inbox.message), DOIP_SEGMENT_JSON);
    ck_assert_int_eq(doip_message_end(inbox.message), DOIP_E_AGAIN);
    ck_assert_int_eq(doip_message_error(inbox.message), 0);
    ck_assert(!doip_message_ended(inbox.message));
    feed(&inbox, "#\n");
    ck_assert_int_eq(doip_message_end(inbox.message), 0);
    ck_assert(doip_message_ended(inbox.message));
    inbox_free(&inbox);
}
END_TEST

/* A value outlives the end of its message. */
START_TEST(keeps_the_value_over_the_end)
{
    struct inbox inbox = inbox_new("{}\n#\n[1,2,3]\n#\n");
    json_t *value;

    ck_assert_int_eq(doip_message_next(inbox.message), DOIP_SEGMENT_JSON);
    value = doip_message_json(inbox.message);
    ck_assert_int_eq(doip_message_end(inbox.message), DOIP_E_AGAIN);
    feed(&inbox, "#\n");
    ck_assert_int_eq(doip_message_end(inbox.message), 0);
    ck_assert_uint_eq(json_array_size(value), 3);
    ck_assert_ptr_null(doip_message_json(inbox.message));
    inbox_free(&inbox);
}
END_TEST

/* A move that has to wait inside a bytes segment leaves the rest of it to be read. */
START_TEST(reads_on_after_a_wait)
{
    struct inbox inbox = inbox_new("{}\n#\n@\n6\nabc");
    char data[16];

    ck_assert_int_eq(doip_message_next(inbox.message), DOIP_SEGMENT_BYTES);
    must_wait(&inbox);
    feed(&inbox, "def\n#\n#\n");
    ck_assert_int_eq(doip_message_read(inbox.message, data, sizeof data), 3);
    ck_assert_int_eq(memcmp(data, "def", 3), 0);
    ck_assert_int_eq(doip_message_end(inbox.message), 0);
    inbox_free(&inbox);
}
END_TEST

/* ------------------------------------------------------------------ reading away */

static const struct {
    const char *before, *part;
} rests[] = {
    {"", "@\n#\n"},
    {"", "{\"a\":\"aaaaaaaaaaaaaaaaaaaaaaaa\"}\n#\n"},
    {"", "12345678"},
    {"@\n", "1          \na           \n"},
};

/* Every byte that comes is paid for, framing and what came before a wait too. */
START_TEST(pays_for_every_byte)
{
    static const uint64_t budgets[] = {100, 5000, 20000};

    for (int i = 0; i < COUNT_OF(budgets); i++) {
        struct inbox inbox = inbox_new("{}\n#\n");
        const char *part = rests[_i].part;
        uint64_t budget = budgets[i];
        int got = DOIP_E_AGAIN;
        size_t fed;

        feed(&inbox, rests[_i].before);
        for (fed = 0; got == DOIP_E_AGAIN; fed++) {
            doip_memory_feed(inbox.stream, part + fed % strlen(part), 1);
            got = doip_message_discard(inbox.message, &budget);
            ck_assert_uint_le(fed, budgets[i]);
        }
        ck_assert_int_eq(got, DOIP_E_LIMIT);
        inbox_free(&inbox);
    }
}
END_TEST

/* Also where a move that had to wait began to read the bytes away. */
START_TEST(pays_after_a_wait)
{
    static char bytes[50000];
    struct inbox inbox = inbox_new("{}\n#\n@\n50000\na");
    uint64_t budget = 1000;

    ck_assert_int_eq(doip_message_next(inbox.message), DOIP_SEGMENT_BYTES);
    must_wait(&inbox);
    doip_memory_feed(inbox.stream, bytes, sizeof bytes - 1);
    ck_assert_int_eq(doip_message_discard(inbox.message, &budget), DOIP_E_LIMIT);
    ck_assert_uint_lt(doip_reader_offset(inbox.reader), 2000);
    inbox_free(&inbox);
}
END_TEST

/* ------------------------------------------------------------------ objects */

/* Asking for the object again gives the same, and leaves the element where it stands. */
START_TEST(gives_the_object_again)
{
    const char *input = "{\"operationId\":\"x\",\"targetId\":\"y\"}\n#\n"
                        "{\"type\":\"D\",\"elements\":[{\"id\":\"a\"}]}\n#\n{\"id\":\"a\"}\n#\n@\n3\nabc\n#\n#\n";
    doip_stream *stream = doip_memory_new();
    doip_reader *reader = doip_reader_new(stream, 65536);
    doip_writer *writer = doip_writer_new(stream);
    doip_request *request = doip_request_new(reader, writer, "s", NULL);
    json_t *object, *element;
    char data[8];

    doip_memory_feed(stream, input, strlen(input));
    ck_assert_int_eq(doip_request_head(request), 1);
    object = doip_input_object(request, 0);
    ck_assert_ptr_nonnull(object);
    ck_assert_int_eq(doip_input_element(request, &element), 1);
    ck_assert_ptr_eq(doip_input_object(request, 0), object);
    ck_assert_int_eq(doip_read(request, data, sizeof data), 3);
    ck_assert_int_eq(doip_input_element(request, &element), 0);
    doip_request_free(&request);
    doip_writer_free(&writer);
    doip_reader_free(&reader);
    doip_stream_free(&stream);
}
END_TEST

static Suite *
suite(void)
{
    Suite *all = suite_create("message_waits");
    TCase *cases = tcase_create("message_waits");

    tcase_add_test(cases, refuses_more_after_a_wait);
    tcase_add_test(cases, ends_after_a_wait);
    tcase_add_test(cases, keeps_the_value_over_the_end);
    tcase_add_test(cases, reads_on_after_a_wait);
    tcase_add_loop_test(cases, pays_for_every_byte, 0, COUNT_OF(rests));
    tcase_add_test(cases, pays_after_a_wait);
    tcase_add_test(cases, gives_the_object_again);
    suite_add_tcase(all, cases);
    return all;
}

UNIT_MAIN(suite)
