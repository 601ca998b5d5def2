/*
 * The configuration: libconfig files and -o overrides read into one struct, each value checked and with the place it came
 * from. Used by the master, which reads it; workers inherit it by fork and never change it.
 */
#ifndef DOIPD_CONFIG_H
#define DOIPD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <doip/server.h>

#include "users.h"

struct config_listen {
    char *text; /* as configured: "127.0.0.1:9000", "[::1]:9000" */
    struct sockaddr_storage address;
    socklen_t length;
};

struct config_certificate {
    char *name;        /* for messages: "tls.certificates.[0]" */
    char *where;       /* "file:line", or "-o" */
    char *certificate; /* a file */
    char *key;         /* a file; NULL: the same */
    char *ocsp;        /* a file; NULL: none */
};

struct config_handler {
    char *name;  /* the section's name: the file's name without .so */
    char *where; /* "file:line" of the section's first mention, or "-o" */
    bool enabled;
    char **targets;    /* shell patterns, NULL-ended; never empty */
    char **operations; /* shell patterns, NULL-ended; never empty */
    char *enabled_where; /* these three: where it was said; "default" */
    char *targets_where;
    char *operations_where;
    doip_setting *options; /* ended by one with a NULL name; values as text */
};

/* Of workers.threads: a worker needs one to wait for connections while another runs a handler. */
enum { CONFIG_THREADS_LEAST = 2 };

struct config {
    struct {
        char *id; /* never empty: 0.DOIP/<hostname> where not configured */
        bool id_assumed; /* it was not configured: deserves a warning */
        char *name;
        char *description;
        char *address; /* never empty */
        int port;      /* never 0 */
    } service;
    struct config_listen *listen;
    size_t listen_count;
    char *user;
    bool user_assumed; /* it was not configured */
    char *state_directory;
    char *pid_file;
    struct {
        char *socket; /* never empty: resolved */
        char *group;  /* "": none */
        gid_t gid;    /* of the group, where there is one */
    } control;
    struct {
        char *certificate;
        char *key;
        char *ocsp;
        struct config_certificate *certificates;
        size_t certificate_count;
        char *client_ca;
        char *min_version;
    } tls;
    struct {
        int processes; /* never 0: resolved */
        int threads;
        int connections;
        int requests;    /* 0: any number */
        uint64_t memory; /* bytes; 0: as much as it takes */
    } workers;
    struct { /* seconds; 0: none */
        int handshake;
        int idle;
        int read;
        int write;
        int handler;
        int shutdown;
    } timeouts;
    struct {
        uint64_t json_segment; /* bytes */
        uint64_t unread;       /* bytes */
        uint64_t body_rate;    /* bytes per second; 0: any */
        int json_depth;
        int connections;             /* of all workers; 0: any number, as the next two */
        int connections_per_address;
        int requests_per_connection;
        int backlog; /* 0: as the system has it */
    } limits;
    struct {
        int level; /* enum log_level */
        bool json;
        bool access;
    } log;
    char *handlers_directory;
    struct user_list users;
    char **users_files; /* absolute paths, NULL-ended */
    struct {            /* shell patterns for operations, NULL-ended: what may be called */
        char **anonymous;
        char **authenticated;
    } access;
    struct config_handler *handlers; /* in the order configured */
    size_t handler_count;
    char **origins; /* of each key of the table in config_table.c: "default…", "file:line" or "-o" */
};

/* Where to read from. */
struct config_source {
    const char *file;             /* NULL: none (-n) */
    const char *const *overrides; /* -o KEY=VALUE, NULL-ended; may be NULL */
    const char *listen;           /* "listen=…", instead of its default; may be NULL */
};

/*
 * Reads and checks everything: the file, conf.d (*.conf) beside it in name order, then the overrides. NULL with a message of one line
 * ("file:line: key: what is wrong and what would be right") in `reason`. Needs no privilege beyond reading the files; safe to
 * call again for a reload.
 */
struct config *config_load(const struct config_source *source, char *reason, size_t size);
void config_free(struct config **config);

/* Where a key of the table was set: "file:line", "-o" or "default…". Borrowed. */
const char *config_origin(const struct config *config, const char *key);

/* Prints the effective configuration in libconfig's syntax, each line with where its value came from (-T). */
void config_print(const struct config *config, FILE *file);

#endif
