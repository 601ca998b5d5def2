/*
 * Where the bytes of elements go: standard output, a device, or a file that appears when it is
 * complete.
 */
#ifndef CLIENT_SINK_H
#define CLIENT_SINK_H

#include "partial.h"
#include "session.h"

typedef struct sink {
    char *path;           /* of the file, NULL for standard output */
    partial *file;        /* NULL for standard output and devices */
    int fd;               /* of a device, -1 for none */
    bool terminal;        /* standard output is one: control characters are shown, not sent */
    unsigned char cut[4]; /* the begun character that the last piece ended with */
    size_t cut_length;
} sink;

/* Functions that return an int give an exit status; what went wrong has been said then. */

/* `output`: a path, replaced when all is there; NULL or "-" for standard output. */
int sink_open(sink *to, const char *output);
/* Receives the current bytes segment; `total` (-1: unknown) is for the progress bar. */
int sink_receive(sink *to, session *from, doip_message *message, const char *name, int64_t total);
/* All is there. */
int sink_commit(sink *to);
/* Without sink_commit() before, the file never was. */
void sink_close(sink *to);

/* All of `data`; false with errno. */
bool sink_write_all(int fd, const void *data, size_t size);
/* Receives the current bytes segment into a descriptor. */
int sink_receive_fd(int fd, const char *path, session *from, doip_message *message,
                    const char *name, int64_t total);

#endif
