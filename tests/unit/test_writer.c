/*
 * The segment writer: the exact bytes of every segment, and that the reader gives back what was
 * written.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <doip/segment.h>

#include "unit.h"

struct sheet {
    doip_stream *stream;
    doip_writer *writer;
};

static struct sheet
sheet_new(void)
{
    struct sheet sheet = {.stream = doip_memory_new()};

    sheet.writer = doip_writer_new(sheet.stream);
    return sheet;
}

static void
sheet_free(struct sheet *sheet)
{
    doip_writer_free(&sheet->writer);
    ck_assert_ptr_null(sheet->writer);
    doip_writer_free(&sheet->writer);
    doip_stream_free(&sheet->stream);
}

static void
assert_output(struct sheet *sheet, const char *due, size_t size)
{
    const char *output;
    size_t got;

    ck_assert_int_eq(doip_writer_flush(sheet->writer), 0);
    ck_assert_uint_eq(doip_writer_buffered(sheet->writer), 0);
    output = doip_memory_output(sheet->stream, &got);
    ck_assert_msg(got == size && memcmp(output, due, size) == 0, "%.*s", (int)got, output);
}

/* ------------------------------------------------------------------ small segments */

/* What is written, a letter each: e empty, j whole JSON, J begins JSON, v a value, t text, B begins
 * bytes, b bytes, n no bytes. */
static const struct {
    const char *steps;
    const char *output;
} scripts[] = {
    {"e", "#\n"},
    {"ee", "#\n#\n"},
    {"je", "{\"a\":0.1}\n#\n#\n"},
    {"jje", "{\"a\":0.1}\n#\n{\"a\":0.1}\n#\n#\n"},
    {"JtvtvJve", "[{\"a\":0.1}[{\"a\":0.1}\n#\n{\"a\":0.1}\n#\n#\n"},
    {"Jvj", "{\"a\":0.1}\n#\n{\"a\":0.1}\n#\n"},
    {"Be", "@\n#\n#\n"},
    {"Bne", "@\n#\n#\n"},
    {"Bbe", "@\n5\na\n#\nb\n#\n#\n"},
    {"Bbbe", "@\n10\na\n#\nba\n#\nb\n#\n#\n"},
    {"BbBbe", "@\n5\na\n#\nb\n#\n@\n5\na\n#\nb\n#\n#\n"},
    {"BBe", "@\n#\n@\n#\n#\n"},
    {"Bbj", "@\n5\na\n#\nb\n#\n{\"a\":0.1}\n#\n"},
    {"jBbe", "{\"a\":0.1}\n#\n@\n5\na\n#\nb\n#\n#\n"},
};

static int
script_step(doip_writer *writer, char step, const json_t *value)
{
    switch (step) {
    case 'e':
        return doip_writer_empty(writer);
    case 'j':
        return doip_writer_json(writer, value);
    case 'J':
        return doip_writer_json_begin(writer);
    case 'v':
        return doip_writer_json_value(writer, value);
    case 't':
        return doip_writer_json_text(writer, "[", 1);
    case 'B':
        return doip_writer_bytes_begin(writer);
    case 'b':
        return doip_writer_bytes(writer, "a\n#\nb", 5);
    default:
        return doip_writer_bytes(writer, "", 0);
    }
}

START_TEST(writes_segments)
{
    struct sheet sheet = sheet_new();
    json_t *value = json_pack("{s:f}", "a", 0.1);

    ck_assert_uint_eq(doip_writer_buffered(sheet.writer), 0);
    for (const char *step = scripts[_i].steps; *step != '\0'; step++)
        ck_assert_int_eq(script_step(sheet.writer, *step, value), 0);
    ck_assert_uint_gt(doip_writer_buffered(sheet.writer), 0);
    assert_output(&sheet, scripts[_i].output, strlen(scripts[_i].output));
    json_decref(value);
    sheet_free(&sheet);
}
END_TEST

/* Flushed after every step, the bytes are the same but for the sizes of chunks. */
START_TEST(flushes_between_pieces)
{
    struct sheet sheet = sheet_new();

    doip_writer_bytes_begin(sheet.writer);
    doip_writer_flush(sheet.writer);
    doip_writer_bytes(sheet.writer, "ab", 2);
    doip_writer_flush(sheet.writer);
    doip_writer_flush(sheet.writer);
    doip_writer_bytes(sheet.writer, "cd", 2);
    doip_writer_flush(sheet.writer);
    doip_writer_json_begin(sheet.writer);
    doip_writer_json_text(sheet.writer, "[", 1);
    doip_writer_flush(sheet.writer);
    doip_writer_json_text(sheet.writer, "]", 1);
    doip_writer_empty(sheet.writer);
    assert_output(&sheet, "@\n2\nab\n2\ncd\n#\n[]\n#\n#\n",
                  strlen("@\n2\nab\n2\ncd\n#\n[]\n#\n#\n"));
    sheet_free(&sheet);
}
END_TEST

