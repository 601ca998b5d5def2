/*
 * The segment reader: tables of input with the segments that it must give, for every split of the
 * bytes, for input that arrives byte by byte, and cut off at every byte.
 */
#include <string.h>

#include <doip/segment.h>

#include "unit_trace.h"

#define TEXT(text) text, sizeof(text) - 1

/* ------------------------------------------------------------------ tables */

#define J "{}\n#\n"

static const struct {
    const char *input;
    size_t size;
    const char *trace;
    size_t trace_size;
} cases[] = {
    /* nothing, and white space */
    {TEXT(""), TEXT("$")},
    {TEXT(" \t\r\n \n"), TEXT("$")},
    {TEXT("#\n"), TEXT(".$")},
    {TEXT("\n\n#\n\n\n#\n \n"), TEXT("..$")},
    {TEXT("# \t\r\n"), TEXT(".$")},
    /* JSON */
    {TEXT("{}\n#\n#\n"), TEXT("J{}.$")},
    {TEXT("{}\r\n#\r\n#\r\n"), TEXT("J{}\r.$")},
    {TEXT(" \r\n {}\n#\n#\n"), TEXT("J{}.$")},
    {TEXT("{\n \"a\": 1,\n\n \"#\": \"#\"\n}\n# \t \n#\n"),
     TEXT("J{\n \"a\": 1,\n\n \"#\": \"#\"\n}.$")},
    {TEXT("1#\n #\n2\n#\n#\n"), TEXT("J1#\n #\n2.$")},
    {TEXT("a\0b\n#\n#\n"), TEXT("Ja\0b.$")},
    {TEXT("1\n#\n2\n#\n\n3\n#\n#\n"), TEXT("J1J2J\n3.$")},
    {TEXT("1\n#\n\n#\n#\n"), TEXT("J1J.$")},
    /* bytes */
    {TEXT("@\n#\n#\n"), TEXT("B.$")},
    {TEXT("@ \t\r\n#\t\n#\n"), TEXT("B.$")},
    {TEXT("@\n3\nabc\n#\n#\n"), TEXT("Babc.$")},
    {TEXT("@\n3 \t\r\nabc\r\t \n#\r\n#\n"), TEXT("Babc.$")},
    {TEXT("@\n3\n\n#\n\n#\n#\n"), TEXT("B\n#\n.$")},
    {TEXT("@\n4\n@\0#\n\n1\n \n2\n\r\n\n#\n#\n"), TEXT("B@\0#\n \r\n.$")},
    {TEXT("@\n10\n0123456789\n#\n#\n"), TEXT("B0123456789.$")},
    {TEXT("@\n1\na\n#\n@\n1\nb\n#\n@\n#\n#\n"), TEXT("BaBbB.$")},
    {TEXT(J "@\n1\na\n#\n" J "#\n" J "#\n"), TEXT("J{}BaJ{}.J{}.$")},
    /* sizes that are none */
    {TEXT("@\n0\n"), TEXT("B!5")},
    {TEXT("@\n00\n"), TEXT("B!5")},
    {TEXT("@\n007\n"), TEXT("B!5")},
    {TEXT("@\n-1\n"), TEXT("B!5")},
    {TEXT("@\n+5\n"), TEXT("B!5")},
    {TEXT("@\n 5\n"), TEXT("B!5")},
    {TEXT("@\n\n"), TEXT("B!5")},
    {TEXT("@\n12x\n"), TEXT("B!5")},
    {TEXT("@\n1 2\n"), TEXT("B!5")},
    {TEXT("@\n0x10\n"), TEXT("B!5")},
    {TEXT("@\n1.0\n"), TEXT("B!5")},
    {TEXT("@\n1e1\n"), TEXT("B!5")},
    {TEXT("@\n1\0\n"), TEXT("B!5")},
    {TEXT("@\nabc\n"), TEXT("B!5")},
    {TEXT("@\n@\n"), TEXT("B!5")},
    {TEXT("@\n2147483648\n"), TEXT("B!5")},
    {TEXT("@\n4294967296\n"), TEXT("B!5")},
    {TEXT("@\n4294967297\nx"), TEXT("B!5")},
    {TEXT("@\n99999999999\n"), TEXT("B!5")},
    {TEXT("@\n18446744073709551617\nx"), TEXT("B!5")},
    {TEXT("@\n2147483647\nabc"), TEXT("Babc!3")},
    /* ends that are none */
    {TEXT("@\n3\nabcd\n#\n#\n"), TEXT("Babc!5")},
    {TEXT("@\n3\nabc#\n"), TEXT("Babc!5")},
    {TEXT("@\n3\nabc x\n"), TEXT("Babc!5")},
    {TEXT("@\n3\nab\n#\n#\n"), TEXT("Bab\n!5")},
    {TEXT("@x\n"), TEXT("!5")},
    {TEXT("@@\n"), TEXT("!5")},
    {TEXT("@\n#x\n"), TEXT("B!5")},
    {TEXT("#x\n"), TEXT("!5")},
    {TEXT("##\n"), TEXT("!5")},
    {TEXT("#\v\n"), TEXT("!5")},
    {TEXT("{}\n##\n"), TEXT("!5")},
    {TEXT("{}\n#x\n"), TEXT("!5")},
    {TEXT("{}\n# #\n"), TEXT("!5")},
    {TEXT("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), TEXT("!3")},
};

static void
assert_trace(const struct trace *trace, int i, const char *how, size_t step)
{
    ck_assert_msg(trace->used == cases[i].trace_size &&
                      memcmp(trace->text, cases[i].trace, trace->used) == 0,
                  "%s %zu: \"%s\" gave \"%s\", not \"%s\"", how, step, cases[i].input, trace->text,
                  cases[i].trace);
}

static struct trace trace, other;

START_TEST(gives_segments)
{
    for (size_t step = 0; step <= cases[_i].size; step++)
        for (size_t piece = 1; piece < 8192; piece *= 16) {
            trace_input(cases[_i].input, cases[_i].size, step, piece, &trace);
            assert_trace(&trace, _i, "step", step);
        }
    trace_trickle(cases[_i].input, cases[_i].size, &trace);
    assert_trace(&trace, _i, "trickle", 1);
}
END_TEST

/* Cut off anywhere, a well-formed input is broken (3), but for where a message ends. */
START_TEST(breaks_at_every_byte)
{
    const char *input = cases[_i].input;

    if (strchr(cases[_i].trace, '!') != NULL || cases[_i].trace[cases[_i].trace_size - 1] != '$')
        return;
    for (size_t size = 0; size < cases[_i].size; size++) {
        size_t used;

        trace_input(input, size, 0, 64, &trace);
        used = trace.used;
        if (trace.text[used - 1] == '$')
            ck_assert_msg(used == 1 || trace.text[used - 2] == '.', "%zu bytes of \"%s\": %s", size,
                          input, trace.text);
        else
            ck_assert_msg(used >= 2 && memcmp(trace.text + used - 2, "!3", 2) == 0,
                          "%zu bytes of \"%s\": %s", size, input, trace.text);
    }
}
END_TEST

/* Whoever does not read a bytes segment gets the same segments after it, and the same error inside
 * it. */
START_TEST(skips_bytes)
{
    doip_stream *stream = doip_memory_new();
    doip_reader *reader = doip_reader_new(stream, LIMIT);
    doip_segment kind;
    size_t length;
    int got;

    doip_memory_feed(stream, cases[_i].input, cases[_i].size);
    doip_memory_end(stream);
    trace.used = 0;
    while ((got = doip_reader_next(reader, &kind)) > 0) {
        const char *text = doip_reader_text(reader, &length);

        ck_assert((text != NULL) == (kind == DOIP_SEGMENT_JSON));
        note(&trace, kind == DOIP_SEGMENT_END ? "." : kind == DOIP_SEGMENT_JSON ? "J" : "B", 1);
        if (text != NULL)
            note(&trace, text, length);
    }
    if (got < 0) {
        ck_assert_ptr_nonnull(memchr(cases[_i].trace, '!', cases[_i].trace_size));
        ck_assert_int_eq(cases[_i].trace[cases[_i].trace_size - 1], '0' - got);
        ck_assert_int_eq(doip_reader_next(reader, &kind), got);
        ck_assert_int_eq(doip_reader_read(reader, &kind, 1), got);
        ck_assert_str_ne(doip_reader_reason(reader), "");
    } else {
        ck_assert_ptr_null(memchr(cases[_i].trace, '!', cases[_i].trace_size));
    }
    doip_reader_free(&reader);
    doip_stream_free(&stream);
}
END_TEST

/* Reading ahead, however far, changes nothing. */
START_TEST(looks_ahead)
{
    for (size_t limit = 0; limit <= cases[_i].size + 1; limit++)
        for (size_t step = 0; step < 3; step++) {
            doip_stream *stream = doip_memory_new();
            doip_reader *reader = doip_reader_new(stream, LIMIT);
            struct source source = {stream, NULL, 0};
            doip_segment kind;

            doip_memory_feed(stream, cases[_i].input, cases[_i].size);
            doip_memory_end(stream);
            doip_memory_set_step(stream, step);
            other.used = 0;
            other.text[0] = '\0';
            while (doip_reader_next(reader, &kind) > 0 && kind == DOIP_SEGMENT_JSON) {
                size_t length, after;
                const char *text = doip_reader_text(reader, &length);

                ck_assert_int_eq(doip_reader_ahead(reader, limit), 0);
                text = doip_reader_text(reader, &after);
                ck_assert_uint_eq(after, length);
                note(&other, "J", 1);
                note(&other, text, length);
            }
            ck_assert_int_eq(memcmp(other.text, cases[_i].trace, other.used), 0);
            trace_all(reader, &trace, &source, 7);
            ck_assert_msg(memmem(cases[_i].trace, cases[_i].trace_size, trace.text, trace.used) !=
                              NULL,
                          "%s after %s", trace.text, other.text);
            doip_reader_free(&reader);
            doip_stream_free(&stream);
        }
}
END_TEST

static Suite *
suite(void)
{
    Suite *all = suite_create("reader");
    TCase *tables = tcase_create("tables");

    tcase_set_timeout(tables, 60);
    tcase_add_loop_test(tables, gives_segments, 0, COUNT_OF(cases));
    tcase_add_loop_test(tables, breaks_at_every_byte, 0, COUNT_OF(cases));
    tcase_add_loop_test(tables, skips_bytes, 0, COUNT_OF(cases));
    tcase_add_loop_test(tables, looks_ahead, 0, COUNT_OF(cases));
    suite_add_tcase(all, tables);
    return all;
}

UNIT_MAIN(suite)
