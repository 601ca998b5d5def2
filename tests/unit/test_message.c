/*
 * Messages: the head, compact and full form, errors that are latched, and reading away what nobody
 * wants.
 */
#include <string.h>

#include <doip/message.h>

#include "unit.h"

#define COUNT_OF(table) (int)(sizeof(table) / sizeof *(table))
#define FULL "{\"a\":1}\n#\n"
#define COMPACT(input) "{\"input\":" input "}\n#\n"

struct inbox {
    doip_stream *stream;
    doip_reader *reader;
    doip_message *message;
};

static struct inbox
inbox_new(const char *input, size_t size, size_t step, bool end)
{
    struct inbox inbox = {.stream = doip_memory_new()};

    doip_memory_feed(inbox.stream, input, size);
    if (end)
        doip_memory_end(inbox.stream);
    doip_memory_set_step(inbox.stream, step);
    inbox.reader = doip_reader_new(inbox.stream, 1024);
    inbox.message = doip_message_new(inbox.reader, "input");
    return inbox;
}

static void
inbox_free(struct inbox *inbox)
{
    doip_message_free(&inbox->message);
    ck_assert_ptr_null(inbox->message);
    doip_message_free(&inbox->message);
    doip_reader_free(&inbox->reader);
    doip_stream_free(&inbox->stream);
}

/* ------------------------------------------------------------------ heads */

static const struct {
    const char *input;
    int got;
    const char *reason; /* its beginning */
} heads[] = {
    {"", 0, ""},
    {" \n\r\n", 0, ""},
    {"{}\n#\n#\n", 1, ""},
    {"\n {\n \"a\" : 1\n}\r\n# \n#\n", 1, ""},
    {"[]\n#\n#\n", DOIP_E_CONTENT, "The first segment is not a JSON object."},
    {"5\n#\n#\n", DOIP_E_CONTENT, "The first segment is not a JSON object."},
    {"@\n3\nabc\n#\n#\n", DOIP_E_CONTENT, "The first segment is not a JSON object."},
    {"#\n", DOIP_E_CONTENT, "The first segment is not a JSON object."},
    {"{\n#\n#\n", DOIP_E_CONTENT,
     "Cannot parse the JSON object from the first segment. line 1, column 1: "},
    {"{\"a\":1,\"a\":1}\n#\n#\n", DOIP_E_CONTENT,
     "Cannot parse the JSON object from the first segment. line 1, "},
    {"{\"a\":\"\xff\"}\n#\n#\n", DOIP_E_CONTENT,
     "Cannot parse the JSON object from the first segment. line 1, "},
    {"{}\n##\n", DOIP_E_FRAMING, "only blanks and a newline may follow #"},
    {"#x\n", DOIP_E_FRAMING, "only blanks and a newline may follow #"},
    {"{}", DOIP_E_BROKEN, "the stream ended inside a message"},
    {"{}\n#", DOIP_E_BROKEN, "the stream ended inside a message"},
};

START_TEST(reads_heads)
{
    for (size_t step = 0; step < 4; step++) {
        struct inbox inbox = inbox_new(heads[_i].input, strlen(heads[_i].input), step, true);
        json_t *head = NULL;

        ck_assert_int_eq(doip_message_head(inbox.message, &head), heads[_i].got);
        ck_assert_int_eq(
            strncmp(doip_message_reason(inbox.message), heads[_i].reason, strlen(heads[_i].reason)),
            0);
        ck_assert((head != NULL) == (heads[_i].got == 1));
        ck_assert_int_eq(doip_message_error(inbox.message), heads[_i].got < 0 ? heads[_i].got : 0);
        if (heads[_i].got < 0) {
            ck_assert_int_eq(doip_message_head(inbox.message, &head), heads[_i].got);
            ck_assert_int_eq(doip_message_next(inbox.message), DOIP_SEGMENT_ERROR);
            ck_assert_ptr_null(doip_message_json(inbox.message));
            ck_assert_int_eq(doip_message_read(inbox.message, &head, 1), heads[_i].got);
            ck_assert_int_eq(doip_message_end(inbox.message), heads[_i].got);
        }
        inbox_free(&inbox);
    }
}
END_TEST

