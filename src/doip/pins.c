/*
 * The file of services whose keys were pinned on first use. Called by trust.c. Several `doip` may
 * run at once: the file is only ever replaced whole, by one process at a time that holds the lock
 * beside it, so readers need none.
 */
#include "pins.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PINS_PATH_MAX = 4096 };

const char *
pins_path(char *path, size_t size)
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    struct passwd *user;
    int length;

    if (state != NULL && state[0] == '/') {
        length = snprintf(path, size, "%s/doip/known_services", state);
    } else {
        if (home == NULL || home[0] != '/') {
            user = getpwuid(getuid());
            home = user != NULL ? user->pw_dir : NULL;
        }
        if (home == NULL)
            return NULL;
        length = snprintf(path, size, "%s/.local/state/doip/known_services", home);
    }
    return length > 0 && (size_t)length < size ? path : NULL;
}

/* ------------------------------------------------------------------ looking */

/* One line: 1 where it is about host and port (known[] is set), 0 where not, -1 where it is no line
 * of ours. */
static int
pins_line(const char *line, const char *host, int port, char known[65])
{
    char name[256], pin[65], rest;
    int number;

    if (line[0] == '#' || line[strspn(line, " \t\n")] == '\0')
        return 0;
    /* NOLINTNEXTLINE(cert-err34-c): five digits always fit */
    if (sscanf(line, "%255s %5d %64[0-9a-f] %c", name, &number, pin, &rest) != 3 ||
        strlen(pin) != 64)
        return -1;
    if (number != port || strcasecmp(name, host) != 0)
        return 0;
    memcpy(known, pin, sizeof(pin));
    return 1;
}

/* A line that can't be read may have been about this very service: better to stop than to trust
 * anew. */
static pins_answer
pins_search(FILE *file, const char *path, const char *host, int port, char known[65], char *reason,
            size_t size)
{
    char line[1024];
    unsigned int number = 0;
    int found = 0;

    while (found == 0 && fgets(line, sizeof(line), file) != NULL) {
        number++;
        found = pins_line(line, host, port, known);
    }
    if (found < 0 || ferror(file)) {
        snprintf(reason, size, "%s:%u: not a line of HOST PORT PIN", path, number);
        return PINS_FAILED;
    }
    return found > 0 ? PINS_KNOWN : PINS_NEW;
}

static pins_answer
pins_look(const char *path, const char *host, int port, const char *pin, char known[65],
          char *reason, size_t size)
{
    FILE *file = fopen(path, "re");
    pins_answer answer;

    if (file == NULL && errno == ENOENT)
        return PINS_NEW;
    if (file == NULL) {
        snprintf(reason, size, "cannot read %s: %s", path, strerror(errno));
        return PINS_FAILED;
    }
    answer = pins_search(file, path, host, port, known, reason, size);
    fclose(file);
    return answer == PINS_KNOWN && strcmp(known, pin) != 0 ? PINS_CHANGED : answer;
}

/* ------------------------------------------------------------------ adding */

static bool
pins_make_directories(const char *path)
{
    char part[PINS_PATH_MAX];

    for (const char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
        if (mkdir(part, 0700) < 0 && errno != EEXIST)
            return false;
    }
    return true;
}

/* The lock lies beside the file, because the file itself is replaced. Closing it unlocks. */
static int
pins_lock(const char *path)
{
    char name[PINS_PATH_MAX + 8];
    int fd;

    snprintf(name, sizeof(name), "%s.lock", path);
    fd = open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* What was there, and a newline where an editor left none. */
static bool
pins_copy(const char *path, FILE *out)
{
    FILE *in = fopen(path, "re");
    int byte, last = '\n';

    if (in == NULL)
        return errno == ENOENT;
    while ((byte = getc(in)) != EOF)
        last = putc(byte, out);
    if (last != '\n')
        putc('\n', out);
    byte = ferror(in);
    fclose(in);
    return byte == 0;
}

static bool
pins_write(int fd, const char *path, const char *host, int port, const char *pin)
{
    FILE *out = fdopen(fd, "w");
    bool done;

    if (out == NULL) {
        close(fd);
        return false;
    }
    done = pins_copy(path, out);
    fprintf(out, "%s %d %s\n", host, port, pin);
    done = fflush(out) == 0 && !ferror(out) && fsync(fd) == 0 && done;
    return fclose(out) == 0 && done;
}

static bool
pins_add(const char *path, const char *host, int port, const char *pin)
{
    char name[PINS_PATH_MAX + 8];
    int fd;

    snprintf(name, sizeof(name), "%s.XXXXXX", path);
    fd = mkostemp(name, O_CLOEXEC); /* O_EXCL and mode 0600 */
    if (fd < 0)
        return false;
    if (pins_write(fd, path, host, port, pin) && rename(name, path) == 0)
        return true;
    unlink(name);
    return false;
}

pins_answer
pins_check(const char *path, const char *host, int port, const char *pin, char known[65],
           char *reason, size_t size)
{
    pins_answer answer = pins_look(path, host, port, pin, known, reason, size);
    int lock;

    if (answer != PINS_NEW)
        return answer;
    lock = strlen(path) < PINS_PATH_MAX && pins_make_directories(path) ? pins_lock(path) : -1;
    if (lock >= 0) {
        /* Another process may have added it, and another key, meanwhile. */
        answer = pins_look(path, host, port, pin, known, reason, size);
        if (answer == PINS_NEW && pins_add(path, host, port, pin)) {
            close(lock);
            return PINS_NEW;
        }
    }
    if (answer == PINS_NEW) {
        snprintf(reason, size, "cannot write %s: %s", path, strerror(errno));
        answer = PINS_FAILED;
    }
    if (lock >= 0)
        close(lock);
    return answer;
}
