/*
 * Passwords and their hashes, by crypt(3) of libxcrypt. Any thread; a hashing takes some 20 ms and 16 MiB, so callers count how many run at
 * once.
 */
#ifndef DOIPD_PASSWORD_H
#define DOIPD_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>

/* True when `hash` is of a method that we take (yescrypt, scrypt, bcrypt, SHA-crypt) and whole; else what to do. */
bool password_hash_check(const char *hash, char *reason, size_t size);

/* True when that is the hash of the password. */
bool password_matches(const char *password, const char *hash);

/* A yescrypt hash with a fresh salt, malloc'd; NULL with the reason. */
char *password_hash_make(const char *password, char *reason, size_t size);

#endif
