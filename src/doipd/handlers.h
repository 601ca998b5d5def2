/*
 * Handlers: found in the handlers' directory, loaded and checked in each worker (or in a check's child) after the fork and after
 * privileges were dropped. The master never calls any of this.
 */
#ifndef DOIPD_HANDLERS_H
#define DOIPD_HANDLERS_H

#include <doip/server.h>
#include <stdbool.h>
#include <stddef.h>

#include "config.h"
#include "scoreboard.h"
#include "operations.h"

typedef doip_result (*handler_function)(doip_request *request, doip_response *response);

struct handler {
    const char *name;
    const doip_descriptor *descriptor; /* in the handler's own object; never written */
    const struct config_handler *section; /* NULL: no section, defaults */
    handler_function functions[OPERATION_COUNT];
    doip_result (*authenticate)(doip_request *request, const json_t *authentication); /* NULL: it does not */
    void *object; /* of dlopen */
    doip_options *options;
    void *state;
    bool opened;
    unsigned metric; /* its number for metrics_call() */
};

struct handler_set {
    struct handler *items; /* in the order of the chain */
    size_t count;
};

/* Loads and checks all handlers. `started_by_root`: files that others could have written are refused. `score` (may be NULL) tells
 * which one is being loaded, should the process die of it. False with the reason; nothing stays loaded then. */
bool handlers_load(struct handler_set *set, const struct config *config, bool started_by_root,
                   struct score_thread *score, char *reason, size_t size);

/* Calls every open(). False with the reason; those already opened are closed. */
bool handlers_open(struct handler_set *set, struct score_thread *score, char *reason, size_t size);

/* Calls every close(), and frees all but the code. */
void handlers_close(struct handler_set *set, struct score_thread *score);

/* True when the handler's section lets it see this operation on this target. */
bool handler_allows(const struct handler *handler, enum operation operation, const char *operation_id,
                    const char *target);

#endif
