/*
 * The commands of the control socket: see commands.h. Each is one function; the table names them.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "log.h"

static enum control_reply __attribute__((format(printf, 3, 4)))
say(struct control_answer *answer, enum control_reply reply, const char *format, ...)
{
    va_list ap;
    int length;

    va_start(ap, format);
    length = vasprintf(&answer->text, format, ap);
    va_end(ap);
    if (length < 0)
        answer->text = NULL;
    answer->length = length < 0 ? 0 : (size_t)length;
    return length < 0 ? CONTROL_REFUSED : reply;
}

static enum control_reply
give(struct control_answer *answer, json_t *report)
{
    char *text = report != NULL ? json_dumps(report, JSON_COMPACT) : NULL;

    json_decref(report);
    answer->text = text;
    answer->length = text != NULL ? strlen(text) : 0;
    return text != NULL ? CONTROL_DONE : CONTROL_REFUSED;
}

/* ------------------------------------------------------------------ what they do */

typedef enum control_reply command(struct commands_target *target, const char *argument,
                                   struct control_answer *answer);

static enum control_reply
command_status(struct commands_target *target, const char *argument, struct control_answer *answer)
{
    struct report_source source = target->source(target->master);

    (void)argument;
    return give(answer, report_status(&source));
}

static enum control_reply
command_workers(struct commands_target *target, const char *argument, struct control_answer *answer)
{
    struct report_source source = target->source(target->master);

    (void)argument;
    return give(answer, report_workers(&source));
}

static enum control_reply
command_connections(struct commands_target *target, const char *argument,
                    struct control_answer *answer)
{
    struct report_source source = target->source(target->master);

    (void)argument;
    return give(answer, report_connections(&source));
}

static enum control_reply
command_handlers(struct commands_target *target, const char *argument,
                 struct control_answer *answer)
{
    struct report_source source = target->source(target->master);

    (void)argument;
    return give(answer, report_handlers(&source));
}

static enum control_reply
command_metrics(struct commands_target *target, const char *argument, struct control_answer *answer)
{
    struct report_source source = target->source(target->master);
    FILE *file = open_memstream(&answer->text, &answer->length);
    bool written;

    (void)argument;
    if (file == NULL)
        return CONTROL_REFUSED;
    report_metrics(&source, file);
    written = ferror(file) == 0;
    if (fclose(file) == 0 && written)
        return CONTROL_DONE;
    free(answer->text);
    answer->text = NULL;
    return CONTROL_REFUSED;
}

static enum control_reply
command_reload(struct commands_target *target, const char *argument, struct control_answer *answer)
{
    (void)argument;
    if (target->source(target->master).ending)
        return say(answer, CONTROL_REFUSED, "the service is stopping");
    target->reload(target->master);
    return CONTROL_AFTER_RELOAD;
}

static enum control_reply
command_stop(struct commands_target *target, const char *argument, struct control_answer *answer)
{
    (void)argument;
    target->stop(target->master);
    return say(answer, CONTROL_UNTIL_END, "stopped");
}

/* In the configurations, too, which workers to come are forked with. */
static void
set_level(struct generation *generation, int level)
{
    generation->config->log.level = level;
    for (size_t i = 0; i < generation->slots; i++)
        if (generation->children[i].channel >= 0)
            channel_send(generation->children[i].channel, CHANNEL_LOG_LEVEL, log_level_name(level));
}

static enum control_reply
command_log_level(struct commands_target *target, const char *argument,
                  struct control_answer *answer)
{
    int level = log_level_parse(argument);

    if (level < 0)
        return say(answer, CONTROL_REFUSED,
                   "the level must be error, warning, notice, info or debug");
    log_set_level(level);
    for (struct generation *at = target->source(target->master).all; at != NULL; at = at->next)
        set_level(at, level);
    return say(answer, CONTROL_DONE, "the log level is %s until the next reload", argument);
}

/* ------------------------------------------------------------------ which there are */

static const struct {
    const char *name;
    bool takes_argument;
    command *run;
} commands[] = {
    {"status", false, command_status},
    {"workers", false, command_workers},
    {"connections", false, command_connections},
    {"handlers", false, command_handlers},
    {"metrics", false, command_metrics},
    {"reload", false, command_reload},
    {"stop", false, command_stop},
    {"log-level", true, command_log_level},
};

enum control_reply
commands_run(void *context, const char *name, const char *argument, struct control_answer *answer)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i].name, name) == 0) {
            if (!commands[i].takes_argument && argument[0] != '\0')
                return say(answer, CONTROL_REFUSED, "%s takes no argument", name);
            return commands[i].run(context, argument, answer);
        }
    return say(answer, CONTROL_REFUSED, "there is no command \"%s\"", name);
}
