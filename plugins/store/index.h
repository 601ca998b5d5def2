/*
 * The index: what makes objects findable. It is derived from the catalog and never part of a
 * change: a database of its own, index.db, that follows what was committed, and that is filled anew
 * where it is missing, damaged, foreign, or of another version. repository.c opens it, results.c
 * asks it, and whoever has changed something wakes it. Thread-safe.
 *
 * A thread of each worker process keeps it current; one process at a time does the work
 * (index.lock). A search does not wait for that thread: it takes in itself what is missing. Nothing
 * here ever holds the catalog's write lock for longer than to forget what was taken in.
 */
#ifndef STORE_INDEX_H
#define STORE_INDEX_H

#include "blobs.h"
#include "database.h"

struct index;

/* No element is taken in whose text is larger, whatever is configured. */
#define INDEX_TEXT_MOST (INT64_C(16) << 20)

/* The index beside the catalog in the directory `root`. NULL: failed. */
struct index *index_open(const char *root, struct database *database, struct blobs *blobs,
                         struct failure *failure);
void index_close(struct index **index);

/* Has the text of elements up to that size taken in, too, and the thread begin. An index that was
 * made with another size is made anew. To be called before anything else, or never (0). */
void index_set_text(struct index *index, int64_t size);

/* Something was committed: it is to be taken in, some time soon. Waits for nothing. */
void index_wake(struct index *index);
/* Waits until the index has all that was committed before the call: OK or FAILED. */
int index_settle(struct index *index, struct failure *failure);

/* A connection to the index inside a transaction that sees all that was committed before the call;
 * NULL: failed. */
struct connection *index_reader(struct index *index, struct failure *failure);
/* Ends it. True: it met damage, and the index is being made anew; ask again. */
bool index_release(struct index *index, struct connection **connection);

/* Whether a media type is one of text; makes any bytes a text that the index can take. */
bool index_is_text(const char *type);
void index_clean_text(char *text, size_t length);

#endif
