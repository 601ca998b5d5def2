/*
 * A generation: building it and freeing it. See generation.h; its workers are children.c's matter. Runs in the master.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "certificate_watch.h"
#include "clock.h"
#include "generation.h"
#include "identity.h"
#include "pid_file.h"
#include "service.h"

static bool
make_slots(struct generation *generation, size_t count)
{
    generation->children = calloc(2 * count, sizeof *generation->children);
    if (generation->children == NULL)
        return false;
    generation->count = count;
    generation->slots = 2 * count;
    for (size_t i = 0; i < generation->slots; i++) {
        generation->children[i].number = i + 1;
        generation->children[i].part = i;
        generation->children[i].channel = -1;
    }
    return true;
}

static bool
build(struct generation *generation, const struct generation *previous, char *reason, size_t size)
{
    struct config *config = generation->config;

    if (!pid_file_take(config->pid_file, reason, size) || !account_find(config, &generation->account, reason, size) ||
        !privileges_prepare(config, &generation->account, reason, size) ||
        !listener_set_open(&generation->listeners, config, previous != NULL ? &previous->listeners : NULL, reason,
                           size))
        return false;
    generation->stamp = certificate_watch_stamp(config);
    generation->tls = identity_context(config, true, reason, size);
    if (generation->tls == NULL)
        return false;
    generation->service = service_information(config, generation->tls);
    if (generation->service != NULL && make_slots(generation, (size_t)config->workers.processes) &&
        scoreboard_init(&generation->board, generation->slots, score_parts((size_t)config->workers.threads),
                        (size_t)config->workers.connections))
        return true;
    snprintf(reason, size, "out of memory");
    return false;
}

struct generation *
generation_new(struct config *config, unsigned number, const struct generation *previous, char *reason, size_t size)
{
    struct generation *generation = calloc(1, sizeof *generation);

    if (generation == NULL) {
        snprintf(reason, size, "out of memory");
        config_free(&config);
        return NULL;
    }
    generation->config = config;
    generation->number = number;
    generation->state = GENERATION_STARTING;
    generation->started = clock_ms();
    generation->started_by_root = geteuid() == 0;
    if (!build(generation, previous, reason, size))
        generation_free(&generation);
    return generation;
}

void
generation_free(struct generation **generation)
{
    struct generation *gone = *generation;

    *generation = NULL;
    listener_set_close(&gone->listeners);
    scoreboard_fini(&gone->board);
    json_decref(gone->service);
    SSL_CTX_free(gone->tls);
    if (gone->config != NULL)
        config_free(&gone->config);
    free(gone->children);
    free(gone);
}

bool
generation_all_ready(const struct generation *generation)
{
    for (size_t i = 0; i < generation->count; i++)
        if (generation->children[i].state != CHILD_READY)
            return false;
    return true;
}

bool
generation_empty(const struct generation *generation)
{
    for (size_t i = 0; i < generation->slots; i++)
        if (generation->children[i].state != CHILD_NONE)
            return false;
    return true;
}
