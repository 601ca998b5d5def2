/*
 * All that the author of a handler includes. A handler is a shared object with a descriptor (DOIP_HANDLER) and any of the eight
 * functions below; doipd loads it in each worker and calls it with a request to read and a response to write.
 * doip-handler(3) is the tutorial.
 *
 * Threads: a handler that says DOIP_THREAD_SAFE is called from several threads at once, each with a request of its own; others are
 * called one request at a time per worker process. A request and its response belong to the thread of the call, until it returns;
 * or, with DOIP_LATER, until doip_complete().
 *
 * History of the ABI (DOIP_ABI):
 *   1  2026-11-22  the first
 *      2026-11-22  doip_request_groups()
 *      2026-11-22  DOIP_OPTION_JSON, doip_option_json(), doip_option_where(), DOIP_FOR_OBJECTS
 *      2026-11-22  doip_descriptor.authenticate, at its end: handlers made before, with a smaller `size`, load as they are
 *      2026-11-22  DOIP_LATER, doip_later(), doip_complete()
 *      2026-11-22  doip_attribute_json()
 */
#ifndef DOIP_HANDLER_H
#define DOIP_HANDLER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <doip/object.h>
#include <doip/protocol.h>
#include <doip/segment.h>

DOIP_BEGIN_DECLS

typedef struct doip_request doip_request;
typedef struct doip_response doip_response;
typedef struct doip_options doip_options;

/* What a handler's function returns. */
typedef enum doip_result {
    DOIP_OK = 0,       /* answered; the daemon completes the message */
    DOIP_DECLINED = 1, /* not mine: ask the next handler. Only before anything was read or written */
    DOIP_LATER = 2,    /* doip_complete() will answer: see doip_later() */
    DOIP_FAILED = -1,  /* answered with the error that doip_fail() set, else 500 Internal Server Error */
} doip_result;

/* ------------------------------------------------------------------ the handler's own side */

#define DOIP_EXPORT __attribute__((visibility("default")))

#define DOIP_MAGIC 0x44304950u
#define DOIP_ABI 1u

/* May be called from several threads of a worker at once. */
#define DOIP_THREAD_SAFE 1u
/* Its extended operations have digital objects as targets, never the service: ListOperations of the service leaves them out. */
#define DOIP_FOR_OBJECTS 2u

typedef enum doip_option_type {
    DOIP_OPTION_STRING = 1,
    DOIP_OPTION_INT,
    DOIP_OPTION_BOOL,
    DOIP_OPTION_SIZE, /* bytes: a number, or "64K", "1M", "2G" */
    DOIP_OPTION_JSON, /* a group or a list, nested as may be: a JSON object or array */
} doip_option_type;

/* One option of the handler's section in doipd.conf. */
typedef struct doip_option {
    const char *name;
    doip_option_type type;
    /* The default, written as in the configuration: "10", "true", "64K", any string; that of JSON as JSON text, "" for none. */
    const char *value;
    const char *help;
} doip_option;

/*
 * Names the handler to the daemon. `magic`, `abi` and `size` come first, and are checked before anything else is read.
 */
typedef struct doip_descriptor {
    uint32_t magic;
    uint32_t abi;
    uint32_t size;
    uint32_t flags;
    const char *name; /* must equal the file's name without .so */
    const char *version;
    const char *const *operations; /* extended operations it offers, NULL-terminated; NULL for none */
    const doip_option *options;    /* ended by one with a NULL name; NULL for none */
    /* Called once in each worker before any request; what it puts into *state, doip_state() gives. May be NULL. */
    doip_result (*open)(const doip_options *options, void **state);
    /* Called once in each worker that ends in order, after the last request. May be NULL. */
    void (*close)(void *state);
    /*
     * Says who sent a request whose `authentication` the daemon's own users do not decide. DOIP_OK after doip_request_set_client();
     * DOIP_DECLINED: not mine, ask the next handler; DOIP_FAILED: the credentials are wrong. It leaves the request's input alone.
     * `authentication` is wiped soon after. May be NULL.
     */
    doip_result (*authenticate)(doip_request *request, const json_t *authentication);
} doip_descriptor;

#ifdef __cplusplus
#define DOIP_EXTERN extern "C"
#else
#define DOIP_EXTERN extern
#endif

/* DOIP_HANDLER(.name = "mine", .version = "1.0", .flags = DOIP_THREAD_SAFE); at file level, once. */
#define DOIP_HANDLER(...)                                                                          \
    DOIP_EXTERN DOIP_EXPORT const doip_descriptor doip_handler;                                    \
    const doip_descriptor doip_handler = {.magic = DOIP_MAGIC,                                     \
                                          .abi = DOIP_ABI,                                         \
                                          .size = sizeof(doip_descriptor),                         \
                                          __VA_ARGS__}

/*
 * The eight functions, all optional. `extended` gets every operation that is not one of the seven.
 * C++ has `delete` as a keyword: define doip_delete() there, the exported symbol is `delete` all the same.
 */
