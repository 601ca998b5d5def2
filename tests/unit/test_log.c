/*
 * The log: what a line looks like in either format, that nothing a peer sends gets through
 * unescaped, and that a pipe which is full or closed neither holds nor ends the process.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "doipd/log.h"
#include "doipd/log_line.h"
#include "doipd/log_sink.h"
#include "doipd/metrics.h"

static FILE *captured;
static int saved_stderr = -1;

/* stderr goes to a file from here to the end of the test. */
static void
setup(void)
{
    captured = tmpfile();
    ck_assert_ptr_nonnull(captured);
    saved_stderr = dup(STDERR_FILENO);
    dup2(fileno(captured), STDERR_FILENO);
    unsetenv("JOURNAL_STREAM");
    log_sink_use_journal("/no/such/journal");
    log_set_process("worker 3");
}

static void
teardown(void)
{
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    fclose(captured);
}

/* All that was logged so far. */
static const char *
logged(void)
{
    static char text[65536];
    ssize_t size = pread(fileno(captured), text, sizeof(text) - 1, 0);

    ck_assert_int_ge(size, 0);
    text[size] = '\0';
    return text;
}

/* What follows the time and pid of the only line: `2026-11-22T10:00:00.123Z doipd[1] `. */
static const char *
after_head(const char *line)
{
    char form[64];
    size_t length = strlen("2026-11-22T10:00:00.123Z");

    snprintf(form, sizeof(form), " doipd[%d] ", (int)getpid());
    for (size_t i = 0; i < length; i++)
        ck_assert_msg(strchr("-T:.Z", "dddd-dd-ddTdd:dd:dd.dddZ"[i]) == NULL
                          ? line[i] >= '0' && line[i] <= '9'
                          : line[i] == "dddd-dd-ddTdd:dd:dd.dddZ"[i],
                      "no time: %s", line);
    ck_assert_msg(strncmp(line + length, form, strlen(form)) == 0, "no pid: %s", line);
    ck_assert_ptr_eq(strchr(line, '\n') + 1, line + strlen(line));
    return line + length + strlen(form);
}

/* What is logged, and how it stands in the text and in the JSON (decoded). */
static const struct {
    const char *message;
    const char *text;
    const char *json;
} messages[] = {
    {"plain", "plain", "plain"},
    {"", "", ""},
    {"a \"b\" \\c", "a \"b\" \\c", "a \"b\" \\c"},
    {"two\nlines\r\n", "two\\nlines\\r\\n", "two\nlines\r\n"},
    {"tab\tbell\x07 esc\x1b[31m del\x7f", "tab\\tbell\\x07 esc\\x1b[31m del\\x7f",
     "tab\tbell\x07 esc\x1b[31m del\x7f"},
    {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
     "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
    {"c1 \xc2\x85 line \xe2\x80\xa8 bidi \xe2\x80\xae", "c1 \\u0085 line \\u2028 bidi \\u202e",
     "c1 \xc2\x85 line \xe2\x80\xa8 bidi \xe2\x80\xae"},
    {"\xff \xc3", "\\xff \\xc3", "\\xff \\xc3"},
    {"\xc0\xaf overlong, \xed\xa0\x80 surrogate", "\\xc0\\xaf overlong, \\xed\\xa0\\x80 surrogate",
     "\\xc0\\xaf overlong, \\xed\\xa0\\x80 surrogate"},
    {"\xf4\x90\x80\x80 beyond", "\\xf4\\x90\\x80\\x80 beyond", "\\xf4\\x90\\x80\\x80 beyond"},
};

START_TEST(test_text)
{
    char wanted[256];

    log_setup(LOG_LEVEL_INFO, false, true, true);
    log_warning(RELOADED, "%s", messages[_i].message);
    snprintf(wanted, sizeof(wanted), "worker 3: warning: %s [reloaded]\n", messages[_i].text);
    ck_assert_str_eq(after_head(logged()), wanted);
}
END_TEST

static json_t *
parse_line(const char *line)
{
    json_error_t error;
    json_t *value = json_loads(line, 0, &error);

    ck_assert_msg(value != NULL, "%s: %s", error.text, line);
    ck_assert_ptr_eq(strchr(line, '\n') + 1, line + strlen(line));
    return value;
}

static const char *
text_of(const json_t *value, const char *name)
{
    return json_string_value(json_object_get(value, name));
}

START_TEST(test_json)
{
    log_setup(LOG_LEVEL_INFO, true, true, true);
    log_error(RELOADED, "%s", messages[_i].message);
    json_t *value = parse_line(logged());
    ck_assert_str_eq(text_of(value, "message"), messages[_i].json);
    ck_assert_str_eq(text_of(value, "level"), "error");
    ck_assert_str_eq(text_of(value, "kind"), "reloaded");
    ck_assert_str_eq(text_of(value, "process"), "worker 3");
    ck_assert_int_eq(json_integer_value(json_object_get(value, "pid")), getpid());
    ck_assert_uint_eq(strlen(text_of(value, "time")), strlen("2026-11-22T10:00:00.123Z"));
    json_decref(value);
}
END_TEST

START_TEST(test_levels)
{
    static const char *const names[] = {"error", "warning", "notice", "info", "debug"};

    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(log_level_parse(names[i]), i);
        ck_assert_str_eq(log_level_name(i), names[i]);
    }
    ck_assert_int_eq(log_level_parse("loud"), -1);
    ck_assert_int_eq(log_level_parse(""), -1);
    log_setup(LOG_LEVEL_WARNING, false, true, true);
    log_notice(RELOADED, "no");
    log_access(&(struct log_access){.peer = "no"});
    ck_assert_str_eq(logged(), "");
    log_warning(RELOADED, "yes");
    ck_assert_str_eq(after_head(logged()), "worker 3: warning: yes [reloaded]\n");
}
END_TEST

