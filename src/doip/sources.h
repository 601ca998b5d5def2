/*
 * The files that become elements: opened before anything is sent, described in the object, and
 * streamed after it.
 */
#ifndef CLIENT_SOURCES_H
#define CLIENT_SOURCES_H

#include "session.h"

typedef struct source {
    argument_element what;
    int fd;
    int64_t length; /* -1: a pipe, whose end is not known before it comes */
} source;

typedef struct sources {
    source *items;
    size_t count;
} sources;

/* Parses and opens each ID=FILE[;type=MIME]; an exit status, with the failure said. sources_close()
 * in either case. */
int sources_open(sources *files, const option_list *arguments);
void sources_close(sources *files);

/* The `elements` of the object, a new reference; NULL after saying why. */
json_t *sources_describe(const sources *files);

/* Writes the elements' data. An exit status; EXIT_DONE with *error where the connection failed (for
 * session_answer()). */
int sources_send(const sources *files, session *to, int *error);

#endif
