/*
 * The client: a connection to a DOIP service, requests one after the other or pipelined, answers in order.
 * A client belongs to one thread at a time. It installs no signal handler and needs none (SIGPIPE never arises).
 */
#ifndef DOIP_CLIENT_H
#define DOIP_CLIENT_H

#include <doip/message.h>
#include <doip/tls.h>

DOIP_BEGIN_DECLS

typedef struct doip_client doip_client;

/* What is asked about a server's certificate: true to trust it. `chain` says that it verifies to a known CA and names the host. */
typedef bool (*doip_client_trust)(const char *host, int port, const char *pin, bool chain, void *closure);

typedef struct doip_client_options {
    const char *host;        /* name or address */
    int port;                /* 0: DOIP_DEFAULT_PORT */
    const char *ca;          /* PEM file of CAs; NULL: the system's */
    const char *certificate; /* PEM file with the client's certificate and chain, or NULL */
    const char *key;         /* PEM file with its key; NULL: in the same file */
    int connect_ms;          /* longest wait for the connection and the handshake; 0: 10 s */
    int wait_ms;             /* longest wait for the server within a transfer; 0: 60 s */
    doip_client_trust trust; /* NULL: only a chain that verifies is trusted */
    void *closure;
} doip_client_options;

/* Connects; NULL with the reason. */
DOIP_API doip_client *doip_client_connect(const doip_client_options *options, char *reason, size_t size);
DOIP_API void doip_client_free(doip_client **client);

/*
 * Begins a request with its head (borrowed). With `input` in it the request is complete; otherwise segments may be written to
 * doip_client_writer() before doip_client_send_end(). 0 or a doip_error. An error while writing may mean that the server has answered early:
 * ask doip_client_reply() before giving up.
 */
DOIP_API int doip_client_send(doip_client *client, const json_t *head);
DOIP_API doip_writer *doip_client_writer(doip_client *client);
/* Completes the request and sends all of it. */
DOIP_API int doip_client_send_end(doip_client *client);

/*
 * Reads the head of the next response: its message, whose segments follow (borrowed; valid until the next reply), *head borrowed from it.
 * NULL: the connection failed, or the wait was too long (a later call goes on waiting for the same answer); see doip_client_reason().
 */
DOIP_API doip_message *doip_client_reply(doip_client *client, json_t **head);

/* Of a response's head: true for success; else *status (borrowed) and *message (borrowed, "" for none) say what the service said. */
DOIP_API bool doip_reply_ok(const json_t *head, const char **status, const char **message);

DOIP_API doip_stream *doip_client_stream(doip_client *client);
DOIP_API const char *doip_client_reason(const doip_client *client);

DOIP_END_DECLS

#endif