doip_result hello(doip_request *request, doip_response *response);
doip_result create(doip_request *request, doip_response *response);
doip_result retrieve(doip_request *request, doip_response *response);
doip_result update(doip_request *request, doip_response *response);
#ifdef __cplusplus
doip_result doip_delete(doip_request *request, doip_response *response) __asm__("delete");
#else
doip_result delete(doip_request *request, doip_response *response);
#endif
doip_result search(doip_request *request, doip_response *response);
doip_result list(doip_request *request, doip_response *response);
doip_result extended(doip_request *request, doip_response *response);

/* ------------------------------------------------------------------ open(): options */

/* The option's value, or its default. Asking for one that the table does not have, or of another type, is a fault of the
 * handler: it ends the process with a message. Strings live as long as the worker. */
DOIP_API const char *doip_option_string(const doip_options *options, const char *name);
DOIP_API int64_t doip_option_int(const doip_options *options, const char *name);
DOIP_API bool doip_option_bool(const doip_options *options, const char *name);
DOIP_API uint64_t doip_option_size(const doip_options *options, const char *name);
/* Borrowed, and not to be changed; NULL where it is not set and has no default. */
DOIP_API const json_t *doip_option_json(const doip_options *options, const char *name);
/* Where the option was set, for doip_open_fail(): "doipd.conf:12", or "default". */
DOIP_API const char *doip_option_where(const doip_options *options, const char *name);

/* The service's identifier, and the daemon's state_directory. */
DOIP_API const char *doip_options_service(const doip_options *options);
DOIP_API const char *doip_options_state_directory(const doip_options *options);

