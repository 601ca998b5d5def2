/*
 * The control socket: a Unix socket of root's, the master's user's and perhaps one group's, over which doipctl(8) asks and commands. The master serves it
 * between its other work, so nobody there may hold it up: every peer has a buffer of fixed size for its one line, a deadline, and gets an
 * answer that waits in memory for it. Master only; one thread.
 *
 * A peer sends one line, `COMMAND` or `COMMAND ARGUMENT`, and gets "ok\n" and a body, or "error\n" and the reason; then it is hung up on.
 */
#ifndef DOIPD_CONTROL_H
#define DOIPD_CONTROL_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"

enum { CONTROL_PEERS = 16, CONTROL_POLLS = CONTROL_PEERS + 1, CONTROL_LINE = 256 };

/* What to do with a peer when its command was heard. */
enum control_reply {
    CONTROL_DONE,         /* give it the answer */
    CONTROL_REFUSED,      /* the same; it is the reason why not */
    CONTROL_AFTER_RELOAD, /* tell it how the next reload went */
    CONTROL_UNTIL_END,    /* give it the answer, and hang up only at the service's end */
};

/* An answer in the making. */
struct control_answer {
    char *text; /* malloc'd, taken over; NULL: empty (of a refusal: out of memory) */
    size_t length;
};

struct control_commands {
    void *context;
    /* Carries out a command; `argument` is "" where there is none. */
    enum control_reply (*run)(void *context, const char *command, const char *argument,
                              struct control_answer *answer);
};

struct control;

/* Opens the socket that the configuration names; NULL with the reason. */
struct control *control_open(const struct config *config, const struct control_commands *commands,
                             char *reason, size_t size);
/* Hangs up on everybody, and removes the socket if it is still this one. NULL is fine. */
void control_close(struct control **control);
/* In a forked worker: closes what is the master's. */
void control_forget(void);

/* After a reload: where the configuration wants the socket elsewhere or for others, makes that one and removes the old; peers stay. False with the
 * reason: the old one stays. */
bool control_move(struct control *control, const struct config *config, char *reason, size_t size);

/* What to wait for: fills `polls` (CONTROL_POLLS of them), gives their number; the time (monotonic ms) of the next deadline, -1 for none. */
size_t control_polls(const struct control *control, struct pollfd *polls);
int64_t control_due(const struct control *control);
/* Moves everybody one step further, and hangs up on those that are late. Waits for nobody. */
void control_serve(struct control *control, int64_t now);

/* A reload begins that those who asked for one so far get; it has ended: `reason` why it was refused, NULL with `text` what it did. */
void control_reload_begins(struct control *control);
void control_reload_ends(struct control *control, const char *reason, const char *text);

#endif
