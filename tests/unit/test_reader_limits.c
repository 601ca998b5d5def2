/*
 * The segment reader: its limits, large input, and what it says of itself between messages.
 */
#include "unit_trace.h"

static struct trace trace;

/* ------------------------------------------------------------------ blanks */

/* The frame's text, with so many blanks where `_` stands. */
static size_t
with_blanks(const char *frame, size_t blanks, char *out)
{
    size_t used = 0;

    for (; *frame != '\0'; frame++)
        if (*frame == '_') {
            for (size_t i = 0; i < blanks; i++)
                out[used++] = " \t\r"[i % 3];
        } else {
            out[used++] = *frame;
        }
    return used;
}

static const struct {
    const char *frame;
    const char *good;
    const char *bad; /* up to the error's number */
} blanks[] = {
    {"#_\n", ".$", "!"},
    {"{}\n#_\n#\n", "J{}.$", "!"},
    {"@_\n#\n#\n", "B.$", "!"},
    {"@\n1_\na\n#\n#\n", "Ba.$", "B!"},
    {"@\n1\na_\n#\n#\n", "Ba.$", "Ba!"},
    {"@\n#_\n#\n", "B.$", "B!"},
};

START_TEST(limits_blanks)
{
    static const struct {
        size_t count;
        bool good;
    } counts[] = {{0, true}, {1, true}, {255, true}, {256, true}, {257, false}, {5000, false}};
    static const size_t steps[] = {0, 1, 255, 256, 257, 300};
    char input[6000];

    for (int i = 0; i < COUNT_OF(counts); i++) {
        size_t size = with_blanks(blanks[_i].frame, counts[i].count, input);

        for (int j = 0; j < COUNT_OF(steps); j++) {
            trace_input(input, size, steps[j], 64, &trace);
            if (counts[i].good)
                ck_assert_str_eq(trace.text, blanks[_i].good);
            else
                ck_assert_msg(strncmp(trace.text, blanks[_i].bad, strlen(blanks[_i].bad)) == 0,
                              "%s", trace.text);
        }
    }
}
END_TEST

/* ------------------------------------------------------------------ limits and sizes */

static int
json_of(size_t size, size_t limit, size_t step, bool end)
{
    static char text[20000];
    doip_stream *stream = doip_memory_new();
    doip_reader *reader = doip_reader_new(stream, limit);
    doip_segment kind;
    size_t length = 0;
    int got;

    memset(text, 'x', size);
    doip_memory_feed(stream, text, size);
    if (end)
        doip_memory_feed(stream, "\n#\n#\n", 5);
    doip_memory_set_step(stream, step);
    got = doip_reader_next(reader, &kind);
    if (got == 1) {
        ck_assert_ptr_nonnull(doip_reader_text(reader, &length));
        ck_assert_uint_eq(length, size);
        ck_assert_int_eq(doip_reader_next(reader, &kind), 1);
        ck_assert_int_eq(kind, DOIP_SEGMENT_END);
    }
    doip_reader_free(&reader);
    doip_stream_free(&stream);
    return got;
}

START_TEST(limits_json)
{
    static const size_t limits[] = {1, 10, 4095, 4096, 4097, 16384};
    static const size_t steps[] = {0, 1, 1000};

    for (int i = 0; i < COUNT_OF(limits); i++)
        for (int j = 0; j < COUNT_OF(steps); j++) {
            size_t limit = limits[i], step = steps[j];

            ck_assert_int_eq(json_of(limit, limit, step, true), 1);
            ck_assert_int_eq(json_of(limit + 1, limit, step, true), DOIP_E_LIMIT);
            ck_assert_int_eq(json_of(limit + 1000, limit, step, true), DOIP_E_LIMIT);
            /* It does not wait for the end to find out. */
            ck_assert_int_eq(json_of(limit + 10, limit, step, false), DOIP_E_LIMIT);
            ck_assert_int_eq(json_of(limit, limit, step, false), DOIP_E_AGAIN);
        }
}
END_TEST

