/*
 * The users: see users.h. Pure look-ups in any thread; what touches files runs in the master.
 */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "users.h"

const struct user *
users_find_id(const struct user_list *users, const char *id)
{
    for (size_t i = 0; i < users->count; i++)
        if (strcmp(users->items[i].id, id) == 0)
            return &users->items[i];
    return NULL;
}

const struct user *
users_find(const struct user_list *users, const char *id_or_name)
{
    for (size_t i = 0; i < users->count; i++)
        if (users->items[i].name != NULL && strcmp(users->items[i].name, id_or_name) == 0)
            return &users->items[i];
    return users_find_id(users, id_or_name);
}

const char *
users_decoy(const struct user_list *users)
{
    for (size_t i = 0; i < users->count; i++)
        if (users->items[i].password_hash != NULL)
            return users->items[i].password_hash;
    return NULL;
}

bool
user_may_act_as(const struct user *user, const char *client)
{
    for (char **pattern = user->may_act_as; pattern != NULL && *pattern != NULL; pattern++)
        if (fnmatch(*pattern, client, 0) == 0)
            return true;
    return false;
}

bool
users_exposed(const struct user_list *users, char *warning, size_t size)
{
    char path[4096];
    struct stat status;

    for (size_t i = 0; i < users->count; i++) {
        const struct user *user = &users->items[i];
        const char *colon = strrchr(user->where, ':');

        if (user->password_hash == NULL || colon == NULL)
            continue;
        snprintf(path, sizeof path, "%.*s", (int)(colon - user->where), user->where);
        if (stat(path, &status) < 0 || (status.st_mode & S_IROTH) == 0)
            continue;
        snprintf(warning, size,
                 "%s: everybody on this host may read this file, and it holds a password hash; "
                 "chmod o-r it",
                 user->where);
        return true;
    }
    return false;
}

static void
user_fini(struct user *user)
{
    if (user->password_hash != NULL)
        explicit_bzero(user->password_hash, strlen(user->password_hash));
    for (char **pattern = user->may_act_as; pattern != NULL && *pattern != NULL; pattern++)
        free(*pattern);
    free(user->may_act_as);
    free(user->id);
    free(user->name);
    free(user->password_hash);
    free(user->key_path);
    free(user->where);
    EVP_PKEY_free(user->key);
    json_decref(user->groups);
}

void
users_free(struct user_list *users)
{
    for (size_t i = 0; i < users->count; i++)
        user_fini(&users->items[i]);
    free(users->items);
    *users = (struct user_list){0};
}
