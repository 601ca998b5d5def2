/*
 * `doipd --hash-password`: see hash_password.h.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "hash_password.h"
#include "master.h"
#include "password.h"

enum { LINE_SIZE = 1024 };

/* Reads a line without its end, byte by byte: stdio would keep a copy. False at the end of the input or for too long a line. */
static bool
read_line(char *line)
{
    size_t used = 0;

    while (used < LINE_SIZE) {
        ssize_t n = read(STDIN_FILENO, &line[used], 1);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || (n == 0 && used == 0))
            return false;
        if (n == 0 || line[used] == '\n') {
            line[used] = '\0';
            if (used > 0 && line[used - 1] == '\r')
                line[used - 1] = '\0';
            return true;
        }
        used++;
    }
    return false;
}

static bool
ask(const char *prompt, char *line)
{
    bool got;

    fputs(prompt, stderr);
    got = read_line(line);
    fputc('\n', stderr);
    return got;
}

/* Without echo; signals that would leave the terminal so come when that is over. */
static bool
ask_twice(char *line, char *again)
{
    struct termios before, quiet;
    sigset_t held, mask;
    bool got;

    if (tcgetattr(STDIN_FILENO, &before) < 0)
        return false;
    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGQUIT);
    sigaddset(&held, SIGTSTP);
    sigprocmask(SIG_BLOCK, &held, &mask);
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    got = ask("Password: ", line) && ask("Again: ", again);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    return got;
}

static bool
read_password(char *line, const char **why)
{
    char again[LINE_SIZE] = "";
    bool terminal = isatty(STDIN_FILENO) == 1;
    bool got = terminal ? ask_twice(line, again) : read_line(line);

    *why = NULL;
    if (!got)
        *why = "no password on standard input, or one over 511 bytes";
    else if (terminal && strcmp(line, again) != 0)
        *why = "these are two different passwords";
    else if (line[0] == '\0')
        *why = "an empty password protects nothing";
    explicit_bzero(again, sizeof again);
    return *why == NULL;
}

int
hash_password_run(void)
{
    char line[LINE_SIZE] = "", reason[256] = "", *hash = NULL;
    const char *why;

    if (read_password(line, &why))
        hash = password_hash_make(line, reason, sizeof reason);
    explicit_bzero(line, sizeof line);
    if (hash == NULL) {
        fprintf(stderr, "doipd: %s\n", why != NULL ? why : reason);
        return EXIT_BAD;
    }
    printf("%s\n", hash);
    free(hash);
    return EXIT_GOOD;
}
