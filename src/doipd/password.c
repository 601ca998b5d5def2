/*
 * Passwords: see password.h. What crypt_r() worked with is wiped.
 */
#include <crypt.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "password.h"

#define ALPHABET "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/* The methods that we take, and how many characters follow the last dollar sign. crypt_checksalt() knows prefixes only. */
static const struct {
    const char *prefix;
    size_t digest;
} methods[] = {
    {"$y$", 43},  {"$gy$", 43}, {"$7$", 43}, {"$2b$", 53},
    {"$2y$", 53}, {"$2a$", 53}, {"$5$", 43}, {"$6$", 86},
};

static bool
is_whole(const char *hash, size_t digest)
{
    const char *last = strrchr(hash, '$') + 1;

    return strlen(last) == digest && strspn(last, ALPHABET) == digest &&
           crypt_checksalt(hash) != CRYPT_SALT_INVALID;
}

bool
password_hash_check(const char *hash, char *reason, size_t size)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strncmp(hash, methods[i].prefix, strlen(methods[i].prefix)) != 0)
            continue;
        if (is_whole(hash, methods[i].digest))
            return true;
        snprintf(reason, size,
                 "begins as a hash but is not a whole one; make it anew by doipd --hash-password");
        return false;
    }
    snprintf(
        reason, size,
        "is no password hash of a method that is taken here; make one by doipd --hash-password");
    return false;
}

/* Hashes as `setting` (a hash, or what crypt_gensalt() made) says, into `hash`; false where that can't be. */
static bool
hash_as(const char *password, const char *setting, char hash[CRYPT_OUTPUT_SIZE])
{
    struct crypt_data *data = calloc(1, sizeof *data);
    const char *made = data != NULL ? crypt_r(password, setting, data) : NULL;
    bool good = made != NULL && made[0] != '*';

    if (good)
        snprintf(hash, CRYPT_OUTPUT_SIZE, "%s", made);
    if (data != NULL)
        explicit_bzero(data, sizeof *data);
    free(data);
    return good;
}

bool
password_matches(const char *password, const char *hash)
{
    char made[CRYPT_OUTPUT_SIZE];
    size_t length = strlen(hash);
    bool same = hash_as(password, hash, made) && strlen(made) == length &&
                CRYPTO_memcmp(made, hash, length) == 0;

    explicit_bzero(made, sizeof made);
    return same;
}

char *
password_hash_make(const char *password, char *reason, size_t size)
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE], made[CRYPT_OUTPUT_SIZE];

    if (strlen(password) >= CRYPT_MAX_PASSPHRASE_SIZE)
        snprintf(reason, size, "a password has at most %d bytes", CRYPT_MAX_PASSPHRASE_SIZE - 1);
    else if (crypt_gensalt_rn("$y$", 0, NULL, 0, setting, (int)sizeof setting) == NULL ||
             !hash_as(password, setting, made))
        snprintf(reason, size, "can't make a yescrypt hash: %s", strerror(errno));
    else
        return strdup(made);
    return NULL;
}
