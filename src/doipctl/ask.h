/*
 * Asking the service: one command over its control socket.
 */
#ifndef DOIPCTL_ASK_H
#define DOIPCTL_ASK_H

#include <stdbool.h>
#include <stddef.h>

/* What the service said: malloc'd, NUL-terminated. */
struct answer {
    bool good; /* false: the text is why not */
    char *text;
    size_t length;
};

/* Where the service is, and who serves it. */
struct place {
    char *path;
    bool any_server; /* the caller has named the path: whoever serves it */
    char *
        user; /* the configured one: under a service manager the master is that, too; NULL: not known */
};

/*
 * Sends the line and waits for the whole answer, until the service hangs up. False with `reason` where there is no service, or none that is
 * to be believed: the socket is served by root, by the caller's own user, or as the place says.
 */
bool ask(const struct place *place, const char *line, struct answer *answer, char *reason,
         size_t size);

#endif
