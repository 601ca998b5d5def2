/*
 * For tests of the store's operations: the handler opened on a scratch repository, requests as
 * text, and the answers.
 */
#ifndef UNIT_STORE_ASK_H
#define UNIT_STORE_ASK_H

#include "unit_exchange.h"
#include "store.h"
#include "unit_store.h"

extern const doip_descriptor doip_handler;

static doip_options *options;
static void *state;
static struct repository *kept_by_store;

/* With the options `acl` and `administrators` as JSON text. */
static inline void
open_store_with(const char *prefix, const char *acl, const char *administrators)
{
    const doip_setting settings[] = {{"root", scratch_root, NULL, 0},
                                     {"prefix", prefix, NULL, 0},
                                     {"acl", acl, NULL, 0},
                                     {"administrators", administrators, NULL, 0},
                                     {.name = NULL}};
    char reason[300];

    options =
        doip_options_new(&doip_handler, SERVICE, "/nowhere", settings, reason, sizeof(reason));
    ck_assert_msg(options != NULL, "%s", reason);
    ck_assert_msg(doip_handler.open(options, &state) == DOIP_OK, "%s",
                  doip_options_reason(options));
    kept_by_store = ((struct store *)state)->repository;
}

static inline void
open_store(const char *prefix)
{
    open_store_with(prefix, "{}", "[]");
}

static inline void
close_store(void)
{
    kept_by_store = NULL;
    doip_handler.close(state);
    doip_options_free(&options);
}

static inline void
setup(void)
{
    scratch_setup();
    scratch_settled = &kept_by_store;
    open_store("");
}

static inline void
teardown(void)
{
    close_store();
    scratch_teardown();
}

/* Takes everything out of `text` that begins with `start` and ends with `end`. */
static inline void
cut_out(char *text, const char *start, const char *end)
{
    while ((text = strstr(text, start)) != NULL) {
        char *rest = strstr(text + strlen(start), end);

        ck_assert_ptr_nonnull(rest);
        rest += strlen(end);
        memmove(text, rest, strlen(rest) + 1);
    }
}

/* An answer without what the store itself keeps in objects, which test_store_metadata.c looks at. */
static inline const char *
plain(const char *answer)
{
    static char *text;

    free(text);
    text = strdup(answer);
    cut_out(text, ",\"attributes\":{\"metadata\":{", "}}");
    cut_out(text, ",\"metadata\":{", "}");
    cut_out(text, ",\"attributes\":{\"sha256\":\"", "\"}");
    cut_out(text, ",\"sha256\":\"", "\"");
    return text;
}

/* What is answered to a request of that client, which is in that group (either may be NULL), given
 * as text; its outcome must be `outcome`. */
static inline const char *
ask_of(const char *client, const char *group, doip_outcome outcome, exchange_handler handler,
       const char *text)
{
    struct exchange exchange = exchange_open(text, strlen(text), 0, NULL);
    static const char *output;
    doip_outcome got;

    doip_request_set_state(exchange.request, state);
    json_t *groups = group == NULL ? NULL : json_pack("[s]", group);
    if (client != NULL)
        doip_request_set_client(exchange.request, client, groups);
    json_decref(groups);
    got = exchange_run(&exchange, handler);
    output = exchange_output(&exchange);
    ck_assert_msg(got == outcome, "outcome %d: %s", got, output);
    exchange_close(&exchange);
    return output;
}

static inline const char *
ask_as(const char *client, doip_outcome outcome, exchange_handler handler, const char *text)
{
    return ask_of(client, NULL, outcome, handler, text);
}

static inline const char *
ask_for(doip_outcome outcome, exchange_handler handler, const char *text)
{
    return plain(ask_as(NULL, outcome, handler, text));
}

static inline const char *
ask(exchange_handler handler, const char *text)
{
    return ask_for(DOIP_OUTCOME_COMPLETE, handler, text);
}

#define HEAD(target, operation, rest) \
    "{\"targetId\":\"" target "\",\"operationId\":\"0.DOIP/Op." operation "\"" rest "}\n#\n"
#define CREATE(input) HEAD(SERVICE, "Create", ",\"input\":" input) "#\n"
#define UPDATE(id, input) HEAD(id, "Update", ",\"input\":" input) "#\n"
#define RETRIEVE(id, attributes) HEAD(id, "Retrieve", ",\"attributes\":{" attributes "}") "#\n"
#define DELETE(id) HEAD(id, "Delete", "") "#\n"
#define SEARCH(attributes) HEAD(SERVICE, "Search", ",\"attributes\":{" attributes "}") "#\n"

#define SUCCESS "{\"status\":\"0.DOIP/Status.001\""
#define OUTPUT(json) SUCCESS ",\"output\":" json "}\n#\n#\n"
#define BYTES(attributes, chunks) \
    SUCCESS ",\"attributes\":{" attributes "}}\n#\n@\n" chunks "#\n#\n"

#define FIRST                                                                                 \
    HEAD(SERVICE, "Create", "")                                                               \
    "{\"id\":\"35.TEST/"                                                                      \
    "1\",\"type\":\"Document\",\"attributes\":{\"content\":{\"name\":\"Gr\xc3\xbc\xc3\x9f\"," \
    "\"n\":1.0}},"                                                                            \
    "\"elements\":[{\"id\":\"a\",\"type\":\"text/"                                            \
    "plain\",\"length\":99,\"attributes\":{\"filename\":\"a.txt\"}},"                         \
    "{\"id\":\"b\"},{\"id\":\"c\"}]}\n#\n"                                                    \
    "{\"id\":\"c\"}\n#\n@\n#\n{\"id\":\"a\"}\n#\n@\n3\nhel\n2\nlo\n#\n#\n"
#define FIRST_STORED                                                                          \
    "{\"id\":\"35.TEST/"                                                                      \
    "1\",\"type\":\"Document\",\"attributes\":{\"content\":{\"name\":\"Gr\xc3\xbc\xc3\x9f\"," \
    "\"n\":1.0}},"                                                                            \
    "\"elements\":[{\"id\":\"a\",\"type\":\"text/"                                            \
    "plain\",\"length\":5,\"attributes\":{\"filename\":\"a.txt\"}},"                          \
    "{\"id\":\"b\"},{\"id\":\"c\",\"length\":0}]}"

#endif
