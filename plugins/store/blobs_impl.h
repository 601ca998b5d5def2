/*
 * What blobs.c and stage.c, the two halves behind blobs.h, share. Beside them, only the
 * tool (tool/) includes it.
 */
#ifndef STORE_BLOBS_IMPL_H
#define STORE_BLOBS_IMPL_H

#include <stdatomic.h>
#include <time.h>

#include "blobs.h"

struct blobs {
    int root;
    int incoming;
    int elements;
    atomic_bool durable[256]; /* elements/ab is known to be on disk */
    atomic_bool untidy;
    time_t opened; /* by blobs_clock() */
};

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
