/*
 * The control socket as a file: made so that nobody can put another in its place or slip in before its rights are set, and who is at the other
 * end. Internal to control.c; master.
 */
#ifndef DOIPD_CONTROL_SOCKET_H
#define DOIPD_CONTROL_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>

#include "config.h"

struct control_socket {
    int fd; /* listens */
    int directory;
    char name[80]; /* in there */
    dev_t device;
    ino_t inode;
};

/* Makes it under the configured path, in place of one that a doipd left there. False with the reason. */
bool control_socket_open(struct control_socket *made, const struct config *config, char *reason,
                         size_t size);
/* Removes it where nobody has put another there since. */
void control_socket_close(struct control_socket *made);

/* True for root, the master's own user, and members of the group (if `has_group`). */
bool control_socket_permits(int fd, bool has_group, gid_t group);

#endif
