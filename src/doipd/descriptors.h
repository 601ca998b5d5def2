/*
 * The descriptors that a worker lives by. A handler that closes what is not its own (a double close is enough) makes numbers be given
 * again that somebody here still uses, and then answers go to others, or nowhere. That is found out by three signs: a new socket has a
 * number that is still in use; the kernel refuses a descriptor; a look now and then finds another file behind one. The worker then
 * ends at once, since nothing it has can be trusted. In a worker only; of one process.
 */
#ifndef DOIPD_DESCRIPTORS_H
#define DOIPD_DESCRIPTORS_H

#include <stdbool.h>

/* Control thread, before the others. False: no memory. */
bool descriptors_begin(void);

/*
 * Control thread: one that only the worker may close (-1: none); and one that it is about to close. Not those of libraries, which may close
 * theirs whenever they like.
 */
void descriptors_keep(int fd);
void descriptors_drop(int fd);

/* Any thread: a connection's socket that was just accepted; and one that is about to be closed. */
void descriptors_take(int fd);
void descriptors_give_back(int fd);

/* Any thread: ends the worker, since the kernel says that this is not (or no longer) what it should be. */
_Noreturn void descriptors_lost(int fd);

/* Any thread: does not return where a socket is no longer one. */
void descriptors_check_socket(int fd);

/* Control thread: looks at those that are kept, but not at connections. Does not return where another file is behind one. */
void descriptors_look(void);

/* In a child that a handler has forked: closes the sockets of the worker, or they would outlive it there. Async-signal-safe. */
void descriptors_close_copies(void);

#endif
