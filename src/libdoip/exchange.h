/*
 * A request and its response, as request.c, input.c, response.c and outcome.c share them. Internal
 * to libdoip. Both belong to one thread at a time, and are one allocation.
 */
#ifndef DOIP_EXCHANGE_H
#define DOIP_EXCHANGE_H

#include <doip/server.h>
#include <stdatomic.h>

/* Most bytes in an error's message, with its NUL. */
#define EXCHANGE_MESSAGE_SIZE 2048

/* Texts of a request that went another way than most: the others do without the memory. */
struct exchange_texts {
    char status[DOIP_ID_MAX + 1];
    char message[EXCHANGE_MESSAGE_SIZE];
    char fault[512];
};

/* What the handler is in the middle of writing. */
enum response_open { RESPONSE_NOTHING, RESPONSE_JSON, RESPONSE_BYTES };

struct doip_response {
    doip_request *request;
    doip_writer *writer; /* borrowed */
    json_t *attributes;  /* NULL for none */
    json_t *held;        /* the first output, as long as it may leave in the compact form; */
    char *held_text;     /* or this one; at most one is there */
    bool started;        /* the first segment has left: the status stands */
    bool failed;         /* `status` and `message` are an error's */
    bool broken;         /* the writer failed, or an error came after the first segment */
    enum response_open open;
    const char *status;           /* a constant, or in `texts` */
    const char *message;          /* the same */
    struct exchange_texts *texts; /* owned; NULL until there is one */
};

/* Of an answer that comes later (later.c): a ticket is out; and the function has returned; or it is complete. */
enum request_later { LATER_NOT, LATER_ASKED, LATER_HELD, LATER_DONE };

struct doip_request {
    doip_reader *reader;   /* borrowed */
    doip_message *message; /* owned */
    const char *service;   /* borrowed */
    const doip_peer *peer; /* borrowed; may be NULL */
    char *ids;      /* a copy of those below, where the head was read without a tree; owned */
    const char *id; /* the requestId; borrowed from the head, or in `ids`; NULL for none */
    const char *client_id;  /* what the client says; the same */
    const char *target;     /* the same, or `service` */
    const char *operation;  /* the same */
    json_t *attributes;     /* owned; NULL: none, as far as anybody asked */
    json_t *authentication; /* borrowed from the head */
    char *client;           /* who it has proven to be; owned */
    json_t *groups;         /* of that client, NULL for none; owned */
    void *state;
    doip_object_reader *object; /* the input as a digital object, once asked for */
    doip_segment kind;          /* of the current segment; END before the first */
    json_t *value; /* the last JSON segment's: kept over doip_input_end(), after which it is due */
    bool touched;
    int fault;          /* the first fault in the input, latched; 0 for none */
    const char *reason; /* of the fault: a constant, or among the response's texts */
    doip_ticket ticket; /* 0: none */
    atomic_int later;
    int read_ms; /* the stream's waits, to be restored: meanwhile it has none */
    int write_ms;
    doip_result result;       /* once it is complete */
    doip_completed completed; /* while it is held */
    void *closure;
    struct doip_response response;
};

/* The result of a function that has returned `result`: waits for one that comes later; else a ticket that is out is used up. */
doip_result request_settle(doip_request *request, doip_result result);

/* Moves to the first segment, whose text is then to be had (doip_message_text()): as doip_message_head(), of what comes before parsing. */
int message_begin(doip_message *message);

/* Latches a fault in the input (the first one stays), and returns DOIP_FAILED. */
doip_result request_fault(doip_request *request, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The latched fault of the input, 0 for none; *reason says why. */
int request_input_error(const doip_request *request, const char **reason);

/* Where the texts go; NULL when memory is short. */
struct exchange_texts *exchange_texts(doip_response *response);

/* Gets a response ready for use, and frees what it holds. */
void response_init(doip_response *response, doip_request *request, doip_writer *writer);
void response_fini(doip_response *response);

/* Writes the first segment, which ends where the next begins; NULL for what it has not; the output as a value or as text. 0, or a doip_error. */
int response_write_head(doip_response *response, const json_t *attributes, const json_t *output,
                        const char *output_text);

/* Writes the first segment, with what is held back as its `output`; or an error's. 0, or a
 * doip_error. */
int response_write_whole(doip_response *response);
int response_write_error(doip_response *response);

/* The error of an object reader that gave NULL or a negative number. */
int object_reader_error(const doip_object_reader *reader);

#endif
