/*
 * The commands of one question and one answer: hello, list, delete, search, call. Called by main().
 */
#include "commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output.h"
#include "session.h"
#include "sink.h"

/* Asks, and prints the one value that comes. */
static int
simple_value(session *to, json_t *head)
{
    doip_message *message;
    json_t *answer, *value;
    int status = session_ask(to, head, &message, &answer);

    if (status == EXIT_DONE)
        status = session_value(to, message, &value);
    if (status != EXIT_DONE)
        return status;
    output_value(value, to->given->json);
    json_decref(value);
    return output_end(EXIT_DONE);
}

int
command_hello(const options *given, char **arguments)
{
    session to;
    int status = session_open(&to, given);

    (void)arguments;
    if (status == EXIT_DONE)
        status = simple_value(&to, session_head(&to, DOIP_OP_HELLO, NULL, NULL));
    session_close(&to);
    return status;
}

int
command_list(const options *given, char **arguments)
{
    const char *target = arguments[0];
    session to;
    int status = session_open(&to, given);

    if (status == EXIT_DONE && target == NULL)
        status = session_service(&to, &target);
    if (status == EXIT_DONE)
        status = simple_value(&to, session_head(&to, DOIP_OP_LIST, target, NULL));
    session_close(&to);
    return status;
}

int
command_delete(const options *given, char **arguments)
{
    doip_message *message;
    json_t *answer;
    session to;
    int status = session_open(&to, given);

    if (status == EXIT_DONE)
        status = session_ask(&to, session_head(&to, DOIP_OP_DELETE, arguments[0], NULL), &message,
                             &answer);
    if (status == EXIT_DONE)
        status = session_print(&to, message, NULL, NULL);
    session_close(&to);
    return status;
}

/* ------------------------------------------------------------------ search */

static bool
search_number(json_t *attributes, const char *name, const char *option, const char *text)
{
    char reason[REASON_MAX];
    int64_t number;

    if (text == NULL)
        return true;
    if (!argument_number(text, INT32_MAX, &number, reason, sizeof(reason))) {
        complain(EXIT_USAGE, "%s: %s", option, reason);
        return false;
    }
    return json_object_set_new(attributes, name, json_integer(number)) == 0;
}

static json_t *
search_attributes(const options *given, const char *query)
{
    json_t *attributes = json_pack("{s:s, s:s*, s:s}", "query", query, "sortFields", given->sort,
                                   "type", given->ids ? "id" : "full");

    if (attributes == NULL) {
        complain(EXIT_USAGE, "the query is not UTF-8 text");
        return NULL;
    }
    if (search_number(attributes, "pageNum", "--page", given->page) &&
        search_number(attributes, "pageSize", "--page-size", given->page_size))
        return attributes;
    json_decref(attributes);
    return NULL;
}

/* Readable: the results alone, to be piped on; how many there are in all goes to a terminal beside,
 * or is all there is. */
static void
search_print(const json_t *value, bool json)
{
    const json_t *results = json_object_get(value, "results");
    json_int_t size = json_integer_value(json_object_get(value, "size"));

    if (json || !json_is_array(results)) {
        output_value(value, json);
        return;
    }
    output_value(results, false);
    if (json_array_size(results) == 0)
        printf("%s%" JSON_INTEGER_FORMAT " found\n", size > 0 ? "none on this page, " : "", size);
    else if (isatty(STDERR_FILENO))
        fprintf(stderr, "%zu of %" JSON_INTEGER_FORMAT " found\n", json_array_size(results), size);
}

static int
search_ask(session *to, json_t *attributes)
{
    doip_message *message;
    json_t *answer, *value;
    const char *service;
    int status = session_service(to, &service);

    if (status != EXIT_DONE)
        json_decref(attributes);
    else
        status = session_ask(to, session_head(to, DOIP_OP_SEARCH, service, attributes), &message,
                             &answer);
    if (status == EXIT_DONE)
        status = session_value(to, message, &value);
    if (status != EXIT_DONE)
        return status;
    search_print(value, to->given->json);
    json_decref(value);
    return output_end(EXIT_DONE);
}

int
command_search(const options *given, char **arguments)
{
    json_t *attributes = search_attributes(given, arguments[0]);
    session to;
    int status;

    if (attributes == NULL)
        return EXIT_USAGE;
    status = session_open(&to, given);
    if (status == EXIT_DONE)
        status = search_ask(&to, attributes);
    else
        json_decref(attributes);
    session_close(&to);
    return status;
}

/* ------------------------------------------------------------------ call */

static json_t *
call_inputs(const options *given)
{
    json_t *inputs = json_array(), *input;
    char reason[REASON_MAX];

    for (size_t i = 0; i < given->inputs.count; i++) {
        input = argument_json(given->inputs.items[i], reason, sizeof(reason));
        if (input == NULL) {
            complain(EXIT_USAGE, "--input: %s", reason);
            json_decref(inputs);
            return NULL;
        }
        json_array_append_new(inputs, input);
    }
    return inputs;
}

/* One value goes in the compact form (but null would count as none there), more as segments. */
static int
call_ask(session *to, json_t *head, const json_t *inputs, doip_message **message)
{
    json_t *first = json_array_get(inputs, 0), *answer, *input;
    doip_writer *writer = doip_client_writer(to->client);
    size_t index;
    int error;

    if (head == NULL)
        return EXIT_USAGE;
    if (json_array_size(inputs) == 1 && !json_is_null(first)) {
        json_object_set(head, "input", first);
        return session_ask(to, head, message, &answer);
    }
    error = session_begin(to, head);
    json_array_foreach(inputs, index, input)
    {
        if (error == 0)
            error = doip_writer_json(writer, input);
    }
    return session_answer(to, error, message, &answer);
}

static int
call_bytes(session *to, doip_message *message, void *closure)
{
    return sink_receive(closure, to, message, "output", -1);
}

static int
call_on(session *to, char **arguments, const json_t *inputs, sink *bytes)
{
    doip_message *message;
    int status = call_ask(to, session_head(to, arguments[1], arguments[0], NULL), inputs, &message);

    if (status == EXIT_DONE)
        status = session_print(to, message, call_bytes, bytes);
    return status == EXIT_DONE ? sink_commit(bytes) : status;
}

int
command_call(const options *given, char **arguments)
{
    json_t *inputs = call_inputs(given);
    session to;
    sink bytes;
    int status;

    if (inputs == NULL)
        return EXIT_USAGE;
    status = sink_open(&bytes, given->output);
    if (status == EXIT_DONE) {
        status = session_open(&to, given);
        if (status == EXIT_DONE)
            status = call_on(&to, arguments, inputs, &bytes);
        session_close(&to);
        sink_close(&bytes);
    }
    json_decref(inputs);
    return status;
}