/* A wrong head can be read away, and the next message is found. */
/* A limit that is the owner's own holds for heads and for all other segments. */
START_TEST(bounds_nesting)
{
    static const char input[] = "{\"a\":[[1]]}\n#\n[[[1]]]\n#\n[[[[1]]]]\n#\n#\n";
    struct inbox inbox = inbox_new(input, strlen(input), 0, true);
    json_t *head;

    doip_reader_set_depth(inbox.reader, 3);
    ck_assert_int_eq(doip_message_head(inbox.message, &head), 1);
    ck_assert_int_eq(doip_message_next(inbox.message), DOIP_SEGMENT_JSON);
    ck_assert_ptr_nonnull(doip_message_json(inbox.message));
    ck_assert_int_eq(doip_message_next(inbox.message), DOIP_SEGMENT_JSON);
    ck_assert_ptr_null(doip_message_json(inbox.message));
    ck_assert_ptr_nonnull(strstr(doip_message_reason(inbox.message), "deeper than 3 levels"));
    ck_assert_int_eq(doip_message_error(inbox.message), DOIP_E_CONTENT);
    inbox_free(&inbox);
}
END_TEST

START_TEST(goes_on_after_a_wrong_head)
{
    char input[256];
    struct inbox inbox;
    uint64_t budget = 1000;
    json_t *head;

    if (heads[_i].got != DOIP_E_CONTENT)
        return;
    snprintf(input, sizeof input, "%s{\"next\":1}\n#\n#\n", heads[_i].input);
    inbox = inbox_new(input, strlen(input), 0, true);
    ck_assert_int_eq(doip_message_head(inbox.message, &head), DOIP_E_CONTENT);
    ck_assert_int_eq(doip_message_discard(inbox.message, &budget), 0);
    ck_assert(doip_message_ended(inbox.message));
    doip_message_free(&inbox.message);
    inbox.message = doip_message_new(inbox.reader, "input");
    ck_assert_int_eq(doip_message_head(inbox.message, &head), 1);
    ck_assert_ptr_nonnull(json_object_get(head, "next"));
    inbox_free(&inbox);
}
END_TEST

START_TEST(waits_for_a_head)
{
    const char *input = FULL;
    struct inbox inbox = inbox_new("", 0, 0, false);
    json_t *head;

    for (size_t i = 0; i < strlen(input); i++) {
        ck_assert_int_eq(doip_message_head(inbox.message, &head), DOIP_E_AGAIN);
        ck_assert_int_eq(doip_message_error(inbox.message), 0);
        doip_memory_feed(inbox.stream, input + i, 1);
    }
    ck_assert_int_eq(doip_message_head(inbox.message, &head), 1);
    ck_assert_int_eq(doip_message_head(inbox.message, &head), 1);
    inbox_free(&inbox);
}
END_TEST

/* ------------------------------------------------------------------ segments */

/* J<text> a JSON segment as it is written again, B<bytes>, . the end, ! an error. */
static void
trace(doip_message *message, char *out, size_t piece)
{
    doip_segment kind;
    char data[64];
    ssize_t got;

    while ((kind = doip_message_next(message)) > DOIP_SEGMENT_END) {
        if (kind == DOIP_SEGMENT_JSON) {
            char *text = doip_json_text(doip_message_json(message), NULL);

            out += sprintf(out, "J%s", text != NULL ? text : "?");
            free(text);
            ck_assert_int_eq(doip_message_read(message, data, sizeof data),
                             doip_message_error(message));
            continue;
        }
        *out++ = 'B';
        ck_assert_ptr_null(doip_message_json(message));
        while ((got = doip_message_read(message, data, piece)) > 0) {
            memcpy(out, data, (size_t)got);
            out += got;
        }
    }
    strcpy(out, kind == DOIP_SEGMENT_END ? "." : "!");
    ck_assert_int_eq(doip_message_next(message), kind);
    ck_assert(doip_message_ended(message) == (kind == DOIP_SEGMENT_END));
    ck_assert_int_eq(doip_message_end(message), doip_message_error(message));
}

static const struct {
    const char *input;
    const char *trace;
    int error;
} segments[] = {
    {FULL "#\n", ".", 0},
    {FULL "1\n#\n#\n", "J1.", 0},
    {FULL "null\n#\n@\n3\nabc\n#\n[2]\n#\n#\n", "JnullBabcJ[2].", 0},
    {FULL "@\n#\n@\n1\na\n2\nbc\n#\n#\n", "BBabc.", 0},
    {COMPACT("null") "#\n", ".", 0},
    {COMPACT("null") "1\n#\n#\n", "J1.", 0},
    {COMPACT("false") "#\n", "Jfalse.", 0},
    {COMPACT("{\"x\":[]}") "#\n", "J{\"x\":[]}.", 0},
    {COMPACT("1") "2\n#\n#\n", "J1!", DOIP_E_CONTENT},
    {COMPACT("1") "@\n#\n#\n", "J1!", DOIP_E_CONTENT},
    {COMPACT("1") "#x", "J1!", DOIP_E_FRAMING},
    {COMPACT("1"), "J1!", DOIP_E_BROKEN},
    {FULL "{\n#\n5\n#\n#\n", "J?!", DOIP_E_CONTENT},
    {FULL "\n#\n#\n", "J?!", DOIP_E_CONTENT},
    {FULL "@\n3\nabcd", "Babc!", DOIP_E_FRAMING},
    {FULL "@\n3\nab", "Bab!", DOIP_E_BROKEN},
    {FULL "@\n0\n", "B!", DOIP_E_FRAMING},
    {FULL, "!", DOIP_E_BROKEN},
};

