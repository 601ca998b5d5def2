/*
 * Files that appear under their name only when they are complete.
 */
#ifndef CLIENT_PARTIAL_H
#define CLIENT_PARTIAL_H

#include <stdbool.h>
#include <stddef.h>

typedef struct partial partial;

/* A nameless (or, where the file system knows no such thing, hidden) new file in `directory`; NULL
 * with the reason. */
partial *partial_new(const char *directory, char *reason, size_t size);
int partial_fd(const partial *file);

/* Gives it its name in that directory; `replace`: also where there is a file of that name. False
 * with the reason. */
bool partial_publish(partial *file, const char *name, bool replace, char *reason, size_t size);

/* Takes a name away that partial_publish() gave. */
void partial_unpublish(partial *file, const char *name);

/* Closes; what was not published is gone. */
void partial_free(partial **file);

#endif
