/*
 * The channel between the master and one worker: a SOCK_SEQPACKET pair, one small message each way at a time. When the master's end
 * closes, the worker drains and ends; when the worker's closes, it has died.
 */
#ifndef DOIPD_CHANNEL_H
#define DOIPD_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>

enum channel_kind {
    CHANNEL_NONE = 0,      /* nothing there now */
    CHANNEL_CLOSED = 'X',  /* the other side is gone */
    CHANNEL_READY = 'R',   /* worker: could serve */
    CHANNEL_FAILED = 'F',  /* worker: can't serve, and why */
    CHANNEL_LEAVING = 'L', /* worker: retires of itself, and wants to be replaced */
    CHANNEL_SERVE = 'S',   /* master: accept connections */
    CHANNEL_RETIRE = 'D',  /* master: stop accepting, serve what is there, end */
    CHANNEL_END = 'E',     /* master: the same, and soon: nobody accepts meanwhile */
    CHANNEL_STOP = 'Q',    /* master: end now */
    CHANNEL_LOG_LEVEL = 'V', /* master: log from this level on, by its name */
    CHANNEL_ASK = 'P',     /* master: are you alive? */
    CHANNEL_ALIVE = 'A',   /* worker: yes */
};

enum { CHANNEL_TEXT = 2048 };

/* A pair, both ends non-blocking and close-on-exec. False with errno. */
bool channel_open(int *master, int *worker);

/* Sends a message with a text (cut to CHANNEL_TEXT). False when the other side is gone. */
bool channel_send(int fd, enum channel_kind kind, const char *text);

/* Takes the next message; `text` has room for CHANNEL_TEXT bytes and is NUL-terminated. */
enum channel_kind channel_receive(int fd, char *text);

#endif