/* No limit at all is a limit too. */
START_TEST(reads_without_a_limit)
{
    ck_assert_int_eq(json_of(10000, SIZE_MAX, 0, true), 1);
    ck_assert_int_eq(json_of(10000, SIZE_MAX - 1, 1, true), 1);
}
END_TEST

/* Many chunks of many sizes, all bytes there are. */
START_TEST(carries_large_bytes)
{
    static char input[200000], due[100000];
    static const size_t steps[] = {0, 1, 7, 1000, 4096, 5000};
    size_t used = 2, sent = 0;

    memcpy(input, "@\n", 2);
    for (size_t size = 1; sent + size < 60000; size += 97) {
        used += (size_t)sprintf(input + used, "%zu\n", size);
        for (size_t i = 0; i < size; i++)
            input[used++] = due[sent++] = (char)(i * 7 + size);
        input[used++] = '\n';
    }
    memcpy(input + used, "#\n#\n", 4);
    used += 4;
    for (int i = 0; i < COUNT_OF(steps); i++)
        for (size_t piece = 13; piece <= 8192; piece = piece * 5) {
            trace_input(input, used, steps[i], piece, &trace);
            ck_assert_uint_eq(trace.used, sent + 3);
            ck_assert_int_eq(memcmp(trace.text + 1, due, sent), 0);
        }
}
END_TEST

/* ------------------------------------------------------------------ flags */

START_TEST(knows_idle_and_buffered)
{
    doip_stream *stream = doip_memory_new();
    doip_reader *reader = doip_reader_new(stream, LIMIT);
    doip_segment kind;

    ck_assert(doip_reader_idle(reader));
    ck_assert(!doip_reader_buffered(reader));
    doip_memory_feed(stream, "\n \n", 3);
    ck_assert(doip_reader_buffered(reader));
    ck_assert_int_eq(doip_reader_next(reader, &kind), DOIP_E_AGAIN);
    ck_assert(doip_reader_idle(reader));
    ck_assert(!doip_reader_buffered(reader));
    doip_reader_shrink(reader);
    doip_memory_feed(stream, "{}\n#", 4);
    ck_assert_int_eq(doip_reader_next(reader, &kind), DOIP_E_AGAIN);
    ck_assert(!doip_reader_idle(reader));
    doip_reader_shrink(reader);
    doip_memory_feed(stream, "\n#\n{", 4);
    ck_assert_int_eq(doip_reader_next(reader, &kind), 1);
    ck_assert_int_eq(kind, DOIP_SEGMENT_JSON);
    ck_assert(doip_reader_buffered(reader));
    ck_assert_int_eq(doip_reader_next(reader, &kind), 1);
    ck_assert_int_eq(kind, DOIP_SEGMENT_END);
    ck_assert(!doip_reader_idle(reader));
    ck_assert(doip_reader_buffered(reader));
    doip_memory_feed(stream, "}\n#\n#\n", 6);
    ck_assert_int_eq(doip_reader_next(reader, &kind), 1);
    ck_assert_int_eq(doip_reader_next(reader, &kind), 1);
    ck_assert(doip_reader_idle(reader));
    ck_assert(!doip_reader_buffered(reader));
    doip_reader_shrink(reader);
    doip_memory_feed(stream, "1\n#\n#\n", 6);
    ck_assert_int_eq(doip_reader_next(reader, &kind), 1);
    ck_assert_int_eq(kind, DOIP_SEGMENT_JSON);
    doip_reader_free(&reader);
    ck_assert_ptr_null(reader);
    doip_reader_free(&reader);
    doip_stream_free(&stream);
}
END_TEST

START_TEST(counts_a_message)
{
    const char *message = "{}\n#\n@\n3\nabc\n#\n#\n";
    doip_stream *stream = doip_memory_new();
    doip_reader *reader = doip_reader_new(stream, LIMIT);
    doip_segment kind = DOIP_SEGMENT_JSON;

    for (int i = 0; i < 3; i++) {
        doip_memory_feed(stream, message, strlen(message));
        do
            ck_assert_int_eq(doip_reader_next(reader, &kind), 1);
        while (kind != DOIP_SEGMENT_END);
        ck_assert_uint_eq(doip_reader_offset(reader), strlen(message));
    }
    doip_memory_feed(stream, "@\n07", 4);
    ck_assert_int_eq(doip_reader_next(reader, &kind), 1);
    ck_assert_int_eq(doip_reader_next(reader, &kind), DOIP_E_FRAMING);
    ck_assert_str_eq(doip_reader_reason(reader),
                     "a chunk size must not begin with 0, at byte 2 of the message");
    doip_reader_free(&reader);
    doip_stream_free(&stream);
}
END_TEST

