/*
 * What blobs.c, stage.c and stage_bytes.c, which are behind blobs.h, share. Beside them, only the
 * tool (tool/) includes it.
 */
#ifndef STORE_BLOBS_IMPL_H
#define STORE_BLOBS_IMPL_H

#include <openssl/evp.h>
#include <stdatomic.h>
#include <time.h>

#include "blobs.h"
#include "relay.h"

struct blobs {
    int root;
    int incoming;
    int elements;
    atomic_bool durable[256]; /* elements/ab is known to be on disk */
    atomic_bool untidy;
    time_t opened; /* by blobs_clock() */
};

/* Of the element at hand: until the relay ends, its thread has what is marked so. */
struct stage {
    struct blobs *blobs;
    char name[33];
    int directory;
    int data;            /* -1 between elements */
    struct relay *relay; /* NULL: no element yet */
    uint64_t length;     /* the relay's */
    uint64_t behind;     /* the relay's: so much the kernel was told to write */
    EVP_MD_CTX *digest;  /* the relay's */
    struct failure why;  /* the relay's: what it failed of */
    bool deferred;       /* what comes in is synced by stage_sync() */
};

/* errno in words; returns REPOSITORY_FAILED. */
int stage_fail(struct failure *failure, const char *what);

enum { BLOB_PATH = 2 + 1 + 64 + 1 };

/* Its place below elements/. */
void blob_path(const struct blob *blob, char path[BLOB_PATH]);
/* Two hexadecimal digits for each byte. */
void blobs_digits(char *text, const unsigned char *bytes, size_t size);
/* 32 random digits; false with errno. */
bool blobs_random(char name[33]);
/* Seconds that no clock setting changes. */
time_t blobs_clock(void);
/* Each false with errno. */
bool blobs_sync_directory(int base, const char *path);
bool blobs_directory(struct blobs *blobs, const struct blob *blob);

#endif