static const struct log_access request = {
    .peer = "[::1]:40000",
    .client = "20.500/alice b",
    .actor = "20.500/root",
    .operation = "0.DOIP/Op.Hello",
    .target = "a\"\\\n\xff",
    .status = "0.DOIP/Status.104",
    .message = "",
    .tls = NULL,
    .bytes_in = 1,
    .bytes_out = INT64_MAX,
    .microseconds = 1234,
    .number = 7,
};

START_TEST(test_access_text)
{
    log_setup(LOG_LEVEL_INFO, false, true, true);
    log_access(&request);
    ck_assert_str_eq(
        after_head(logged()),
        "worker 3: info: access peer=[::1]:40000 client=\"20.500/alice b\" "
        "actor=20.500/root "
        "operation=0.DOIP/Op.Hello "
        "target=\"a\\\"\\\\\\n\\xff\" status=0.DOIP/Status.104 reason=\"\" tls=- bytes_in=1 "
        "bytes_out=9223372036854775807 number=7 microseconds=1234\n");
    log_setup(LOG_LEVEL_INFO, false, false, true);
    size_t before = strlen(logged());
    log_access(&request);
    ck_assert_uint_eq(strlen(logged()), before);
}
END_TEST

START_TEST(test_access_json)
{
    log_setup(LOG_LEVEL_INFO, true, true, true);
    log_access(&request);
    json_t *value = parse_line(logged());
    ck_assert_str_eq(text_of(value, "message"), "access");
    ck_assert_str_eq(text_of(value, "level"), "info");
    ck_assert_str_eq(text_of(value, "peer"), "[::1]:40000");
    ck_assert_str_eq(text_of(value, "client"), "20.500/alice b");
    ck_assert_str_eq(text_of(value, "target"), "a\"\\\n\\xff");
    ck_assert_str_eq(text_of(value, "status"), "0.DOIP/Status.104");
    ck_assert_str_eq(text_of(value, "reason"), "");
    ck_assert(json_is_null(json_object_get(value, "tls")));
    ck_assert_int_eq(json_integer_value(json_object_get(value, "microseconds")), 1234);
    ck_assert_int_eq(json_integer_value(json_object_get(value, "number")), 7);
    json_decref(value);
}
END_TEST

/* The longest and worst of everything still makes one whole line. */
START_TEST(test_long)
{
    static char much[20000];
    struct log_access access = {much, much,      much,      much,      much,     much,
                                much, much, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX};

    for (int json = 0; json <= 1; json++)
        for (const char *fill = "a\x01\xff\""; *fill != '\0'; fill++) {
            memset(much, *fill, sizeof(much) - 1);
            log_setup(LOG_LEVEL_INFO, json, true, true);
            ck_assert_int_eq(ftruncate(fileno(captured), 0), 0);
            lseek(STDERR_FILENO, 0, SEEK_SET);
            log_access(&access);
            ck_assert_uint_lt(strlen(logged()), LOG_LINE_MAX);
            ck_assert_ptr_nonnull(strstr(logged(), "9223372036854775807"));
            if (json)
                json_decref(parse_line(logged()));
            ck_assert_int_eq(ftruncate(fileno(captured), 0), 0);
            lseek(STDERR_FILENO, 0, SEEK_SET);
            log_error(RELOADED, "%s", much);
            ck_assert_uint_le(strlen(logged()), LOG_LINE_MAX);
            ck_assert_uint_gt(strlen(logged()), 2500);
            if (json)
                json_decref(parse_line(logged()));
        }
}
END_TEST

