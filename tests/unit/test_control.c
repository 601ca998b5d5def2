/*
 * The control socket: lines and answers, peers that are slow, many or hostile, who waits for a reload, and the socket's file.
 */
#include "unit_config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "doipd/clock.h"
#include "doipd/control.h"

static struct config config;
static struct control *control;
static char *path;
static char no_group[] = "", some_group[] = "x";
static int runs;

/* Knows "echo TEXT", "no", "reload", "stop", "big". */
static enum control_reply
run(void *context, const char *command, const char *argument, struct control_answer *answer)
{
    ck_assert_ptr_eq(context, &runs);
    runs++;
    if (strcmp(command, "reload") == 0)
        return CONTROL_AFTER_RELOAD;
    if (strcmp(command, "big") == 0) {
        answer->length = 5000000;
        answer->text = malloc(answer->length);
        memset(answer->text, 'b', answer->length);
        return CONTROL_DONE;
    }
    answer->text = strdup(strcmp(command, "echo") == 0 ? argument : command);
    answer->length = strlen(answer->text);
    return strcmp(command, "no") == 0     ? CONTROL_REFUSED
           : strcmp(command, "stop") == 0 ? CONTROL_UNTIL_END
                                          : CONTROL_DONE;
}

static const struct control_commands commands = {.context = &runs, .run = run};

static void
begin(void)
{
    setup();
    path = strdup(path_of("control/socket"));
    config.control.socket = path;
    config.control.group = no_group;
    control = control_open(&config, &commands, reason, sizeof reason);
    ck_assert_msg(control != NULL, "%s", reason);
}

static void
finish(void)
{
    control_close(&control);
    free(path);
    teardown();
}

static void
serve(int times)
{
    while (times-- > 0)
        control_serve(control, clock_ms());
}

static int
peer(const char *text, size_t length)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    if (length > 0)
        ck_assert_int_eq(send(fd, text, length, MSG_NOSIGNAL), (ssize_t)length);
    return fd;
}

/* What a peer has got by now; `ended`: the service has hung up. */
static const char *
heard(int fd, bool *ended)
{
    static char text[8192];
    ssize_t n, got = 0;

    while ((n = recv(fd, text + got, sizeof text - 1 - (size_t)got, 0)) > 0)
        got += n;
    *ended = n == 0 || (n < 0 && errno == ECONNRESET);
    text[got] = '\0';
    return text;
}

static const struct {
    const char *sent;
    const char *wanted;
} lines[] = {
    {"echo hello\n", "ok\nhello"},
    {"echo a b  c\n", "ok\na b  c"},
    {"echo\n", "ok\n"},
    {"echo \n", "ok\n"},
    {"no\n", "error\nno"},
    {"\n", "ok\n"},
    {"echo one\necho two\n", "ok\none"},
    {"echo \x1b[31m\n", "error\na command is one line of ASCII"},
    {"echo \xc3\xa9\n", "error\na command is one line of ASCII"},
    {"echo x\r\n", "error\na command is one line of ASCII"},
};

START_TEST(a_line_is_answered)
{
    int fd = peer(lines[_i].sent, strlen(lines[_i].sent));
    bool ended;

    serve(2);
    ck_assert_str_eq(heard(fd, &ended), lines[_i].wanted);
    ck_assert(ended);
    close(fd);
}
END_TEST

START_TEST(a_line_may_come_in_pieces)
{
    int fd = peer("ec", 2);
    bool ended;

    serve(3);
    ck_assert_str_eq(heard(fd, &ended), "");
    ck_assert(!ended && runs == 0);
    ck_assert_int_eq(send(fd, "ho x\n", 5, 0), 5);
    serve(2);
    ck_assert_str_eq(heard(fd, &ended), "ok\nx");
    close(fd);
}
END_TEST

START_TEST(too_long_a_line)
{
    char text[2 * CONTROL_LINE];
    bool ended;
    int fd;

    memset(text, 'x', sizeof text);
    fd = peer(text, sizeof text);
    serve(2);
    ck_assert_str_eq(heard(fd, &ended), "error\na command is one line of less than 256 bytes");
    ck_assert(ended && runs == 0);
    close(fd);
}
END_TEST

