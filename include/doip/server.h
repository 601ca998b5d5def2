/*
 * The serving side below a handler: a request read from a reader and its response written to a writer. doipd is built on it; a
 * handler author's tests can be too (a memory stream, a request, a call of the handler's function, doip_response_end()).
 */
#ifndef DOIP_SERVER_H
#define DOIP_SERVER_H

#include <doip/handler.h>

DOIP_BEGIN_DECLS

/* What a connection knows of its client. Borrowed by the request. */
typedef struct doip_peer {
    const char *address;     /* "192.0.2.1:40000" */
    const char *certificate; /* PEM, or NULL */
    const char *identity;    /* the certificate's name, or NULL */
    bool verified;           /* that name is proven */
} doip_peer;

/* A request and its response over one connection; both are freed together. */
DOIP_API doip_request *doip_request_new(doip_reader *reader, doip_writer *writer, const char *service,
                                        const doip_peer *peer);
DOIP_API void doip_request_free(doip_request **request);
DOIP_API doip_response *doip_request_response(doip_request *request);

/*
 * Reads and checks the head: 1 when the request can be answered by a handler; 0 at the end of the stream;
 * DOIP_E_AGAIN and DOIP_E_TIMEOUT to be called again or given up; DOIP_E_CONTENT, DOIP_E_FRAMING or DOIP_E_LIMIT where the response holds
 * the error already (only to be ended); another doip_error where nothing can be answered.
 */
DOIP_API int doip_request_head(doip_request *request);

/* The request's `authentication`, NULL where it has none. Borrowed. */
DOIP_API json_t *doip_request_authentication(const doip_request *request);
/*
 * Ends it: its strings, and what the reader still holds of the head, are overwritten, and the request has none any more. What can't be
 * reached are Jansson's scratch memory while it parses, a buffer that a head over some 3 KiB has outgrown, and OpenSSL's record buffers.
 */
DOIP_API void doip_request_forget_authentication(doip_request *request);
/* The request's `clientId`, NULL where it has none. Borrowed. */
DOIP_API const char *doip_request_client_id(const doip_request *request);
/* Sets what doip_state() gives. */
DOIP_API void doip_request_set_state(doip_request *request, void *state);
/* True when a handler has read input or written output: it can't decline any more. */
DOIP_API bool doip_request_touched(const doip_request *request);
/* True when a handler's reading ended as the client sent nothing, or too slowly. */
DOIP_API bool doip_request_timed_out(const doip_request *request);

/*
 * After a handler's function has returned DOIP_LATER. doip_request_hold(): DOIP_LATER when `completed` will be called, in the thread that
 * completes the request, to end the response with doip_request_result(); the caller must not touch the request any more. Else it is complete,
 * and this is the function's result (DOIP_FAILED where it has not asked for a ticket). From doip_later() on the stream does not wait;
 * doip_request_result() gives it its waits back.
 */
typedef void (*doip_completed)(doip_request *request, void *closure);

DOIP_API doip_result doip_request_hold(doip_request *request, doip_completed completed, void *closure);
DOIP_API doip_result doip_request_result(doip_request *request);
/* Waits in the calling thread instead, and gives the result. */
DOIP_API doip_result doip_request_wait(doip_request *request);

/* How a response stands after doip_response_end(). */
typedef enum doip_outcome {
    DOIP_OUTCOME_COMPLETE, /* the message is whole in the writer; the connection goes on when the input is read away */
    DOIP_OUTCOME_CLOSE,    /* whole, but the connection must close after it: the framing of the input is broken */
    DOIP_OUTCOME_BROKEN,   /* not whole: close without close_notify */
} doip_outcome;

/*
 * Ends the response after a handler returned `result`: completes the message, or replaces what was held back by the error, or finds that
 * the stream must be broken off. Does not flush. DOIP_LATER: waits for the result first.
 */
DOIP_API doip_outcome doip_response_end(doip_response *response, doip_result result);

/* For logs: the status that was sent or would have been, and the error's message ("" for success). */
DOIP_API const char *doip_response_status(const doip_response *response);
DOIP_API const char *doip_response_message(const doip_response *response);

/* Options for open(), made by hand: names and values as strings, NULL-ended array of pairs. NULL with a reason
 * where a value does not fit the descriptor's table. */
typedef struct doip_setting {
    const char *name;
    const char *value;
    const char *where; /* "file:line", for messages; may be NULL */
    /* How it was written: DOIP_OPTION_STRING, _INT, _BOOL or _JSON, which must fit the option's type (a size may be written as an integer or a
     * string, JSON as a string that holds its text). 0: nothing but text, as on a command line. */
    doip_option_type type;
} doip_setting;

DOIP_API doip_options *doip_options_new(const doip_descriptor *descriptor, const char *service, const char *state_directory,
                                        const doip_setting *settings, char *reason, size_t size);
DOIP_API void doip_options_free(doip_options **options);
/* What doip_open_fail() said, "" for nothing. */
DOIP_API const char *doip_options_reason(const doip_options *options);

DOIP_END_DECLS

#endif
