/*
 * The users of the service: read with the configuration in the master, only looked up afterwards, in any thread of a worker.
 */
#ifndef DOIPD_USERS_H
#define DOIPD_USERS_H

#include <jansson.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>

struct user {
    char *id;            /* who the client is, once it has proven to be this user */
    char *name;          /* another name for `authentication`; NULL: none */
    char *password_hash; /* of crypt(3); NULL: no password */
    char *key_path;      /* absolute; NULL: no key */
    EVP_PKEY *key;       /* the public one in there */
    json_t *groups;      /* array of strings; NULL: none */
    char **may_act_as;   /* shell patterns for ids, NULL-ended; NULL: nobody */
    bool enabled;
    char *where; /* "file:line" */
};

struct user_list {
    struct user *items;
    size_t count;
    size_t room;
    size_t own; /* the first so many are in the configuration itself, the others in users_files */
};

/* The user with that id; or that id or name. NULL: there is none. */
const struct user *users_find_id(const struct user_list *users, const char *id);
const struct user *users_find(const struct user_list *users, const char *id_or_name);

/* A hash that costs what a real user's costs, for the password of one who is none; NULL where no user has a password. */
const char *users_decoy(const struct user_list *users);

/* True when the user may act as that client. */
bool user_may_act_as(const struct user *user, const char *client);

/* The first file that holds a password hash and that everybody on this host may read, as a warning's text; false for none. */
bool users_exposed(const struct user_list *users, char *warning, size_t size);

/* Wipes and frees all. */
void users_free(struct user_list *users);

#endif