START_TEST(test_journal)
{
    struct stat status;
    char stream[64];

    ck_assert_int_eq(fstat(STDERR_FILENO, &status), 0);
    snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_setup(LOG_LEVEL_INFO, false, true, true);
    log_warning(RELOADED, "x");
    log_setup(LOG_LEVEL_INFO, true, true, true);
    log_error(RELOADED, "x");
    const char *text = logged();
    ck_assert_msg(strncmp(text, "<4>worker 3: warning: x [reloaded]\n<3>{\"time\":", 46) == 0, "%s",
                  text);
    setenv("JOURNAL_STREAM", "1:2", 1);
    log_setup(LOG_LEVEL_INFO, false, true, true);
    ck_assert_int_eq(ftruncate(fileno(captured), 0), 0);
    lseek(STDERR_FILENO, 0, SEEK_SET);
    log_info(RELOADED, "y");
    ck_assert_str_eq(after_head(logged()), "worker 3: info: y [reloaded]\n");
}
END_TEST

static uint64_t
dropped(void)
{
    static struct metrics_sum sum;

    metrics_add_up(&sum);
    return sum.counters[METRICS_LOG_DROPPED];
}

/* The journal, played by the test: the socket, and the next entry that came. */
static char journal_path[64];
static int journal;

static void
play_journal(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    snprintf(journal_path, sizeof(journal_path), "/tmp/doipd-test-journal-%d", (int)getpid());
    unlink(journal_path);
    strcpy(address.sun_path, journal_path);
    ck_assert_int_eq(bind(journal, (struct sockaddr *)&address, sizeof(address)), 0);
}

static const char *
next_entry(void)
{
    static char entry[16384];
    ssize_t size = recv(journal, entry, sizeof(entry) - 1, 0);

    ck_assert_int_gt(size, 0);
    entry[size] = '\0';
    return entry;
}

static void
assert_lines(const char *entry, const char *const *lines)
{
    for (; *lines != NULL; lines++)
        ck_assert_msg(strstr(entry, *lines) != NULL, "%s is not in %s", *lines, entry);
}

/* The journal may come anew while we run. */
static const char *
next_entry_after_restart(void)
{
    close(journal);
    play_journal();
    log_access(&request);
    return next_entry();
}

/* A MESSAGE_ID is one per kind and never changes. */
START_TEST(test_journal_fields)
{
    static const char *const message[] = {"MESSAGE=worker 3: a\\nPRIORITY=0\n",
                                          "\nPRIORITY=3\n",
                                          "\nSYSLOG_IDENTIFIER=doipd\n",
                                          "\nDOIPD_PROCESS=worker 3\n",
                                          "\nDOIPD_KIND=worker-died\n",
                                          "\nMESSAGE_ID=5d1a0e6c0f2b4c0e9d3e7a41b8c60403\n",
                                          NULL};
    static const char *const access[] = {"MESSAGE=worker 3: access peer=[::1]:40000 client=",
                                         "\nPRIORITY=6\n",
                                         "\nDOIPD_KIND=access\n",
                                         "\nDOIPD_PEER=[::1]:40000\n",
                                         "\nDOIPD_CLIENT=20.500/alice b\n",
                                         "\nDOIPD_OPERATION=0.DOIP/Op.Hello\n",
                                         "\nDOIPD_TARGET=a\"\\\\n\\xff\n",
                                         "\nDOIPD_STATUS=0.DOIP/Status.104\n",
                                         "\nDOIPD_BYTES_OUT=9223372036854775807\n",
                                         "\nDOIPD_NUMBER=7\n",
                                         "\nDOIPD_MICROSECONDS=1234\n",
                                         NULL};
    struct stat status;
    char stream[64];

    play_journal();
    ck_assert_int_eq(fstat(STDERR_FILENO, &status), 0);
    snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_sink_use_journal(journal_path);
    log_setup(LOG_LEVEL_INFO, _i == 1, true, true); /* the format makes no difference */
    log_error(WORKER_DIED, "a\nPRIORITY=0");
    assert_lines(next_entry(), message);
    log_access(&request);
    assert_lines(next_entry(), access);
    ck_assert_ptr_null(strstr(next_entry_after_restart(), "DOIPD_REASON"));
    ck_assert_str_eq(logged(), "");
    for (int i = 0; i < 5000; i++) /* a full queue drops entries, and holds nobody up */
        log_access(&request);
    ck_assert_uint_gt(dropped(), 0);
    unlink(journal_path);
}
END_TEST

