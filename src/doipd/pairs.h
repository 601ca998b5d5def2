/*
 * Certificates with their keys and chains, read from files and looked through: what belongs together, is not open to everybody and has not
 * ended. Master, and `doipd -t` and --check-certificate; a set that is finished may be read by any thread.
 */
#ifndef DOIPD_PAIRS_H
#define DOIPD_PAIRS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "staple.h"

struct pair {
    X509 *certificate;
    EVP_PKEY *key;
    STACK_OF(X509) * chain; /* NULL or empty: none */
    char *file;             /* of the certificate */
    struct staple staple;
};

struct pair_set {
    size_t count;
    struct pair *items;
    bool self_made;  /* the only one is doipd's own, */
    bool throw_away; /* made for a check, and not kept */
};

/* What is configured, and where: for messages. */
struct pair_files {
    const char *certificate;
    const char *key;              /* may be the same file */
    const char *ocsp;             /* NULL or "": none */
    const char *certificate_says; /* "doipd.conf:12: tls.certificate" */
    const char *key_says;
    const char *ocsp_says;
};

/* Adds an empty pair, to be filled; NULL when memory is short. */
struct pair *pair_set_add(struct pair_set *set);
void pair_set_free(struct pair_set **set);

/* Reads one from files. False with a reason of one line that says where that is configured, and what to do. */
bool pair_read(struct pair *pair, const struct pair_files *files, char *reason, size_t size);

/* When the certificate ends. */
time_t pair_end(const struct pair *pair);
/* Whole days until then, negative where it has ended. */
int days_until(time_t end);

/* The kind of its key ("RSA 2048", "EC P-256", "ED25519"), and the names that it is good for ("DNS:localhost, IP Address:127.0.0.1", else the
 * subject). */
void pair_key_text(const struct pair *pair, char *text, size_t size);
void pair_names_text(const struct pair *pair, char *text, size_t size);

#endif
