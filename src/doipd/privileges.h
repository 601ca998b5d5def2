/*
 * All changes of privilege: what the master prepares while it may, and what a worker gives up before it loads a handler.
 */
#ifndef DOIPD_PRIVILEGES_H
#define DOIPD_PRIVILEGES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "config.h"

/* Who the workers run as. */
struct account {
    bool change; /* started as root: ids are to be set */
    uid_t uid;
    gid_t gid;
    char name[64];
    bool stand_in; /* not the default user, who does not exist, but nobody */
};

/* Finds the account for `user`. False with the reason and what to do. */
bool account_find(const struct config *config, struct account *account, char *reason, size_t size);

/* Makes the state directory where it is missing, the workers' own; raises the limit on descriptors to what is configured. */
bool privileges_prepare(const struct config *config, const struct account *account, char *reason, size_t size);

/* In the master, once, before anything else: started as root, it keeps the capabilities that it needs and no others. False with the reason. */
bool privileges_keep_needed(char *reason, size_t size);

/* In a worker (or a check's child): becomes that account for good. */
bool privileges_drop(const struct account *account, char *reason, size_t size);

#endif