/* Says why open() can't succeed, and returns DOIP_FAILED: `return doip_open_fail(options, "%s: %s", path, strerror(errno));` */
DOIP_API doip_result doip_open_fail(const doip_options *options, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ------------------------------------------------------------------ the request (protocol section 3) */

/* What open() put into *state. */
DOIP_API void *doip_state(const doip_request *request);

/* Strings are borrowed: valid until the function returns. */
DOIP_API const char *doip_request_operation(const doip_request *request);
DOIP_API const char *doip_request_target(const doip_request *request);
/* The service's own identifier; true when the target is it. */
DOIP_API const char *doip_request_service(const doip_request *request);
DOIP_API bool doip_request_to_service(const doip_request *request);
/* The requestId, NULL where the client sent none. */
DOIP_API const char *doip_request_id(const doip_request *request);
/* Who the client has proven to be; NULL: nobody in particular. */
DOIP_API const char *doip_request_client(const doip_request *request);
/* The groups it belongs to: an array of strings, borrowed; NULL for none. */
DOIP_API const json_t *doip_request_groups(const doip_request *request);
/* In authenticate(): says who the client has proven to be (copied), and of which groups (array of strings, kept by reference; NULL for
 * none). */
DOIP_API void doip_request_set_client(doip_request *request, const char *client, json_t *groups);
/* Who the client says to be (clientId, else its certificate's name), proven or not; NULL when it says nothing. */
DOIP_API const char *doip_request_claimed_client(const doip_request *request);
/* The client's address, as "192.0.2.1:40000" or "[2001:db8::1]:40000". */
DOIP_API const char *doip_request_peer(const doip_request *request);
/* The client's TLS certificate in PEM, NULL without one; *verified says whether it proves an identity. */
DOIP_API const char *doip_request_certificate(const doip_request *request, bool *verified);
/* The request's `attributes`, an empty object where it has none. Borrowed. */
DOIP_API json_t *doip_request_attributes(const doip_request *request);

/*
 * Typed attributes. Each takes the JSON type and its string form ("10", "true"). DOIP_OK with *value set, or left alone where the
 * attribute is absent or null: put the default there first. Another type: the request fails with 101, DOIP_FAILED.
 */
DOIP_API doip_result doip_attribute_string(doip_request *request, const char *name, const char **value);
DOIP_API doip_result doip_attribute_int(doip_request *request, const char *name, int64_t *value);
DOIP_API doip_result doip_attribute_bool(doip_request *request, const char *name, bool *value);
/* One of any type, borrowed; NULL where it is absent or null. */
DOIP_API json_t *doip_attribute_json(const doip_request *request, const char *name);

/* ------------------------------------------------------------------ the input: a sequence of segments */

/*
 * The compact and the full form look the same. A fault in what the client sent is latched: the request is answered with 101
 * and the reason, whatever the handler returns; it need only give up (`return DOIP_FAILED`).
 */

/* Moves to the next segment; what is left of the current one is read away. DOIP_SEGMENT_END for ever after the last. */
DOIP_API doip_segment doip_input_next(doip_request *request);
/* The value of the current JSON segment, borrowed until the next move. NULL: not JSON, or broken (latched). */
DOIP_API json_t *doip_input_json(doip_request *request);
/* Moves to the next segment, which must be JSON, and gives its value; NULL (latched) otherwise. */
DOIP_API json_t *doip_input_next_json(doip_request *request);
/* Moves to the next segment, which must be bytes. */
DOIP_API doip_result doip_input_next_bytes(doip_request *request);
/* Bytes of the current bytes segment: > 0, 0 at its end, < 0 broken (latched). */
DOIP_API ssize_t doip_read(doip_request *request, void *data, size_t size);
/* DOIP_OK when the whole message has arrived and holds nothing more. Commit what the request changes only after it. */
DOIP_API doip_result doip_input_end(doip_request *request);

/* The input as a digital object: moves to it and checks it (see doip_object_check() for flags). Borrowed; NULL: latched. */
DOIP_API json_t *doip_input_object(doip_request *request, int flags);
/* After that: the next element that has data, whose bytes doip_read() then gives. 1, 0 at the end of the message, < 0 latched. */
DOIP_API int doip_input_element(doip_request *request, json_t **element);

/* The message below, for the calls of message.h. */
DOIP_API doip_message *doip_request_message(doip_request *request);

/* ------------------------------------------------------------------ the response (protocol section 4) */

/*
 * Status and attributes first, then output. Output of a single JSON value given whole leaves in the compact form; the daemon adds
 * the requestId and closes the message. A json_t that is given is taken over, also on failure; NULL stands for "out of memory"
 * and fails the request. Calls return DOIP_OK or DOIP_FAILED (the client is gone, or an error was set before): give up then.
 */

/* Another status than success, to go with output. */
DOIP_API doip_result doip_respond_status(doip_response *response, const char *status);
DOIP_API doip_result doip_respond_attribute(doip_response *response, const char *name, json_t *value);
/* A JSON segment, whole. */
DOIP_API doip_result doip_respond_json(doip_response *response, json_t *value);
/* A JSON segment, given as text: any JSON, looked at, so that only well-formed JSON leaves. What doip_json_is_compact() leaves as it
 * is, without being parsed. */
DOIP_API doip_result doip_respond_text(doip_response *response, const char *json);
/* A JSON segment in pieces: begin, then doip_write_value() and doip_write_text() (one line, no newline) in any number. */
DOIP_API doip_result doip_respond_json_begin(doip_response *response);
DOIP_API doip_result doip_write_value(doip_response *response, json_t *value);
DOIP_API doip_result doip_write_text(doip_response *response, const char *text);
/* A bytes segment, whole. */
DOIP_API doip_result doip_respond_bytes(doip_response *response, const void *data, size_t size);
/* A bytes segment in pieces: begin, then doip_write() in any number. It ends with the next segment or with the function. */
DOIP_API doip_result doip_respond_bytes_begin(doip_response *response);
DOIP_API doip_result doip_write(doip_response *response, const void *data, size_t size);
/* A bytes segment from a descriptor (read with pread; it stays the handler's), or from a file. */
DOIP_API doip_result doip_respond_fd(doip_response *response, int fd, off_t offset, uint64_t length);
DOIP_API doip_result doip_respond_file(doip_response *response, const char *path);

/*
 * Fails the request with a status and a message, and returns DOIP_FAILED: `return doip_fail(response, DOIP_STATUS_UNKNOWN_OBJECT, …)`.
 * Once output has left, the status can't be taken back: the stream is broken off instead, and the message goes to the log.
 */
DOIP_API doip_result doip_fail(doip_response *response, const char *status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* 101 with a reason. */
DOIP_API doip_result doip_fail_invalid(doip_response *response, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* 200 "This operation is not supported." */
DOIP_API doip_result doip_fail_unsupported(doip_response *response);

/* ------------------------------------------------------------------ answering later */

/*
 * A handler that would wait in its function, as for a commit that many requests share, can give the thread back instead. Of the eight
 * functions, once it has read what it wants of the input:
 *
 *     doip_ticket ticket = doip_later(request);       0: memory is short
 *     … hands request, response and ticket over to a thread of its own …
 *     return DOIP_LATER;
 *
 * and that thread, at any time, even before the function has returned, writes the response and calls doip_complete(ticket, DOIP_OK),
 * or doip_fail() and doip_complete(ticket, DOIP_FAILED). From the hand-over on, request and response are that thread's; it reads no
 * more input. With doip_complete() they are gone.
 *
 * doip_complete() sends the answer in the calling thread, as far as the client takes it, and never waits for the client: what it does not
 * take at once is kept in memory, so what is answered later should be small. Until then all is as in a function that is still running: the
 * request counts as running, timeouts.handler and the end of the service wait for it no longer than for any other, and a client
 * that has gone is noticed only when it is answered. A handler that is not DOIP_THREAD_SAFE, and one that has as many requests
 * waiting as workers.threads, keeps the thread that its function ran in until the answer is complete.
 *
 * A ticket is used up by doip_complete(): DOIP_FAILED with one that is, which harms nothing. Where the function returns anything but
 * DOIP_LATER, that stands, and the ticket is used up. close() is called when all are complete; the handler's threads must have ended
 * when it returns.
 */
typedef uint64_t doip_ticket;

DOIP_API doip_ticket doip_later(doip_request *request);
DOIP_API doip_result doip_complete(doip_ticket ticket, doip_result result);

DOIP_END_DECLS

#endif