/* A test's own limit of 4 seconds shows that nothing blocks. */
START_TEST(test_full_pipe)
{
    int ends[2];
    char data[4096];
    size_t whole = 0;

    ck_assert_int_eq(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    log_setup(LOG_LEVEL_INFO, false, true, true);
    ck_assert_int_eq(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0);
    for (int i = 0; i < 5000; i++)
        log_info(RELOADED, "line %d of many that nobody reads", i);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    for (ssize_t got; (got = read(ends[0], data, sizeof(data))) > 0;)
        for (ssize_t i = 0; i < got; i++)
            whole += data[i] == '\n';
    ck_assert_uint_gt(whole, 100);
    ck_assert_uint_eq(dropped(), 5000 - whole);
    log_info(RELOADED, "again");
    ssize_t got = read(ends[0], data, sizeof(data));
    ck_assert_int_gt(got, 0);
    ck_assert_ptr_nonnull(memmem(data, (size_t)got, "info: again [reloaded]\n", 23));
    close(ends[0]);
    for (int i = 0; i < 3; i++)
        log_info(RELOADED, "to nobody: no SIGPIPE");
    log_setup(LOG_LEVEL_INFO, false, true, true);
    log_info(RELOADED, "nor when it was closed before");
}
END_TEST

START_TEST(test_full_socket)
{
    int ends[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    log_setup(LOG_LEVEL_INFO, false, true, true);
    for (int i = 0; i < 20000; i++)
        log_info(RELOADED, "line %d of many that nobody reads", i);
    close(ends[0]);
    log_info(RELOADED, "no SIGPIPE");
}
END_TEST

static void *
log_many(void *argument)
{
    for (int i = 0; i < 100; i++)
        log_info(RELOADED, "%s %d", (const char *)argument, i);
    return NULL;
}

START_TEST(test_threads)
{
    pthread_t threads[4];
    size_t lines = 0;

    log_setup(LOG_LEVEL_INFO, true, true, true);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, log_many, "thread"), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    char *text = strdup(logged());
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"), lines++) {
        json_t *value = json_loads(line, 0, NULL);
        ck_assert_msg(value != NULL, "%s", line);
        json_decref(value);
    }
    ck_assert_uint_eq(lines, 400);
    free(text);
}
END_TEST

START_TEST(test_keeps_errno)
{
    log_setup(LOG_LEVEL_INFO, false, true, true);
    close(STDERR_FILENO);
    errno = ENOENT;
    log_error(RELOADED, "nowhere");
    ck_assert_int_eq(errno, ENOENT);
}
END_TEST

/* doipd(8) lists every kind. */
START_TEST(test_manual)
{
    static const char *const words[] = {
#define X(name, number, word) word,
        LOG_KINDS(X)
#undef X
    };
    static char page[65536];
    FILE *file = fopen("man/doipd.8", "r");
    char item[64];

    ck_assert_ptr_nonnull(file);
    page[fread(page, 1, sizeof(page) - 1, file)] = '\0';
    fclose(file);
    for (size_t i = 0; i < LOG_KIND_COUNT; i++) {
        snprintf(item, sizeof(item), "\n.It Li %s\n", words[i]);
        ck_assert_msg(strstr(page, item) != NULL, "doipd.8 lacks %s", words[i]);
    }
}
END_TEST

static Suite *
suite(void)
{
    Suite *all = suite_create("log");
    TCase *tests = tcase_create("log");
    int count = sizeof(messages) / sizeof(messages[0]);

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, test_text, 0, count);
    tcase_add_loop_test(tests, test_json, 0, count);
    tcase_add_test(tests, test_levels);
    tcase_add_test(tests, test_access_text);
    tcase_add_test(tests, test_access_json);
    tcase_add_test(tests, test_long);
    tcase_add_test(tests, test_journal);
    tcase_add_loop_test(tests, test_journal_fields, 0, 2);
    tcase_add_test(tests, test_manual);
    tcase_add_test(tests, test_full_pipe);
    tcase_add_test(tests, test_full_socket);
    tcase_add_test(tests, test_threads);
    tcase_add_test(tests, test_keeps_errno);
    suite_add_tcase(all, tests);
    return all;
}

UNIT_MAIN(suite)
