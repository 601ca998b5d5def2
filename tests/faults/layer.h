/*
 * The fault layer: a library for LD_PRELOAD that stands between the daemon and the C library (and
 * OpenSSL), for tests only (doc/testing.md). It does two things, each switched on and off by the
 * test while the daemon runs:
 *
 *   journal   Each change of a file below one directory is noted, in the order in which it came
 *             true, and so is each sync with the place in the journal where it began. From that,
 *             disk.py makes what a power cut may leave. Nothing is synced in truth meanwhile.
 *   trouble   Calls of chosen kinds fail with a chosen errno, do less than they were asked for, or
 *             stall. Those on files only below the directory, all others anywhere.
 *
 * Both live in one file which the test makes and which all processes map (layer.py knows this
 * layout, too): it outlives them, and needs no descriptor. It is named by DOIPD_FAULTS, the
 * directory by DOIPD_FAULTS_BELOW; without them the layer does nothing.
 */
#ifndef FAULTS_LAYER_H
#define FAULTS_LAYER_H

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The C library's own function of the name. */
#define REAL(name)                                            \
    ({                                                        \
        static __typeof__(name) *real_##name;                 \
        if (real_##name == NULL)                              \
            *(void **)&real_##name = dlsym(RTLD_NEXT, #name); \
        real_##name;                                          \
    })

/* The records begin here. */
#define JOURNAL_START 4096

/* Kinds of calls that can fail, as bits. */
enum {
    CALL_OPEN = 1,
    CALL_READ = 2,
    CALL_WRITE = 4,
    CALL_TRUNCATE = 8,
    CALL_SYNC = 16,
    CALL_LINK = 32, /* and rename */
    CALL_UNLINK = 64,
    CALL_MKDIR = 128,
    CALL_MEMORY = 0x100,  /* malloc and the like, also within libraries */
    CALL_RECEIVE = 0x200, /* recv and send: clients */
    CALL_SEND = 0x400,
    CALL_ACCEPT = 0x800,
    CALL_WAIT = 0x1000, /* epoll_wait, poll */
    CALL_ARM = 0x2000,  /* epoll_ctl */
    CALL_FORK = 0x4000,
    CALL_THREAD = 0x8000,
    CALL_MAP = 0x10000,
    CALL_DESCRIPTOR = 0x20000, /* that make one which is no file's: socketpair, eventfd … */
    CALL_TLS_READ = 0x40000,   /* SSL_read_ex, SSL_do_handshake */
    CALL_TLS_WRITE = 0x80000,
    CALL_MESSAGE = 0x100000, /* recvmsg, sendmsg: between master and workers */
};

/* What becomes of a call. */
enum { MANNER_FAIL, MANNER_SHORT, MANNER_STALL };

struct layer {
    uint64_t size;         /* of the file; written by the test */
    _Atomic uint64_t tail; /* where the next record goes */
    _Atomic uint32_t journal;
    _Atomic uint32_t overflow; /* the journal did not fit */
    _Atomic uint32_t calls;    /* kinds that fail; 0: none */
    _Atomic int32_t error;
    _Atomic uint64_t after; /* so many go well first, */
    _Atomic uint64_t most;  /* then so many fail, then all go well again */
    _Atomic uint64_t seen;  /* calls of these kinds */
    _Atomic uint32_t locked_once;
    _Atomic uint32_t manner;
    _Atomic uint32_t stall_ms;
    _Atomic uint32_t excused; /* calls that went well, as who makes them can't do without */
    _Atomic uint32_t callers; /* noted for each call, where the journal would be: a uint64_t */
    pthread_mutex_t lock;
};

/* What is in the journal. Files and directories are inodes: a RECORD_MAKE begins a new one. */
enum record_kind {
    RECORD_MAKE = 1, /* file, parent, name */
    RECORD_MAKE_DIRECTORY,
    RECORD_LINK,
    RECORD_UNLINK, /* parent, name */
    RECORD_RENAME, /* file, parent, number (the new parent), name, NUL, new name */
    RECORD_WRITE,  /* file, number (the offset), bytes */
    RECORD_SIZE,   /* file, number */
    RECORD_SYNC,   /* file (0: all), parent (1: fdatasync), number (the tail when it began) */
};

struct record {
    uint32_t kind;
    uint32_t length; /* of what follows; then up to the next multiple of 8 */
    uint64_t file;
    uint64_t parent;
    uint64_t number;
};

/* A name below the directory. */
struct place {
    char path[PATH_MAX];
    char *name; /* its last part */
    uint64_t parent;
};

/* Whether the layer has anything to do: cheap, and asked first. */
bool layer_on(void);
bool layer_journals(void);
/* Whether this call shall fail, with errno set; or else *size becomes less, or time passes. */
bool layer_spoils(int call, size_t *size);
bool layer_fails(int call);

/* Whether the descriptor is a file or directory below the directory; *file gets its inode. */
bool layer_has(int fd, uint64_t *file);
/* Whether the path is below; place->parent only where it is. */
bool layer_place(int base, const char *path, struct place *place);

/* Around a change and its record, so that the journal has the true order over all processes. */
void layer_lock(void);
void layer_unlock(void);
uint64_t layer_tail(void);
/* Under the lock. */
void layer_note(const struct record *record, const void *bytes);
void layer_note_name(enum record_kind kind, uint64_t file, const struct place *place);

#endif