START_TEST(gives_segments)
{
    for (size_t step = 0; step < 5; step++)
        for (size_t piece = 1; piece <= 64; piece *= 4) {
            struct inbox inbox =
                inbox_new(segments[_i].input, strlen(segments[_i].input), step, true);
            char out[256];
            json_t *head;

            ck_assert_int_eq(doip_message_head(inbox.message, &head), 1);
            trace(inbox.message, out, piece);
            ck_assert_str_eq(out, segments[_i].trace);
            ck_assert_int_eq(doip_message_error(inbox.message), segments[_i].error);
            ck_assert((*doip_message_reason(inbox.message) == '\0') == (segments[_i].error == 0));
            inbox_free(&inbox);
        }
}
END_TEST

START_TEST(skips_segments)
{
    struct inbox inbox = inbox_new(segments[_i].input, strlen(segments[_i].input), 2, true);
    doip_segment kind;
    json_t *head;

    doip_message_head(inbox.message, &head);
    while ((kind = doip_message_next(inbox.message)) > DOIP_SEGMENT_END)
        ;
    /* What is not looked at is not parsed. */
    if (strchr(segments[_i].trace, '?') != NULL)
        ck_assert_int_eq(kind, DOIP_SEGMENT_END);
    else
        ck_assert_int_eq(doip_message_error(inbox.message), segments[_i].error);
    inbox_free(&inbox);
}
END_TEST

START_TEST(gives_text_as_it_is)
{
    struct inbox inbox = inbox_new(FULL " [ 1,\n2 ]\n#\n@\n#\n#\n", strlen(FULL) + 18, 1, true);
    json_t *head;
    size_t length;
    const char *text;

    doip_message_head(inbox.message, &head);
    ck_assert_int_eq(doip_message_next(inbox.message), DOIP_SEGMENT_JSON);
    text = doip_message_text(inbox.message, &length);
    ck_assert_uint_eq(length, 9);
    ck_assert_int_eq(memcmp(text, " [ 1,\n2 ]", 9), 0);
    ck_assert_int_eq(json_array_size(doip_message_json(inbox.message)), 2);
    ck_assert_ptr_eq(doip_message_text(inbox.message, &length), text);
    ck_assert_int_eq(doip_message_next(inbox.message), DOIP_SEGMENT_BYTES);
    ck_assert_ptr_null(doip_message_text(inbox.message, &length));
    inbox_free(&inbox);
    inbox = inbox_new(COMPACT("[1]") "#\n", strlen(COMPACT("[1]") "#\n"), 0, true);
    doip_message_head(inbox.message, &head);
    ck_assert_int_eq(doip_message_next(inbox.message), DOIP_SEGMENT_JSON);
    ck_assert_ptr_null(doip_message_text(inbox.message, &length));
    ck_assert_int_eq(doip_message_json(inbox.message) == json_object_get(head, "input"), 1);
    inbox_free(&inbox);
}
END_TEST

/* ------------------------------------------------------------------ the end */

START_TEST(insists_on_the_end)
{
    static const struct {
        const char *input;
        int got;
    } ends[] = {
        {FULL "#\n", 0},
        {COMPACT("null") "#\n", 0},
        {FULL "1\n#\n#\n", DOIP_E_CONTENT},
        {FULL "@\n#\n#\n", DOIP_E_CONTENT},
        {COMPACT("1") "#\n", DOIP_E_CONTENT},
        {FULL "#x", DOIP_E_FRAMING},
        {FULL "#", DOIP_E_BROKEN},
        {FULL, DOIP_E_BROKEN},
    };

    for (int i = 0; i < COUNT_OF(ends); i++) {
        struct inbox inbox = inbox_new(ends[i].input, strlen(ends[i].input), 0, true);
        json_t *head;

        doip_message_head(inbox.message, &head);
        ck_assert_int_eq(doip_message_end(inbox.message), ends[i].got);
        ck_assert_int_eq(doip_message_end(inbox.message), ends[i].got);
        ck_assert(doip_message_ended(inbox.message) == (ends[i].got == 0));
        inbox_free(&inbox);
    }
}
END_TEST