static int
ahead_of(const char *rest, size_t limit)
{
    doip_stream *stream = doip_memory_new();
    doip_reader *reader = doip_reader_new(stream, LIMIT);
    doip_segment kind;
    int got;

    doip_memory_feed(stream, "{}\n#\n", 5);
    ck_assert_int_eq(doip_reader_next(reader, &kind), 1);
    doip_memory_feed(stream, rest, strlen(rest));
    got = doip_reader_ahead(reader, limit);
    ck_assert_int_eq(doip_reader_ahead(reader, limit), got);
    doip_reader_free(&reader);
    doip_stream_free(&stream);
    return got;
}

START_TEST(knows_when_to_stop_looking)
{
    static const struct {
        const char *rest;
        size_t limit;
        int got;
    } looks[] = {
        {"", 100, DOIP_E_AGAIN},
        {"#", 100, DOIP_E_AGAIN},
        {"#\n", 100, 0},
        {"@\n3\nabc\n#\n", 100, DOIP_E_AGAIN},
        {"@\n3\nabc\n#\n#\n", 100, 0},
        {"@\n100\nabc", 100, DOIP_E_AGAIN},
        {"@\n100\nabc", 9, 0},
        {"@\n07", 100, 0},
        {"", 0, 0},
        {"{\n#\n#\n", 100, 0},
        {"@\n9\n\n#\n#\n#\n#\n", 100, DOIP_E_AGAIN},
    };

    for (int i = 0; i < COUNT_OF(looks); i++)
        ck_assert_msg(ahead_of(looks[i].rest, looks[i].limit) == looks[i].got, "%s", looks[i].rest);
}
END_TEST

/* Looking ahead into the stream's end takes nothing away from what came before it. */
START_TEST(looks_ahead_into_the_end)
{
    const char *input = "{}\n#\n[1]\n#\n@\n5\nab";
    doip_stream *stream = doip_memory_new();
    doip_reader *reader = doip_reader_new(stream, LIMIT);
    doip_segment kind;
    char data[8];

    doip_memory_feed(stream, input, strlen(input));
    doip_memory_end(stream);
    ck_assert_int_eq(doip_reader_next(reader, &kind), 1);
    ck_assert_int_eq(doip_reader_ahead(reader, 1000), 0);
    ck_assert_int_eq(doip_reader_next(reader, &kind), 1);
    ck_assert_int_eq(kind, DOIP_SEGMENT_JSON);
    ck_assert_int_eq(doip_reader_next(reader, &kind), 1);
    ck_assert_int_eq(doip_reader_ahead(reader, 1000), 0);
    ck_assert_int_eq(doip_reader_read(reader, data, sizeof data), 2);
    ck_assert_int_eq(doip_reader_read(reader, data, sizeof data), DOIP_E_BROKEN);
    ck_assert_str_eq(doip_reader_reason(reader),
                     "the stream ended inside a message, at byte 17 of the message");
    doip_reader_free(&reader);
    doip_stream_free(&stream);
}
END_TEST

static Suite *
suite(void)
{
    Suite *all = suite_create("reader_limits");
    TCase *cases = tcase_create("limits");

    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, limits_blanks, 0, COUNT_OF(blanks));
    tcase_add_test(cases, limits_json);
    tcase_add_test(cases, reads_without_a_limit);
    tcase_add_test(cases, looks_ahead_into_the_end);
    tcase_add_test(cases, carries_large_bytes);
    tcase_add_test(cases, knows_idle_and_buffered);
    tcase_add_test(cases, counts_a_message);
    tcase_add_test(cases, knows_when_to_stop_looking);
    suite_add_tcase(all, cases);
    return all;
}

UNIT_MAIN(suite)