START_TEST(refuses_what_does_not_fit)
{
    struct sheet sheet = sheet_new();

    ck_assert_int_eq(doip_writer_json_text(sheet.writer, "1", 1), DOIP_E_CONTENT);
    ck_assert_int_eq(doip_writer_json_begin(sheet.writer), 0);
    ck_assert_int_eq(doip_writer_json_text(sheet.writer, "[\n", 2), DOIP_E_CONTENT);
    ck_assert_int_eq(doip_writer_json_text(sheet.writer, "7", 1), 0);
    ck_assert_int_eq(doip_writer_bytes(sheet.writer, "1", 1), DOIP_E_CONTENT);
    ck_assert_int_eq(doip_writer_empty(sheet.writer), 0);
    ck_assert_int_eq(doip_writer_bytes(sheet.writer, "1", 1), DOIP_E_CONTENT);
    assert_output(&sheet, "7\n#\n#\n", 6);
    sheet_free(&sheet);
}
END_TEST

START_TEST(latches_a_value_that_cannot_be_written)
{
    struct sheet sheet = sheet_new();
    json_t *bad = json_string_nocheck("\xff");

    ck_assert_int_lt(doip_writer_json(sheet.writer, bad), 0);
    ck_assert_int_lt(doip_writer_empty(sheet.writer), 0);
    ck_assert_int_lt(doip_writer_json_begin(sheet.writer), 0);
    ck_assert_int_lt(doip_writer_bytes_begin(sheet.writer), 0);
    ck_assert_str_ne(doip_writer_reason(sheet.writer), "");
    json_decref(bad);
    sheet_free(&sheet);
}
END_TEST

/* ------------------------------------------------------------------ large ones */

/* Reads one bytes segment and the message's end; the bytes must be 0, 1, 2 … modulo 251. */
static void
assert_bytes(const char *output, size_t size, size_t due)
{
    doip_stream *stream = doip_memory_new();
    doip_reader *reader = doip_reader_new(stream, 1024);
    char data[8192];
    doip_segment kind;
    size_t at = 0;
    ssize_t got;

    doip_memory_feed(stream, output, size);
    doip_memory_end(stream);
    ck_assert_int_eq(doip_reader_next(reader, &kind), 1);
    ck_assert_int_eq(kind, DOIP_SEGMENT_BYTES);
    while ((got = doip_reader_read(reader, data, sizeof data)) > 0)
        for (ssize_t i = 0; i < got; i++, at++)
            if (data[i] != (char)(at % 251))
                ck_abort_msg("byte %zu is wrong", at);
    ck_assert_int_eq(got, 0);
    ck_assert_uint_eq(at, due);
    ck_assert_int_eq(doip_reader_next(reader, &kind), 1);
    ck_assert_int_eq(kind, DOIP_SEGMENT_END);
    ck_assert_int_eq(doip_reader_next(reader, &kind), 0);
    doip_reader_free(&reader);
    doip_stream_free(&stream);
}

static char *
pattern(size_t size)
{
    char *data = malloc(size + 1);

    for (size_t i = 0; i < size; i++)
        data[i] = (char)(i % 251);
    return data;
}

/* Pieces of every kind of size: collected, filling the buffer, straight from where they lie. */
static const size_t pieces[][4] = {
    {1, 0, 0, 0},
    {9, 1, 0, 0},
    {10, 90, 899, 1},
    {4095, 1, 1, 1},
    {16383, 1, 1, 1},
    {32767, 1, 32768, 5},
    {32768, 32768, 1, 1},
    {65535, 1, 65536, 1},
    {1, 65536, 3, 200000},
    {65529, 1, 1, 1},
    {65528, 1, 1, 1},
    {65530, 65530, 65530, 7},
    {300000, 300000, 1, 9},
    {1048575, 1048576, 1, 0},
    {1048577, 3000000, 1, 0},
    {20000, 20000, 20000, 20000},
    {31000, 31000, 31000, 40000},
    {32766, 32766, 32766, 32766},
};

