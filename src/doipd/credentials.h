/*
 * What a request carries to prove who sent it: its `authentication`, read and checked for types. Any thread.
 */
#ifndef DOIPD_CREDENTIALS_H
#define DOIPD_CREDENTIALS_H

#include <doip/server.h>

enum credentials_kind {
    CREDENTIALS_NONE, /* nothing that proves anything; perhaps `asUserId` for what a certificate proves */
    CREDENTIALS_PASSWORD, /* `name` and `secret` */
    CREDENTIALS_TOKEN,    /* `secret` */
    CREDENTIALS_OTHER,    /* none that doipd knows (`key`, say): a handler may */
};

/* Borrowed from the request: gone when its authentication is forgotten. */
struct credentials {
    enum credentials_kind kind;
    const char *name; /* `username`, else clientId; NULL: neither */
    const char *secret;
    const char *as_user; /* NULL: as oneself */
};

/* DOIP_OK; or the failed response, where a member has the wrong type. */
doip_result credentials_read(struct credentials *credentials, const doip_request *request,
                             doip_response *response);

#endif
