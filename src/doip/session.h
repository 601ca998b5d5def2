/*
 * A connection to the service, as the commands use it: heads with the user's identity, and answers
 * that were checked.
 */
#ifndef CLIENT_SESSION_H
#define CLIENT_SESSION_H

#include <doip/client.h>

#include "doip.h"
#include "options.h"

typedef struct session {
    const options *given;
    doip_client *client;
    json_t *authentication; /* NULL for none, and where each request has a token of its own */
    EVP_PKEY *signer;       /* signs those tokens; NULL for none */
    char *service;          /* its id, once learnt */
    unsigned int requests;
} session;

/* Functions that return an int give an exit status, EXIT_DONE for success; what went wrong has been
 * said then. */

int session_open(session *to, const options *given);
void session_close(session *to);

/* The service's own id, learnt by a Hello the first time. Borrowed from the session. */
int session_service(session *to, const char **id);

/* A new head for a request; NULL after saying why. `attributes` is taken over, NULL for none. */
json_t *session_head(session *to, const char *operation, const char *target, json_t *attributes);

/* Sends a request that is complete with its head (taken over; NULL: said already), and gets the
 * answer: success, or it was said. */
int session_ask(session *to, json_t *head, doip_message **message, json_t **answer);

/* Begins a request (head taken over) whose segments the caller writes; a negative result is for
 * session_answer(). */
int session_begin(session *to, json_t *head);

/* Ends what session_begin() began, and gets the answer. `error` is that of writing; an early answer
 * counts for more. */
int session_answer(session *to, int error, doip_message **message, json_t **answer);

/* Says that the answer broke off. */
int session_broken(session *to, doip_message *message);

/* The single JSON value of an answer (a new reference), once it is sure that nothing follows it. */
int session_value(session *to, doip_message *message, json_t **value);

/* Prints the JSON segments of an answer, and gives its bytes segments to `bytes` where there are
 * any. */
int session_print(session *to, doip_message *message,
                  int (*bytes)(session *to, doip_message *message, void *closure), void *closure);

#endif