START_TEST(writes_pieces)
{
    struct sheet sheet = sheet_new();
    size_t total = 0, size;
    const char *output;
    char *data;

    for (int i = 0; i < 4; i++)
        total += pieces[_i][i];
    data = pattern(total);
    ck_assert_int_eq(doip_writer_bytes_begin(sheet.writer), 0);
    for (size_t i = 0, at = 0; i < 4; at += pieces[_i][i++])
        ck_assert_int_eq(doip_writer_bytes(sheet.writer, data + at, pieces[_i][i]), 0);
    ck_assert_int_eq(doip_writer_empty(sheet.writer), 0);
    ck_assert_int_eq(doip_writer_flush(sheet.writer), 0);
    output = doip_memory_output(sheet.stream, &size);
    assert_bytes(output, size, total);
    free(data);
    sheet_free(&sheet);
}
END_TEST

START_TEST(writes_many_pieces)
{
    static const size_t sizes[] = {1, 7, 1000, 8191, 16384, 32767, 32768, 40000};
    char *data = pattern(251 * 1000 + 70000);

    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        struct sheet sheet = sheet_new();
        const char *output;
        size_t size, total = 0;

        doip_writer_bytes_begin(sheet.writer);
        while (total < 500000) {
            ck_assert_int_eq(doip_writer_bytes(sheet.writer, data + total % 251, sizes[s]), 0);
            total += sizes[s];
        }
        doip_writer_empty(sheet.writer);
        doip_writer_flush(sheet.writer);
        output = doip_memory_output(sheet.stream, &size);
        assert_bytes(output, size, total);
        sheet_free(&sheet);
    }
    free(data);
}
END_TEST

static int
pattern_file(size_t size)
{
    char path[] = "/tmp/doip-writer-XXXXXX";
    char *data = pattern(size);
    int fd = mkstemp(path);

    unlink(path);
    ck_assert_int_eq(write(fd, data, size), (ssize_t)size);
    free(data);
    return fd;
}

START_TEST(writes_files)
{
    static const size_t sizes[] = {0, 1, 4096, 16384, 65537, 1048576, 1048577, 2500000};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct sheet sheet = sheet_new();
        int fd = pattern_file(sizes[i]);
        const char *output;
        size_t size;

        ck_assert_int_eq(doip_writer_bytes_begin(sheet.writer), 0);
        ck_assert_int_eq(doip_writer_bytes_fd(sheet.writer, fd, 0, sizes[i]), 0);
        ck_assert_int_eq(doip_writer_empty(sheet.writer), 0);
        ck_assert_int_eq(doip_writer_flush(sheet.writer), 0);
        output = doip_memory_output(sheet.stream, &size);
        assert_bytes(output, size, sizes[i]);
        close(fd);
        sheet_free(&sheet);
    }
}
END_TEST

START_TEST(mixes_files_and_pieces)
{
    struct sheet sheet = sheet_new();
    int fd = pattern_file(5000);
    char *data = pattern(5000);
    const char *output;
    size_t size;

    doip_writer_bytes_begin(sheet.writer);
    doip_writer_bytes(sheet.writer, data, 10);
    ck_assert_int_eq(doip_writer_bytes_fd(sheet.writer, fd, 10, 90), 0);
    doip_writer_bytes(sheet.writer, data + 100, 1);
    ck_assert_int_eq(doip_writer_bytes_fd(sheet.writer, fd, 101, 4899), 0);
    doip_writer_empty(sheet.writer);
    doip_writer_flush(sheet.writer);
    output = doip_memory_output(sheet.stream, &size);
    assert_bytes(output, size, 5000);
    free(data);
    close(fd);
    sheet_free(&sheet);
}
END_TEST

START_TEST(latches_a_short_file)
{
    static const struct {
        off_t offset;
        uint64_t length;
    } reads[] = {{0, 1001}, {1000, 1}, {5000, 1}, {999, 2}, {0, UINT64_C(1) << 40}};

    for (size_t i = 0; i < sizeof reads / sizeof *reads; i++) {
        struct sheet sheet = sheet_new();
        int fd = pattern_file(1000);

        doip_writer_bytes_begin(sheet.writer);
        ck_assert_int_eq(doip_writer_bytes_fd(sheet.writer, fd, reads[i].offset, reads[i].length),
                         DOIP_E_SYSTEM);
        ck_assert_int_eq(doip_writer_empty(sheet.writer), DOIP_E_SYSTEM);
        ck_assert_str_ne(doip_writer_reason(sheet.writer), "");
        close(fd);
        sheet_free(&sheet);
    }
}
END_TEST

