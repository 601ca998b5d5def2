/*
 * The control socket: see control.h. Each peer is a small machine over one buffer in and one out; every step takes what is there and returns.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "control.h"
#include "control_socket.h"
#include "log.h"

enum {
    PATIENCE_MS = 5000, /* for a line to come, and for an answer to be taken */
    RELOAD_MS = 150000, /* for a reload, and one that was under way before it */
    REST_MS = 1000,     /* where accept() says no */
};

enum peer_state {
    PEER_NONE,
    PEER_ASKING,    /* its line comes in */
    PEER_RELOADING, /* the next reload has not begun */
    PEER_IN_RELOAD, /* it has */
    PEER_ANSWERED,  /* its answer goes out */
    PEER_HOLDING,   /* waits for the service's end */
};

struct peer {
    enum peer_state state;
    int fd;
    int64_t deadline; /* ms; -1: none */
    bool hold;        /* when the answer is out */
    char line[CONTROL_LINE];
    size_t heard;
    char *answer;
    size_t length;
    size_t sent;
};

struct control {
    struct control_commands commands;
    struct control_socket socket;
    char *path;
    char *group;
    gid_t gid;
    int64_t rest_until; /* ms; accepts nobody before */
    struct peer peers[CONTROL_PEERS];
};

/* The one there is: what a forked worker lets go of. */
static struct control *current;

/* ------------------------------------------------------------------ open and close */

/* Takes the socket of that configuration in place of the one it has. */
static bool
take_socket(struct control *control, const struct config *config, char *reason, size_t size)
{
    char *path = strdup(config->control.socket), *group = strdup(config->control.group);
    struct control_socket fresh;

    if (path == NULL || group == NULL)
        snprintf(reason, size, "control.socket: out of memory");
    if (path == NULL || group == NULL || !control_socket_open(&fresh, config, reason, size)) {
        free(path);
        free(group);
        return false;
    }
    if (control->path != NULL)
        control_socket_close(&control->socket);
    free(control->path);
    free(control->group);
    control->socket = fresh;
    control->path = path;
    control->group = group;
    control->gid = config->control.gid;
    return true;
}

struct control *
control_open(const struct config *config, const struct control_commands *commands, char *reason,
             size_t size)
{
    struct control *control = calloc(1, sizeof *control);

    if (control == NULL) {
        snprintf(reason, size, "control.socket: out of memory");
    } else if (take_socket(control, config, reason, size)) {
        control->commands = *commands;
        current = control;
        return control;
    }
    free(control);
    return NULL;
}

bool
control_move(struct control *control, const struct config *config, char *reason, size_t size)
{
    if (strcmp(control->path, config->control.socket) == 0 &&
        strcmp(control->group, config->control.group) == 0 && control->gid == config->control.gid)
        return true;
    return take_socket(control, config, reason, size);
}

static void
hang_up(struct peer *peer)
{
    if (peer->state == PEER_NONE)
        return;
    close(peer->fd);
    free(peer->answer);
    *peer = (struct peer){.state = PEER_NONE};
}

void
control_close(struct control **control)
{
    struct control *gone = *control;

    *control = NULL;
    if (gone == NULL)
        return;
    for (size_t i = 0; i < CONTROL_PEERS; i++)
        hang_up(&gone->peers[i]);
    control_socket_close(&gone->socket);
    free(gone->path);
    free(gone->group);
    if (current == gone)
        current = NULL;
    free(gone);
}

void
control_forget(void)
{
    if (current == NULL)
        return;
    close(current->socket.fd);
    close(current->socket.directory);
    for (size_t i = 0; i < CONTROL_PEERS; i++)
        if (current->peers[i].state != PEER_NONE)
            close(current->peers[i].fd);
}

/* ------------------------------------------------------------------ answers */

static void
answer(struct peer *peer, bool good, const char *text, size_t length)
{
    const char *head = good ? "ok\n" : "error\n";
    size_t before = strlen(head);

    peer->answer = malloc(before + length + 1);
    if (peer->answer == NULL) {
        hang_up(peer);
        return;
    }
    memcpy(peer->answer, head, before);
    memcpy(peer->answer + before, text, length);
    peer->length = before + length;
    peer->state = PEER_ANSWERED;
    peer->deadline = clock_ms() + PATIENCE_MS;
}

static void
refuse(struct peer *peer, const char *why)
{
    answer(peer, false, why, strlen(why));
}

static bool
is_plain(const char *line)
{
    for (; *line != '\0'; line++)
        if (*line < ' ' || *line > '~')
            return false;
    return true;
}

static void
carry_out(struct control *control, struct peer *peer)
{
    struct control_answer made = {.text = NULL};
    char *argument = strchr(peer->line, ' ');
    enum control_reply reply;

    if (!is_plain(peer->line)) {
        refuse(peer, "a command is one line of ASCII");
        return;
    }
    if (argument != NULL)
        *argument++ = '\0';
    reply = control->commands.run(control->commands.context, peer->line,
                                  argument != NULL ? argument : "", &made);
    if (reply == CONTROL_AFTER_RELOAD) {
        peer->state = PEER_RELOADING;
        peer->deadline = clock_ms() + RELOAD_MS;
    } else if (made.text == NULL && reply == CONTROL_REFUSED) {
        refuse(peer, "out of memory");
    } else {
        peer->hold = reply == CONTROL_UNTIL_END;
        answer(peer, reply != CONTROL_REFUSED, made.text != NULL ? made.text : "", made.length);
    }
    free(made.text);
}

