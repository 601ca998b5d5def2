/*
 * The wall between the DOIP side of the store (store.c, write.c, read.c, find.c) and what keeps the
 * objects. The DOIP side knows only this header; repository.c implements it with a catalog in
 * SQLite (catalog.c) and element bytes in files (blobs.c). Another backend implements the same
 * calls. One repository per worker process; every call is thread-safe, but for those on a change, a
 * whole or results, which belong to one thread at a time.
 */
#ifndef STORE_REPOSITORY_H
#define STORE_REPOSITORY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "acl.h"
#include "query.h"

/* Why a call gave REPOSITORY_FAILED, _REFUSED or _DENIED, in words for a client and an operator alike. */
struct failure {
    char text[512];
};

/* Sets the text and returns REPOSITORY_FAILED. */
int failure_set(struct failure *failure, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

enum repository_status {
    REPOSITORY_FAILED = -1, /* see the struct failure */
    REPOSITORY_OK = 0,
    REPOSITORY_UNKNOWN, /* no object (or no element) of that id */
    REPOSITORY_TAKEN,   /* create: the id is in use */
    REPOSITORY_REFUSED, /* the client asked for what can't be; see the struct failure */
    REPOSITORY_DENIED,  /* the client may not; see the struct failure */
};

/*
 * Calls are made for a client, and DENIED where that may not (acl.h): looked at in the transaction
 * that reads or writes the object. No client (NULL) stands for whoever owns the repository, who may
 * do everything.
 */

/* The version of an object that a client expects, where it does not say. */
#define REPOSITORY_ANY_VERSION INT64_MIN

struct repository;

/* Opens the repository under `root`, making it where there is none, and sweeps what crashed
 * processes left. NULL: failed. */
struct repository *repository_open(const char *root, struct failure *failure);
void repository_close(struct repository **repository);

/* In bytes of elements; 0: no limit. What would pass one is REFUSED. */
struct repository_limits {
    uint64_t element;
    uint64_t object; /* all elements of one together */
    uint64_t quota;  /* all that is kept, equal bytes once */
};

/* To be called before the first change. */
void repository_limit(struct repository *repository, const struct repository_limits *limits);
/* The rules for who may, borrowed; to be called before the first call for a client. */
void repository_rules(struct repository *repository, const struct acl_rules *rules);
/* Makes the text of elements up to that size searchable (0, as without this: none), and begins to
 * bring the index up to date. To be called before the first change and search. */
void repository_index_text(struct repository *repository, uint64_t size);
/* Waits until what is not needed any more since earlier calls has been removed from the disk, and
 * what they changed can be found. */
void repository_settle(struct repository *repository);

/*
 * A change: an object to be created or updated, and element bytes staged for it. Nothing of it can
 * be seen, and all of it goes away with repository_change_free(), until one of repository_create()
 * and repository_update() has given REPOSITORY_OK: then it is on disk, whole.
 */
struct repository_change;

/* The client (borrowed until the change is freed) is noted as who did it. NULL: memory is short. */
struct repository_change *repository_change_new(struct repository *repository,
                                                const struct acl_client *client);
void repository_change_free(struct repository_change **change);

/* Stages the bytes of the element of that id: begin, any number of writes, end. REPOSITORY_OK,
 * _REFUSED (a limit is passed) or _FAILED. */
int repository_stage_begin(struct repository_change *change, const char *element,
                           struct failure *failure);
int repository_stage_write(struct repository_change *change, const void *data, size_t size,
                           struct failure *failure);
int repository_stage_end(struct repository_change *change, struct failure *failure);
/* Where the next bytes of a large element are best put, *room of them at the most, as
 * repository_stage_write() need not copy them from there; NULL: nowhere, as it may be a small one. */
char *repository_stage_room(struct repository_change *change, size_t *room);

/*
 * Commits the change as the new object `id`; `object` is as doip_object_check() leaves it, its own
 * id is not looked at. *stored: the default serialization of what is stored now, the caller's. OK,
 * TAKEN, REFUSED (the quota) or FAILED.
 */
int repository_create(struct repository_change *change, const char *id, const json_t *object,
                      json_t **stored, struct failure *failure);
/* What an update wants beside its object. */
struct repository_terms {
    int64_t version;    /* that the object must have */
    const json_t *drop; /* array of ids of elements to be removed; NULL: none */
    json_t *acl;        /* the acl that it is to have, empty: none; NULL: what `object` says */
};

/* Commits it to the object `id`: what `object` leaves out stays (protocol section 6), and so does
 * its acl where the attributes that are given do not name one; a null there removes it. OK,
 * UNKNOWN, DENIED, REFUSED (another version, a limit) or FAILED. */
int repository_update(struct repository_change *change, const char *id, const json_t *object,
                      const struct repository_terms *terms, json_t **stored,
                      struct failure *failure);

/*
 * The same for who does not wait: repository_create(), or with terms repository_update(). All that is
 * given stays the caller's, who leaves it alone until `done` is called, once, in any thread, maybe
 * before this returns. That holds up nobody: others wait for its thread. *failure is valid until the
 * change is freed, which it may do. Only for a change that is light: its bytes are few, and in memory.
 */
typedef void (*repository_done)(void *closure, int status, json_t *stored, struct failure *failure);

bool repository_change_is_light(const struct repository_change *change);
void repository_commit_later(struct repository_change *change, const char *id, const json_t *object,
                             const struct repository_terms *terms, repository_done done,
                             void *closure);

/* OK, UNKNOWN, DENIED, REFUSED (another version) or FAILED. */
int repository_delete(struct repository *repository, const struct acl_client *client,
                      const char *id, int64_t version, struct failure *failure);

/* The same as repository_commit_later(). *failure is valid until `done` returns. */
void repository_delete_later(struct repository *repository, const struct acl_client *client,
                             const char *id, int64_t version, repository_done done, void *closure);

/* Whether there is such an object, of that version, with which the client may do that: OK, UNKNOWN,
 * DENIED, REFUSED or FAILED. It may be otherwise a moment later. */
int repository_check(struct repository *repository, const struct acl_client *client,
                     enum acl_right right, const char *id, int64_t version,
                     struct failure *failure);
/* Its default serialization as JSON text, the caller's, as it was kept: where that is damaged, it is
 * no JSON. OK, UNKNOWN, DENIED or FAILED, as all that follow. */
int repository_text(struct repository *repository, const struct acl_client *client, const char *id,
                    char **text, struct failure *failure);
/* The same as a tree. */
int repository_object(struct repository *repository, const struct acl_client *client,
                      const char *id, json_t **object, struct failure *failure);

/* Bytes of an element: in memory, or a descriptor to pread from, which keeps them whatever is done
 * to the object meanwhile. */
struct repository_bytes {
    char *data; /* NULL: not in memory */
    int fd;     /* -1: not in a file; neither: the element has no data */
    uint64_t length;
};

/* Frees what is in it. */
void repository_bytes_fini(struct repository_bytes *bytes);

/* One element (its serialization, the caller's) and its bytes, which the caller ends with _fini().
 * UNKNOWN: the object or the element is; *element then tells which (NULL, or a JSON null for the
 * element). */
int repository_element(struct repository *repository, const struct acl_client *client,
                       const char *id, const char *element_id, json_t **element,
                       struct repository_bytes *bytes, struct failure *failure);

/* An object with the data of all its elements, as they were at one moment. */
struct repository_whole;

int repository_whole(struct repository *repository, const struct acl_client *client, const char *id,
                     struct repository_whole **whole, struct failure *failure);
void repository_whole_free(struct repository_whole **whole);
/* Its default serialization, borrowed. */
json_t *repository_whole_object(const struct repository_whole *whole);
/* The next element that has data: 1 with its id (borrowed) and bytes (which stay the whole's, until
 * the next call); 0 after the last; REPOSITORY_FAILED. */
int repository_whole_next(struct repository_whole *whole, const char **element_id,
                          struct repository_bytes *bytes, struct failure *failure);

/* ------------------------------------------------------------------ search */

enum { REPOSITORY_SORTS_MAX = 8 };

struct repository_sort {
    struct query_field field;
    bool descending;
};

/* Which of the objects found are wanted, and in what order: by `sorts`, then (or without any) as
 * they were created. */
struct repository_page {
    struct repository_sort sorts[REPOSITORY_SORTS_MAX];
    size_t sort_count;
    uint64_t skip;
    int64_t most; /* negative: all */
};

/* What a search found: the list is made at once and is cheap, the objects are read one by one. */
struct repository_results;

/* OK, REFUSED or FAILED. The client is borrowed until the results are freed. */
int repository_search(struct repository *repository, const struct acl_client *client,
                      const struct query *query, const struct repository_page *page,
                      struct repository_results **results, struct failure *failure);
void repository_results_free(struct repository_results **results);
/* How many objects match, over all pages. */
uint64_t repository_results_size(const struct repository_results *results);
/* The next: 1 with its default serialization, or (`full` false) its id, as JSON text, the
 * caller's, which may be damaged; 0 after the last; REPOSITORY_FAILED. An object that was deleted since the search, or
 * that the client may not read, is passed over. */
int repository_results_next(struct repository_results *results, bool full, char **text,
                            struct failure *failure);

#endif