/* A peer that says nothing, or does not take its answer, is hung up on when its time is over. */
START_TEST(slow_peers)
{
    int silent = peer("", 0), deaf = peer("big\n", 4);
    int64_t late = clock_ms() + 6000;
    struct pollfd polls[CONTROL_POLLS];
    char byte;

    serve(3);
    ck_assert_uint_eq(control_polls(control, polls), 3);
    ck_assert(control_due(control) > 0 && control_due(control) < late);
    control_serve(control, late);
    ck_assert_uint_eq(control_polls(control, polls), 1);
    ck_assert_int_eq(control_due(control), -1);
    ck_assert_int_le(recv(silent, &byte, 1, 0), 0);
    close(silent);
    close(deaf);
}
END_TEST

START_TEST(a_big_answer_goes_out_in_parts)
{
    int fd = peer("big\n", 4);
    size_t all = 0;
    char text[65536];

    for (int i = 0; i < 10000; i++) {
        ssize_t n;

        serve(1);
        n = recv(fd, text, sizeof text, 0);
        if (n == 0)
            break;
        all += n > 0 ? (size_t)n : 0;
    }
    ck_assert_uint_eq(all, 5000003);
    close(fd);
}
END_TEST

/* More than there are places: those that wait are served when others have gone. */
START_TEST(many_peers)
{
    int idle[CONTROL_PEERS], fd;
    struct pollfd polls[CONTROL_POLLS];
    bool ended;

    for (int i = 0; i < CONTROL_PEERS; i++)
        idle[i] = peer("", 0);
    fd = peer("echo x\n", 7);
    serve(3);
    ck_assert_uint_eq(control_polls(control, polls),
                      CONTROL_PEERS); /* not the socket: nobody could be let in */
    ck_assert_str_eq(heard(fd, &ended), "");
    close(idle[5]);
    serve(3);
    ck_assert_str_eq(heard(fd, &ended), "ok\nx");
    for (int i = 0; i < CONTROL_PEERS; i++)
        if (i != 5)
            close(idle[i]);
    close(fd);
    serve(2);
    ck_assert_uint_eq(control_polls(control, polls), 1);
}
END_TEST

/* Who asks while a reload is under way is told of the next one. */
START_TEST(reloads)
{
    int first = peer("reload\n", 7), second, gone = peer("reload\n", 7);
    bool ended;

    serve(2);
    control_reload_begins(control);
    second = peer("reload\n", 7);
    close(gone);
    serve(2);
    control_reload_ends(control, NULL, "done");
    serve(2);
    ck_assert_str_eq(heard(first, &ended), "ok\ndone");
    ck_assert_str_eq(heard(second, &ended), "");
    ck_assert(!ended);
    control_reload_begins(control);
    control_reload_ends(control, "bad", NULL);
    serve(2);
    ck_assert_str_eq(heard(second, &ended), "error\nbad");
    ck_assert(ended);
    control_reload_begins(NULL);
    control_reload_ends(NULL, "no socket", NULL);
    close(first);
    close(second);
}
END_TEST

START_TEST(until_the_end)
{
    int fd = peer("stop\n", 5);
    bool ended;

    serve(3);
    control_serve(control, clock_ms() + 1000000);
    ck_assert_str_eq(heard(fd, &ended), "ok\nstop");
    ck_assert(!ended);
    control_close(&control);
    ck_assert_str_eq(heard(fd, &ended), "");
    ck_assert(ended);
    close(fd);
}
END_TEST

/* Any bytes, cut anywhere, from peers that come and go: it never does more than answer. */
START_TEST(garbage)
{
    unsigned seed = 1;
    struct pollfd polls[CONTROL_POLLS];

    for (int i = 0; i < 3000; i++) {
        char text[600];
        size_t length = (size_t)rand_r(&seed) % sizeof text;
        bool ended;
        int fd;

        for (size_t j = 0; j < length; j++)
            text[j] = (char)(rand_r(&seed) % (i % 2 == 0 ? 256 : 100));
        if (i % 5 == 0 && length > 8)
            memcpy(text, "reload\n", 7);
        fd = peer(text, length);
        serve(1 + i % 3);
        if (i % 2 == 0)
            heard(fd, &ended);
        close(fd);
        serve(i % 2);
    }
    serve(3);
    ck_assert_uint_eq(control_polls(control, polls), 1);
}
END_TEST

