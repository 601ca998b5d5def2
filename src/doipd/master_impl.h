/*
 * What the parts of the master share: its state, and how generations come and go (master_reload.c). Internal to master*.c; one thread.
 */
#ifndef DOIPD_MASTER_IMPL_H
#define DOIPD_MASTER_IMPL_H

#include <time.h>

#include "certificate_watch.h"
#include "commands.h"
#include "generation.h"
#include "master.h"
#include "watch.h"

enum ending { ENDING_NOT, ENDING_DRAIN, ENDING_AT_ONCE };

struct master {
    const struct config_source *source;
    bool foreground;
    void (*tell)(const char *reason);
    struct generation *all;     /* newest first */
    struct generation *serving; /* NULL until the first is ready */
    struct generation *coming;  /* NULL unless a start or reload is under way */
    unsigned numbers;
    bool reload_wanted;
    enum ending ending;
    int64_t turn_tickets_at;
    bool asked;                 /* to end, by a signal */
    char failure[CHANNEL_TEXT]; /* why the service could not start */
    struct control *control;    /* NULL until the first generation serves, or where it can't be had */
    struct commands_target commands;
    time_t started;
    int64_t started_ms;
    struct rate rate;
    struct watch watch;
    struct certificate_watch certificates;
};

/* Begins a start or a reload: a new generation, or the reason why not. */
void master_bring_up(struct master *master);

/* What has become of it: it serves when all of its workers are ready, or is given up. */
void master_look_at_coming(struct master *master, int64_t now);

/* Frees the generations that have no worker left. */
void master_free_ended(struct master *master);

#endif