START_TEST(latches_a_bad_descriptor)
{
    struct sheet sheet = sheet_new();

    doip_writer_bytes_begin(sheet.writer);
    ck_assert_int_eq(doip_writer_bytes_fd(sheet.writer, -1, 0, 5), DOIP_E_SYSTEM);
    ck_assert_str_eq(doip_writer_reason(sheet.writer), "Bad file descriptor");
    sheet_free(&sheet);
}
END_TEST

/* Text that would make a segment of another kind is refused, where it begins one. */
START_TEST(refuses_text_of_another_kind)
{
    struct sheet sheet = sheet_new();

    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(doip_writer_json_begin(sheet.writer), 0);
        ck_assert_int_eq(doip_writer_json_text(sheet.writer, "#", 1), DOIP_E_CONTENT);
        ck_assert_int_eq(doip_writer_json_text(sheet.writer, "", 0), 0);
        ck_assert_int_eq(doip_writer_json_text(sheet.writer, "@", 1), DOIP_E_CONTENT);
        ck_assert_int_eq(doip_writer_json_text(sheet.writer, "\"", 1), 0);
        ck_assert_int_eq(doip_writer_json_text(sheet.writer, "#@\"", 3), 0);
    }
    ck_assert_int_eq(doip_writer_empty(sheet.writer), 0);
    assert_output(&sheet, "\"#@\"\n#\n\"#@\"\n#\n#\n", 16);
    sheet_free(&sheet);
}
END_TEST

/* A message that could not be ended can still be taken back whole; the one before stays. */
START_TEST(takes_back_what_could_not_end)
{
    struct sheet sheet = sheet_new();
    int empty = open("/dev/null", O_RDONLY | O_CLOEXEC);

    ck_assert_int_eq(doip_writer_empty(sheet.writer), 0);
    ck_assert_int_eq(doip_writer_bytes_begin(sheet.writer), 0);
    ck_assert_int_eq(doip_writer_bytes_fd(sheet.writer, empty, 0, 10), DOIP_E_SYSTEM);
    ck_assert_int_eq(doip_writer_empty(sheet.writer), DOIP_E_SYSTEM);
    ck_assert(doip_writer_undo(sheet.writer));
    assert_output(&sheet, "#\n", 2);
    close(empty);
    sheet_free(&sheet);
}
END_TEST

START_TEST(writes_large_json)
{
    struct sheet sheet = sheet_new();
    json_t *array = json_array();
    doip_reader *reader;
    doip_segment kind;
    const char *text;
    size_t size;

    for (int i = 0; i < 20000; i++)
        json_array_append_new(array,
                              json_pack("{s:i,s:s}", "n", i, "s", "a \"quoted\" \xe2\x82\xac\n"));
    ck_assert_int_eq(doip_writer_json(sheet.writer, array), 0);
    ck_assert_int_eq(doip_writer_empty(sheet.writer), 0);
    ck_assert_int_eq(doip_writer_flush(sheet.writer), 0);
    text = doip_memory_output(sheet.stream, &size);
    doip_memory_feed(sheet.stream, text, size);
    reader = doip_reader_new(sheet.stream, 2 << 20);
    ck_assert_int_eq(doip_reader_next(reader, &kind), 1);
    text = doip_reader_text(reader, &size);
    json_t *again = doip_json_parse(text, size, NULL, 0);
    ck_assert(json_equal(array, again));
    json_decref(array);
    json_decref(again);
    doip_reader_free(&reader);
    sheet_free(&sheet);
}
END_TEST

#define COUNT_OF(table) (int)(sizeof(table) / sizeof *(table))

static Suite *
suite(void)
{
    Suite *all = suite_create("writer");
    TCase *small = tcase_create("small");
    TCase *large = tcase_create("large");

    tcase_set_timeout(large, 60);
    tcase_add_loop_test(small, writes_segments, 0, COUNT_OF(scripts));
    tcase_add_test(small, flushes_between_pieces);
    tcase_add_test(small, refuses_what_does_not_fit);
    tcase_add_test(small, latches_a_value_that_cannot_be_written);
    tcase_add_loop_test(large, writes_pieces, 0, COUNT_OF(pieces));
    tcase_add_test(large, writes_many_pieces);
    tcase_add_test(large, writes_files);
    tcase_add_test(large, mixes_files_and_pieces);
    tcase_add_test(large, latches_a_short_file);
    tcase_add_test(large, latches_a_bad_descriptor);
    tcase_add_test(large, writes_large_json);
    tcase_add_test(small, refuses_text_of_another_kind);
    tcase_add_test(small, takes_back_what_could_not_end);
    suite_add_tcase(all, small);
    suite_add_tcase(all, large);
    return all;
}

UNIT_MAIN(suite)
