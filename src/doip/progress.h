/*
 * The progress of a transfer, on a terminal's stderr, once it takes long.
 */
#ifndef CLIENT_PROGRESS_H
#define CLIENT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct progress {
    const char *name; /* borrowed */
    int64_t total;    /* -1: unknown */
    int64_t done;
    int64_t begun, drawn; /* milliseconds */
    bool terminal, shown;
} progress;

/* `quiet`: never shown (the data itself goes to the terminal). */
void progress_begin(progress *bar, const char *name, int64_t total, bool quiet);
void progress_add(progress *bar, int64_t bytes);
/* Takes the bar off the terminal. */
void progress_end(progress *bar);

/* "12.3 MiB" into `text`. */
const char *progress_size(double bytes, char text[16]);

#endif
