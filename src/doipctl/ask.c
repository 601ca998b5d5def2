/*
 * The client's end of the control socket: see ask.h.
 */
#include "ask.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_FIRST = 64 * 1024, ANSWER_MOST = 64 * 1024 * 1024 };

static bool
complain(char *reason, size_t size, const char *path, const char *what)
{
    snprintf(reason, size, "%s: %s", path, what);
    return false;
}

/* A path that is too long for an address is reached through its directory. */
static bool
make_address(const char *path, struct sockaddr_un *address, int *directory)
{
    const char *slash = strrchr(path, '/');
    char folder[4096];
    int length = snprintf(address->sun_path, sizeof address->sun_path, "%s", path);

    *directory = -1;
    if (length < (int)sizeof address->sun_path || slash == NULL)
        return length < (int)sizeof address->sun_path;
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
    *directory = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    length = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s",
                      *directory, slash + 1);
    return *directory >= 0 && length < (int)sizeof address->sun_path;
}

static int
connect_to(const char *path, char *reason, size_t size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int directory, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected;

    errno = ENAMETOOLONG;
    connected = make_address(path, &address, &directory) &&
                connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (!connected)
        complain(reason, size, path,
                 errno == ENOENT || errno == ECONNREFUSED
                     ? "no doipd is served there; does it run with this configuration?"
                     : strerror(errno));
    if (directory >= 0)
        close(directory);
    if (connected)
        return fd;
    close(fd);
    return -1;
}

/* Whoever can write the directory above the socket's could have put one of his own there: the kernel knows who serves it. */
static bool
is_believed(const struct place *place, int fd)
{
    const struct passwd *user = place->user != NULL ? getpwnam(place->user) : NULL;
    struct ucred server;
    socklen_t length = sizeof server;

    return place->any_server || (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &server, &length) == 0 &&
                                 (server.uid == 0 || server.uid == geteuid() ||
                                  (user != NULL && server.uid == user->pw_uid)));
}

static bool
read_all(int fd, struct answer *answer)
{
    size_t room = 0;

    *answer = (struct answer){.text = NULL};
    for (;;) {
        ssize_t n;

        if (room - answer->length < 4096) {
            char *grown;

            room = room == 0 ? ANSWER_FIRST : room * 2;
            grown = room > ANSWER_MOST ? NULL : realloc(answer->text, room);
            if (grown == NULL)
                return false;
            answer->text = grown;
        }
        n = read(fd, answer->text + answer->length, room - answer->length - 1);
        if (n == 0 || (n < 0 && errno == ECONNRESET))
            break; /* the service did not read all that was sent */
        if (n < 0 && errno != EINTR)
            return false;
        answer->length += n > 0 ? (size_t)n : 0;
    }
    answer->text[answer->length] = '\0';
    return true;
}

/* Takes the head off: "ok\n" or "error\n". */
static bool
understand(struct answer *answer)
{
    size_t head;

    answer->good = strncmp(answer->text, "ok\n", 3) == 0;
    if (!answer->good && strncmp(answer->text, "error\n", 6) != 0)
        return false;
    head = answer->good ? 3 : 6;
    answer->length -= head;
    memmove(answer->text, answer->text + head, answer->length + 1);
    return true;
}

/* Who may not ask is told so before the line was read, and it may not even be sent by then: what counts is the answer. */
static bool
exchange(int fd, const char *line, struct answer *answer)
{
    if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0 && errno != EPIPE)
        return false;
    return read_all(fd, answer) && understand(answer);
}

bool
ask(const struct place *place, const char *line, struct answer *answer, char *reason, size_t size)
{
    int fd = connect_to(place->path, reason, size);
    bool done = false;

    answer->text = NULL;
    if (fd < 0)
        return false;
    if (!is_believed(place, fd))
        complain(reason, size, place->path,
                 "it is served by neither root nor the configured user nor you; name it with -s to "
                 "use it all the same");
    else if (!exchange(fd, line, answer))
        complain(reason, size, place->path, "the service hung up without an answer");
    else
        done = true;
    close(fd);
    return done;
}