/* After an end that did not come in the middle of bytes, the rest can be read away. */
START_TEST(discards)
{
    static const struct {
        const char *input;
        int moves;
        uint64_t budget;
        int got;
    } rests[] = {
        {FULL "#\n", 0, 100, 0},
        {FULL "#\n", 1, 0, 0},
        {FULL "@\n10\n0123456789\n#\n#\n", 0, 100, 0},
        {FULL "@\n10\n0123456789\n#\n#\n", 1, 100, 0},
        {FULL "@\n10\n0123456789\n#\n#\n", 1, 5, DOIP_E_LIMIT},
        {FULL "@\n10\n0123456789\n#\n#\n", 0, 5, DOIP_E_LIMIT},
        {FULL "1\n#\n{\n#\n#\n", 0, 100, 0},
        {COMPACT("1") "#\n", 0, 100, 0},
        {COMPACT("1") "#\n", 1, 100, 0},
        {COMPACT("1") "2\n#\n#\n", 2, 100, 0},
        {FULL "@\n10\n01234", 0, 100, DOIP_E_BROKEN},
        {FULL "@\nx", 0, 100, DOIP_E_FRAMING},
        {FULL, 0, 100, DOIP_E_BROKEN},
    };

    for (int i = 0; i < COUNT_OF(rests); i++) {
        struct inbox inbox = inbox_new(rests[i].input, strlen(rests[i].input), 3, true);
        uint64_t budget = rests[i].budget;
        json_t *head;

        doip_message_head(inbox.message, &head);
        for (int move = 0; move < rests[i].moves; move++)
            doip_message_next(inbox.message);
        ck_assert_msg(doip_message_discard(inbox.message, &budget) == rests[i].got,
                      "%s after %d moves", rests[i].input, rests[i].moves);
        ck_assert_uint_le(budget, rests[i].budget);
        if (rests[i].got == 0)
            ck_assert(doip_message_ended(inbox.message));
        inbox_free(&inbox);
    }
}
END_TEST

/* Bytes come one by one to a reader that does not wait: reading away goes on where it was. */
START_TEST(discards_as_it_comes)
{
    const char *input = "@\n10\n0123456789\n#\n{}\n#\n#\n";
    struct inbox inbox = inbox_new(FULL, strlen(FULL), 0, false);
    uint64_t budget = 100;
    json_t *head;

    ck_assert_int_eq(doip_message_head(inbox.message, &head), 1);
    for (size_t i = 0; i < strlen(input); i++) {
        ck_assert_int_eq(doip_message_discard(inbox.message, &budget), DOIP_E_AGAIN);
        doip_memory_feed(inbox.stream, input + i, 1);
    }
    ck_assert_int_eq(doip_message_discard(inbox.message, &budget), 0);
    ck_assert_uint_lt(budget, 100);
    inbox_free(&inbox);
}
END_TEST

/* However small its pieces, a rest that never ends uses the budget up. */
START_TEST(discards_no_more_than_the_budget)
{
    static const char *const rests[] = {"1\n#\n", "@\n#\n", "@\n1\na\n#\n", "@\n9\n123456789\n#\n"};

    for (int i = 0; i < COUNT_OF(rests); i++) {
        struct inbox inbox = inbox_new(FULL, strlen(FULL), 0, false);
        uint64_t budget = 20000;
        json_t *head;

        for (int n = 0; n < 20000; n++)
            doip_memory_feed(inbox.stream, rests[i], strlen(rests[i]));
        ck_assert_int_eq(doip_message_head(inbox.message, &head), 1);
        ck_assert_msg(doip_message_discard(inbox.message, &budget) == DOIP_E_LIMIT, "%s", rests[i]);
        inbox_free(&inbox);
    }
}
END_TEST

static Suite *
suite(void)
{
    Suite *all = suite_create("message");
    TCase *cases = tcase_create("message");

    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, reads_heads, 0, COUNT_OF(heads));
    tcase_add_test(cases, bounds_nesting);
    tcase_add_loop_test(cases, goes_on_after_a_wrong_head, 0, COUNT_OF(heads));
    tcase_add_test(cases, waits_for_a_head);
    tcase_add_loop_test(cases, gives_segments, 0, COUNT_OF(segments));
    tcase_add_loop_test(cases, skips_segments, 0, COUNT_OF(segments));
    tcase_add_test(cases, gives_text_as_it_is);
    tcase_add_test(cases, insists_on_the_end);
    tcase_add_test(cases, discards);
    tcase_add_test(cases, discards_as_it_comes);
    tcase_add_test(cases, discards_no_more_than_the_budget);
    suite_add_tcase(all, cases);
    return all;
}

UNIT_MAIN(suite)
