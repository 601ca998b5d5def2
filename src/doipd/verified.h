/*
 * The passwords that were verified within the last minute, in a worker: not they themselves but a MAC of user and password under a key that
 * the worker makes when it starts and that never leaves it. A reload makes new workers, so it forgets. Any thread.
 */
#ifndef DOIPD_VERIFIED_H
#define DOIPD_VERIFIED_H

#include <openssl/evp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { VERIFIED_MAC = 32, VERIFIED_ROWS = 256, VERIFIED_PLACES = 4, VERIFIED_MS = 60000 };

struct verified {
    pthread_mutex_t lock;
    EVP_MAC_CTX *keyed; /* HMAC-SHA-256 with the key; copied for each use */
    struct {
        unsigned char mac[VERIFIED_MAC];
        int64_t until; /* ms; 0: never used */
    } places[VERIFIED_ROWS][VERIFIED_PLACES];
};

/* False: no memory or random bytes. */
bool verified_init(struct verified *verified);
void verified_fini(struct verified *verified);

/* The MAC of these three strings. False: no memory. */
bool verified_mac(const struct verified *verified, const char *user, const char *hash,
                  const char *password, unsigned char mac[VERIFIED_MAC]);

/* True when it was added within the last minute. `now`: clock_ms(). */
bool verified_knows(struct verified *verified, const unsigned char mac[VERIFIED_MAC], int64_t now);

/* Remembers it for a minute; where its row is full, in place of the oldest. */
void verified_add(struct verified *verified, const unsigned char mac[VERIFIED_MAC], int64_t now);

#endif
