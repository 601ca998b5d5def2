/*
 * What every file of the command `doip` shares: its exit statuses and its voice. A single process
 * and thread.
 */
#ifndef CLIENT_DOIP_H
#define CLIENT_DOIP_H

#include <stdbool.h>
#include <stddef.h>

enum {
    EXIT_DONE = 0,
    EXIT_REFUSED = 1, /* the service said no */
    EXIT_USAGE = 2,   /* wrong arguments, or a local file that can't be read or written */
    EXIT_BROKEN = 3,  /* no connection, wrong certificate, or broken stream */
};

/* Room for a reason in words. */
enum { REASON_MAX = 1024 };

/* "doip: ..." on stderr, with control characters escaped. Returns `status`, so that a failure is
 * said and returned in one line. */
int complain(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
