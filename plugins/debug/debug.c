/*
 * The debug handler: makes every hook of a handler fail, stall, crash or over-produce on request, so that tests can see what
 * the daemon does about it. Each action is an extended operation, "20.DOIP/Debug.Echo" and so on, on any target. The seven
 * basic hooks decline, unless the request has an attribute `debug` with an action's name, or is about an object "debug/…":
 * that then is the action's turn (Info where none is named). open() and close() misbehave by options.
 * Runs in the worker's threads; loaded by the tests' daemons only, never installed.
 */
#include "debug.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PREFIX "20.DOIP/Debug."

static const struct {
    const char *name;
    debug_action action;
} actions[] = {
#define ROW(name, function) {#name, function},
    DEBUG_ANSWERS(ROW) DEBUG_FAULTS(ROW) DEBUG_HOSTILE(ROW) DEBUG_LATER(ROW)
#undef ROW
};

static const char *const operations[] = {
#define ROW(name, function) PREFIX #name,
    DEBUG_ANSWERS(ROW) DEBUG_FAULTS(ROW) DEBUG_HOSTILE(ROW) DEBUG_LATER(ROW)
#undef ROW
    NULL,
};

static const doip_option options_table[] = {
    {"text", DOIP_OPTION_STRING, "none", "given back by State"},
    {"number", DOIP_OPTION_INT, "7", "given back by State"},
    {"flag", DOIP_OPTION_BOOL, "false", "given back by State"},
    {"size", DOIP_OPTION_SIZE, "64K", "given back by State"},
    {"fail_open", DOIP_OPTION_STRING, "", "open() fails with this reason"},
    {"fail_silently", DOIP_OPTION_BOOL, "false", "open() fails without a reason"},
    {"crash_open", DOIP_OPTION_BOOL, "false", "open() crashes"},
    {"exit_open", DOIP_OPTION_BOOL, "false", "open() calls _exit(0)"},
    {"slow_open", DOIP_OPTION_INT, "0", "open() takes so many milliseconds"},
    {"close_file", DOIP_OPTION_STRING, "", "close() appends a line with its pid to this file"},
    {"slow_close", DOIP_OPTION_INT, "0", "close() takes so many milliseconds"},
    {NULL, DOIP_OPTION_STRING, NULL, NULL},
};

static int64_t slow_close;

static struct debug *
debug_new(const doip_options *options)
{
    struct debug *debug = calloc(1, sizeof(*debug));

    if (debug == NULL)
        return NULL;
    debug->text = strdup(doip_option_string(options, "text"));
    debug->close_file = strdup(doip_option_string(options, "close_file"));
    debug->number = doip_option_int(options, "number");
    debug->flag = doip_option_bool(options, "flag");
    debug->size = doip_option_size(options, "size");
    if (debug->text != NULL && debug->close_file != NULL)
        return debug;
    free(debug->text);
    free(debug->close_file);
    free(debug);
    return NULL;
}

static doip_result
debug_open(const doip_options *options, void **state)
{
    const char *reason = doip_option_string(options, "fail_open");

    debug_sleep(doip_option_int(options, "slow_open"));
    if (doip_option_bool(options, "crash_open"))
        raise(SIGSEGV);
    if (doip_option_bool(options, "exit_open"))
        _exit(0);
    if (doip_option_bool(options, "fail_silently"))
        return DOIP_FAILED;
    if (reason[0] != '\0')
        return doip_open_fail(options, "%s", reason);
    slow_close = doip_option_int(options, "slow_close");
    *state = debug_new(options);
    return *state == NULL ? doip_open_fail(options, "out of memory") : DOIP_OK;
}

static void
debug_close(void *state)
{
    struct debug *debug = state;
    int fd;

    debug_later_end();
    debug_sleep(slow_close);
    if (debug->close_file[0] != '\0') {
        fd = open(debug->close_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (fd >= 0) {
            dprintf(fd, "closed %ld\n", (long)getpid());
            close(fd);
        }
    }
    free(debug->text);
    free(debug->close_file);
    free(debug);
}

/* `authentication` with a member "debug": who the client then is, or what shall go wrong. */
static doip_result
debug_authenticate(doip_request *request, const json_t *authentication)
{
    const char *wish = json_string_value(json_object_get(authentication, "debug"));

    if (wish == NULL)
        return DOIP_DECLINED;
    if (strcmp(wish, "refuse") == 0)
        return DOIP_FAILED;
    if (strcmp(wish, "nobody") != 0)
        doip_request_set_client(request, wish, NULL);
    return DOIP_OK;
}

DOIP_HANDLER(.name = "debug", .version = "1.0", .flags = DOIP_THREAD_SAFE, .operations = operations,
             .options = options_table, .open = debug_open, .close = debug_close,
             .authenticate = debug_authenticate);

static debug_action
find(const char *name)
{
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
        if (strcmp(actions[i].name, name) == 0)
            return actions[i].action;
    return NULL;
}

/* What each of the seven basic hooks does. */
static doip_result
hook(doip_request *request, doip_response *response)
{
    const char *name = NULL;
    debug_action action;

    if (doip_attribute_string(request, "debug", &name) != DOIP_OK)
        return DOIP_FAILED;
    if (name == NULL && strncmp(doip_request_target(request), "debug/", 6) != 0)
        return DOIP_DECLINED;
    action = find(name != NULL ? name : "Info");
    return action == NULL ? doip_fail_invalid(response, "no debug action %s", name) : action(request, response);
}

#define HOOK(name)                                                                                 \
    DOIP_EXPORT doip_result name(doip_request *request, doip_response *response)                   \
    {                                                                                              \
        return hook(request, response);                                                            \
    }

HOOK(hello)
HOOK(create)
HOOK(retrieve)
HOOK(update)
HOOK(delete)
HOOK(search)
HOOK(list)

DOIP_EXPORT doip_result
extended(doip_request *request, doip_response *response)
{
    const char *operation = doip_request_operation(request);
    debug_action action = NULL;

    if (strncmp(operation, PREFIX, strlen(PREFIX)) == 0)
        action = find(operation + strlen(PREFIX));
    return action == NULL ? DOIP_DECLINED : action(request, response);
}
