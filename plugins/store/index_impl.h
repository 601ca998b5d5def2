/*
 * What index.c (asking, the thread), index_file.c (the file and its lock) and index_fill.c (taking
 * in) share. Nobody else includes it.
 */
#ifndef STORE_INDEX_IMPL_H
#define STORE_INDEX_IMPL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "blobs.h"
#include "index.h"
#include "janitor.h"
#include "pool.h"

/* In messages. */
#define INDEX_NAME "the index"

/* What was committed to the catalog, and what the index has of it: numbers of objects, which grow
 * with each create, and of rows of `change`, which grow with each update and delete. */
struct feed {
    int64_t number;
    int64_t change;
};

struct index {
    struct database *database;
    struct blobs *blobs;
    struct pool readers;
    struct janitor *janitor; /* runs index_work() */
    pthread_mutex_t resting; /* over ending, for the thread's pauses */
    pthread_cond_t ended;
    bool ending;
    atomic_int waiting;      /* searches that want the lock */
    pthread_mutex_t working; /* the lock among the threads of this process; over all below */
    int lock;                /* the lock among processes */
    struct connection *writer;
    _Atomic ino_t inode; /* of the file that writer and readers have open; 0: none */
    _Atomic dev_t device;
    int64_t text;    /* elements up to this size are searched for words */
    bool bound;      /* `text` is the file's; else the file must be made with it */
    struct feed has; /* what was taken in, when it was last looked at */
};

/* index_file.c: the lock, which `wait` says whether to wait for, and what is done under it. */
bool index_lock(struct index *index, bool wait, struct failure *failure);
void index_unlock(struct index *index);
/* Whether the file that is open is still the one that has the name; needs no lock. */
bool index_is_current(const struct index *index);
/* The writer, in no transaction, on a file that is fit; NULL: failed. */
struct connection *index_writer(struct index *index, struct failure *failure);
/* Removes the file. Who has it open will find out. */
void index_discard(struct index *index);

/* index_text.c: the text of an object's elements, the caller's; NULL: none. */
char *index_text(struct index *index, struct connection *catalog, int64_t number);

/* index_fill.c: what there is to take in; false: failed. */
bool feed_committed(struct index *index, struct feed *feed, struct failure *failure);
/* What the index has, as the connection sees it. */
struct feed feed_taken(struct connection *connection);
static inline bool
feed_reaches(const struct feed *feed, const struct feed *goal)
{
    return feed->number >= goal->number && feed->change >= goal->change;
}
/* Under the lock: takes in a batch. 1: there is more; 0: there is none; REPOSITORY_FAILED. */
int index_batch(struct index *index, struct failure *failure);
/* Under the lock: makes what was taken in durable, and has the catalog forget it. */
void index_forget(struct index *index);

#endif
