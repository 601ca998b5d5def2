/*
 * The commands of the control socket. Master only.
 */
#ifndef DOIPD_COMMANDS_H
#define DOIPD_COMMANDS_H

#include "control.h"
#include "report.h"

/* What the commands act on: the master's own. */
struct commands_target {
    void *master;
    /* What there is to report on, now. */
    struct report_source (*source)(void *master);
    /* Asks for a reload, or for the end. */
    void (*reload)(void *master);
    void (*stop)(void *master);
};

/* For control_commands.run; `context` is a struct commands_target. */
enum control_reply commands_run(void *context, const char *command, const char *argument,
                                struct control_answer *answer);

#endif