/* ------------------------------------------------------------------ steps */

static void
hear(struct control *control, struct peer *peer)
{
    ssize_t n =
        recv(peer->fd, peer->line + peer->heard, sizeof peer->line - 1 - peer->heard, MSG_DONTWAIT);
    char *end;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        hang_up(peer);
        return;
    }
    peer->heard += (size_t)n;
    end = memchr(peer->line, '\n', peer->heard);
    if (end != NULL) {
        *end = '\0';
        carry_out(control, peer);
    } else if (peer->heard == sizeof peer->line - 1) {
        refuse(peer, "a command is one line of less than 256 bytes");
    }
}

static void
say(struct peer *peer)
{
    ssize_t n = send(peer->fd, peer->answer + peer->sent, peer->length - peer->sent,
                     MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0)
        peer->sent += (size_t)n;
    if (n >= 0 && peer->sent < peer->length)
        return;
    if (n < 0 || !peer->hold) {
        hang_up(peer);
        return;
    }
    peer->state = PEER_HOLDING;
    peer->deadline = -1;
}

/* One that only waits says nothing more: it has gone, or is none of ours. */
static void
look_for_end(struct peer *peer)
{
    char byte;
    ssize_t n = recv(peer->fd, &byte, 1, MSG_DONTWAIT);

    if (n >= 0 || (errno != EAGAIN && errno != EINTR))
        hang_up(peer);
}

static void
serve_peer(struct control *control, struct peer *peer, int64_t now)
{
    if (peer->state == PEER_ASKING)
        hear(control, peer);
    else if (peer->state == PEER_RELOADING || peer->state == PEER_IN_RELOAD ||
             peer->state == PEER_HOLDING)
        look_for_end(peer);
    if (peer->state == PEER_ANSWERED)
        say(peer);
    if (peer->state != PEER_NONE && peer->deadline >= 0 && now >= peer->deadline)
        hang_up(peer);
}

static struct peer *
free_place(struct control *control)
{
    for (size_t i = 0; i < CONTROL_PEERS; i++)
        if (control->peers[i].state == PEER_NONE)
            return &control->peers[i];
    return NULL;
}

/* Those for whom there is no place wait in the socket's queue. */
static void
let_in(struct control *control, int64_t now)
{
    struct peer *place;
    int fd = -1;

    errno = EAGAIN;
    while (now >= control->rest_until && (place = free_place(control)) != NULL &&
           (fd = accept4(control->socket.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        *place = (struct peer){.state = PEER_ASKING, .fd = fd, .deadline = now + PATIENCE_MS};
        if (!control_socket_permits(fd, control->group[0] != '\0', control->gid))
            refuse(place, "only root, the service's own user and the group control.group may ask");
    }
    if (fd < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
        control->rest_until = now + REST_MS;
}

void
control_serve(struct control *control, int64_t now)
{
    let_in(control, now);
    for (size_t i = 0; i < CONTROL_PEERS; i++)
        serve_peer(control, &control->peers[i], now);
}

size_t
control_polls(const struct control *control, struct pollfd *polls)
{
    size_t count = 0;

    for (size_t i = 0; i < CONTROL_PEERS; i++) {
        const struct peer *peer = &control->peers[i];

        if (peer->state != PEER_NONE)
            polls[count++] = (struct pollfd){
                .fd = peer->fd, .events = peer->state == PEER_ANSWERED ? POLLOUT : POLLIN};
    }
    if (count < CONTROL_PEERS && clock_ms() >= control->rest_until)
        polls[count++] = (struct pollfd){.fd = control->socket.fd, .events = POLLIN};
    return count;
}

int64_t
control_due(const struct control *control)
{
    int64_t due = clock_ms() < control->rest_until ? control->rest_until : -1;

    for (size_t i = 0; i < CONTROL_PEERS; i++) {
        const struct peer *peer = &control->peers[i];

        if (peer->state != PEER_NONE && peer->deadline >= 0 && (due < 0 || peer->deadline < due))
            due = peer->deadline;
    }
    return due;
}

/* ------------------------------------------------------------------ reloads */

void
control_reload_begins(struct control *control)
{
    for (size_t i = 0; control != NULL && i < CONTROL_PEERS; i++)
        if (control->peers[i].state == PEER_RELOADING)
            control->peers[i].state = PEER_IN_RELOAD;
}

void
control_reload_ends(struct control *control, const char *reason, const char *text)
{
    const char *said = reason != NULL ? reason : text;

    for (size_t i = 0; control != NULL && i < CONTROL_PEERS; i++)
        if (control->peers[i].state == PEER_IN_RELOAD)
            answer(&control->peers[i], reason == NULL, said, strlen(said));
}