/* ------------------------------------------------------------------ the file */

static mode_t
mode_of(const char *name)
{
    struct stat status;

    return stat(name, &status) == 0 ? status.st_mode & 07777 : 0;
}

START_TEST(the_file)
{
    struct control *second;

    ck_assert_int_eq(mode_of(path), 0600);
    ck_assert_int_eq(mode_of(path_of("control")), 0755);
    /* One that comes later takes the name; the first leaves it alone when it goes. */
    second = control_open(&config, &commands, reason, sizeof reason);
    ck_assert_ptr_nonnull(second);
    control_close(&control);
    ck_assert_int_eq(mode_of(path), 0600);
    control_close(&second);
    ck_assert_int_eq(mode_of(path), 0);
    config.control.group = some_group;
    config.control.gid = getegid();
    control = control_open(&config, &commands, reason, sizeof reason);
    ck_assert_ptr_nonnull(control);
    ck_assert_int_eq(mode_of(path), 0660);
}
END_TEST

/* A reload may name another place: who waits there for its outcome is still told. */
START_TEST(the_file_moves)
{
    char *other = strdup(path_of("other/socket"));
    int fd = peer("reload\n", 7);
    bool ended;

    serve(2);
    ck_assert(control_move(control, &config, reason, sizeof reason));
    ck_assert_int_eq(mode_of(path), 0600);
    config.control.socket = other;
    ck_assert(control_move(control, &config, reason, sizeof reason));
    ck_assert_int_eq(mode_of(path), 0);
    ck_assert_int_eq(mode_of(other), 0600);
    control_reload_begins(control);
    control_reload_ends(control, NULL, "moved");
    serve(2);
    ck_assert_str_eq(heard(fd, &ended), "ok\nmoved");
    close(fd);
    config.control.socket = (char *)(size_t) "/no/such/socket";
    ck_assert(!control_move(control, &config, reason, sizeof reason));
    ck_assert_int_eq(mode_of(other), 0600);
    config.control.socket = path;
    free(other);
}
END_TEST

START_TEST(places_that_are_refused)
{
    char link[PATH_MAX + 16], other[PATH_MAX + 128];

    ck_assert_int_eq(chmod(path_of("control"), 0777), 0);
    ck_assert_ptr_null(control_open(&config, &commands, reason, sizeof reason));
    ck_assert_ptr_nonnull(strstr(reason, "nobody else may write it"));
    ck_assert_int_eq(chmod(path_of("control"), 0755), 0);
    snprintf(link, sizeof link, "%s/link", directory);
    ck_assert_int_eq(symlink(path_of("control"), link), 0);
    snprintf(other, sizeof other, "%s/socket", link);
    config.control.socket = other;
    ck_assert_ptr_null(control_open(&config, &commands, reason, sizeof reason));
    snprintf(other, sizeof other, "%s/no/such/socket", directory);
    ck_assert_ptr_null(control_open(&config, &commands, reason, sizeof reason));
    ck_assert_ptr_nonnull(strstr(reason, "No such file"));
    snprintf(other, sizeof other, "%s/control/%0100d", directory, 1);
    ck_assert_ptr_null(control_open(&config, &commands, reason, sizeof reason));
    ck_assert_ptr_nonnull(strstr(reason, "from 1 to 75 bytes"));
}
END_TEST

static Suite *
suite(void)
{
    Suite *suite = suite_create("control");
    TCase *tests = tcase_create("control");

    tcase_add_checked_fixture(tests, begin, finish);
    tcase_add_loop_test(tests, a_line_is_answered, 0, sizeof lines / sizeof lines[0]);
    tcase_add_test(tests, a_line_may_come_in_pieces);
    tcase_add_test(tests, too_long_a_line);
    tcase_add_test(tests, slow_peers);
    tcase_add_test(tests, a_big_answer_goes_out_in_parts);
    tcase_add_test(tests, many_peers);
    tcase_add_test(tests, reloads);
    tcase_add_test(tests, until_the_end);
    tcase_add_test(tests, garbage);
    tcase_add_test(tests, the_file);
    tcase_add_test(tests, the_file_moves);
    tcase_add_test(tests, places_that_are_refused);
    suite_add_tcase(suite, tests);
    return suite;
}

UNIT_MAIN(suite)
