/*
 * What a worker does about handlers that harm the process they run in: it notes on the scoreboard which thread was at what, and why, before the
 * process ends, so that the master's log can tell (scoreboard_describe). In a worker only, where the functions say in which thread.
 */
#ifndef DOIPD_GUARD_H
#define DOIPD_GUARD_H

#include "scoreboard.h"

enum { GUARD_WORDS = SCORE_WORDS };

/* Control thread, before handlers are loaded: fatal signals note the thread that took them. */
void guard_begin(struct score_worker *score);

/* Control thread, when handlers are open: exit() by anybody else is noticed, and so are copies of the process. */
void guard_exits(void);

/* A thread of the worker's own: its part of the scoreboard. Until guard_thread_end(), a handler that ends it ends the worker. */
void guard_thread(int thread);
void guard_thread_end(void);

/* After each call of a handler: ends the process where that is a copy which the handler has forked. */
void guard_returned(const char *handler);

/* Any thread: ends the process at once; the log tells why, and what the calling thread or else the latest call was at. */
_Noreturn void guard_end_worker(const char *why);

/* Control thread: the process ends of itself, by exit() or _exit() right after. */
void guard_done(void);

#endif
