/*
 * The commands that send an object: create and update. Called by main(). Everything local is read
 * and opened before the connection, so that a wrong argument costs the service nothing.
 */
#include "commands.h"

#include <stdlib.h>
#include <string.h>

#include "session.h"
#include "sources.h"

/* What is sent. */
typedef struct parcel {
    json_t *object;
    sources files;
} parcel;

/* The --attributes, a new reference; *bad after saying why there are none. */
static json_t *
parcel_attributes(const options *given, bool *bad)
{
    char reason[REASON_MAX];
    json_t *attributes;

    if (given->attributes == NULL)
        return NULL;
    attributes = argument_json(given->attributes, reason, sizeof(reason));
    if (attributes == NULL) {
        complain(EXIT_USAGE, "--attributes: %s", reason);
    } else if (!json_is_object(attributes)) {
        complain(EXIT_USAGE, "--attributes: must be a JSON object");
        json_decref(attributes);
        attributes = NULL;
    }
    *bad = attributes == NULL;
    return attributes;
}

static int
parcel_pack(parcel *made, const options *given, const char *id)
{
    bool bad = false;
    json_t *attributes = parcel_attributes(given, &bad);
    json_t *elements = NULL;

    if (bad)
        return EXIT_USAGE;
    if (made->files.count > 0) {
        elements = sources_describe(&made->files);
        if (elements == NULL) {
            json_decref(attributes);
            return EXIT_USAGE;
        }
    }
    made->object = json_pack("{s:s*, s:s*, s:o*, s:o*}", "id", id, "type", given->type,
                             "attributes", attributes, "elements", elements);
    return made->object != NULL ? EXIT_DONE
                                : complain(EXIT_USAGE, "the id or the type is not UTF-8 text");
}

static int
parcel_open(parcel *made, const options *given, const char *id)
{
    int status;

    memset(made, 0, sizeof(*made));
    status = sources_open(&made->files, &given->elements);
    return status == EXIT_DONE ? parcel_pack(made, given, id) : status;
}

static void
parcel_close(parcel *made)
{
    json_decref(made->object);
    sources_close(&made->files);
}

/* Without data the object goes in the compact form; with data as segments. */
static int
parcel_send(const parcel *made, session *to, json_t *head, doip_message **message)
{
    json_t *answer;
    int error, status;

    if (head == NULL)
        return EXIT_USAGE;
    if (made->files.count == 0) {
        json_object_set(head, "input", made->object);
        return session_ask(to, head, message, &answer);
    }
    error = session_begin(to, head);
    if (error == 0)
        error = doip_writer_json(doip_client_writer(to->client), made->object);
    status = sources_send(&made->files, to, &error);
    return status == EXIT_DONE ? session_answer(to, error, message, &answer) : status;
}

static int
parcel_deliver(const parcel *made, session *to, const char *operation, const char *target)
{
    doip_message *message;
    int status = EXIT_DONE;

    if (target == NULL)
        status = session_service(to, &target);
    if (status == EXIT_DONE)
        status = parcel_send(made, to, session_head(to, operation, target, NULL), &message);
    return status == EXIT_DONE ? session_print(to, message, NULL, NULL) : status;
}

static int
parcel_run(const options *given, const char *operation, const char *id, const char *target)
{
    parcel made;
    session to;
    int status = parcel_open(&made, given, id);

    if (status == EXIT_DONE) {
        status = session_open(&to, given);
        if (status == EXIT_DONE)
            status = parcel_deliver(&made, &to, operation, target);
        session_close(&to);
    }
    parcel_close(&made);
    return status;
}

int
command_create(const options *given, char **arguments)
{
    (void)arguments;
    if (given->type == NULL)
        return complain(EXIT_USAGE, "create needs --type TYPE");
    return parcel_run(given, DOIP_OP_CREATE, given->id, NULL);
}

int
command_update(const options *given, char **arguments)
{
    if (given->type == NULL && given->attributes == NULL && given->elements.count == 0)
        return complain(EXIT_USAGE,
                        "update needs something to change: --type, --attributes or --element");
    return parcel_run(given, DOIP_OP_UPDATE, arguments[0], arguments[0]);
}
