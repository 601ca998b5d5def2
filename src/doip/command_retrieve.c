/*
 * The command retrieve: an object, one element, or everything into a directory. Called by main().
 */
#include "commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "folder.h"
#include "output.h"
#include "session.h"
#include "sink.h"

/* ------------------------------------------------------------------ one element */

static json_t *
element_attributes(const options *given)
{
    json_t *attributes = json_pack("{s:s}", "element", given->elements.items[0]);
    json_t *range;
    char reason[REASON_MAX];
    int64_t start, end;

    if (attributes == NULL) {
        complain(EXIT_USAGE, "the element's id is not UTF-8 text");
        return NULL;
    }
    if (given->range == NULL)
        return attributes;
    if (!argument_range(given->range, &start, &end, reason, sizeof(reason))) {
        complain(EXIT_USAGE, "--range: %s", reason);
        json_decref(attributes);
        return NULL;
    }
    range = json_object();
    if (start >= 0)
        json_object_set_new(range, "start", json_integer(start));
    if (end >= 0)
        json_object_set_new(range, "end", json_integer(end));
    json_object_set_new(attributes, "range", range);
    return attributes;
}

/* How many bytes will come, for the progress bar; -1 where that is not told. */
static int64_t
element_total(const options *given, const json_t *answer)
{
    const json_t *length = json_object_get(json_object_get(answer, "attributes"), "length");

    return given->range == NULL && json_is_integer(length) ? json_integer_value(length) : -1;
}

static int
element_receive(session *to, json_t *attributes, const char *id, sink *into)
{
    const char *element = to->given->elements.items[0];
    doip_message *message;
    json_t *answer;
    int status =
        session_ask(to, session_head(to, DOIP_OP_RETRIEVE, id, attributes), &message, &answer);

    if (status != EXIT_DONE)
        return status;
    if (doip_message_next(message) != DOIP_SEGMENT_BYTES)
        return session_broken(to, message);
    status = sink_receive(into, to, message, element, element_total(to->given, answer));
    if (status != EXIT_DONE)
        return status;
    return doip_message_end(message) == 0 ? sink_commit(into) : session_broken(to, message);
}

static int
retrieve_element(const options *given, const char *id)
{
    json_t *attributes = element_attributes(given);
    session to;
    sink into;
    int status;

    if (attributes == NULL)
        return EXIT_USAGE;
    status = sink_open(&into, given->output);
    if (status != EXIT_DONE) {
        json_decref(attributes);
        return status;
    }
    status = session_open(&to, given);
    if (status == EXIT_DONE)
        status = element_receive(&to, attributes, id, &into);
    else
        json_decref(attributes);
    session_close(&to);
    sink_close(&into);
    return status;
}

/* ------------------------------------------------------------------ the object, everything */

static int
retrieve_object(const options *given, const char *id)
{
    doip_message *message;
    json_t *answer, *object;
    session to;
    int status = session_open(&to, given);

    if (status == EXIT_DONE)
        status = session_ask(&to, session_head(&to, DOIP_OP_RETRIEVE, id, NULL), &message, &answer);
    if (status == EXIT_DONE)
        status = session_value(&to, message, &object);
    if (status == EXIT_DONE) {
        output_value(object, given->json);
        json_decref(object);
        status = output_end(EXIT_DONE);
    }
    session_close(&to);
    return status;
}

static int
retrieve_all(const options *given, const char *id)
{
    json_t *attributes = json_pack("{s:b}", "includeElementData", 1);
    doip_message *message;
    json_t *answer;
    session to;
    int status = session_open(&to, given);

    if (status == EXIT_DONE)
        status = session_ask(&to, session_head(&to, DOIP_OP_RETRIEVE, id, attributes), &message,
                             &answer);
    else
        json_decref(attributes);
    if (status == EXIT_DONE)
        status = folder_receive(&to, message, given->output);
    session_close(&to);
    return status;
}

int
command_retrieve(const options *given, char **arguments)
{
    if (given->elements.count > 1)
        return complain(EXIT_USAGE, "retrieve takes one --element; use --all for all of them");
    if (given->all && (given->elements.count > 0 || given->range != NULL))
        return complain(EXIT_USAGE, "--all and --element exclude one another");
    if (given->all && given->output == NULL)
        return complain(EXIT_USAGE, "--all needs -o DIRECTORY");
    if (given->elements.count == 0 && given->range != NULL)
        return complain(EXIT_USAGE, "--range needs --element ID");
    if (given->all)
        return retrieve_all(given, arguments[0]);
    if (given->elements.count == 1)
        return retrieve_element(given, arguments[0]);
    if (given->output != NULL)
        return complain(EXIT_USAGE, "-o needs --element ID or --all");
    return retrieve_object(given, arguments[0]);
}
