/*
 * The options of a handler: the settings of its section, checked against the table in its
 * descriptor, for open(). Made by each worker before it calls open(), and by doipd -t; kept as long
 * as the worker, unchanged after open().
 */
#include <doip/json.h>
#include <doip/server.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

#define OPEN_REASON_SIZE 1024

struct value {
    const doip_option *option; /* the descriptor's */
    char *text;
    char *where; /* NULL: it is the default */
    union {
        int64_t integer;
        uint64_t size;
        bool truth;
        json_t *json; /* NULL: none */
    };
};

struct doip_options {
    const char *handler; /* its name; the descriptor's */
    char *service;
    char *state_directory;
    struct value *values;
    size_t count;
    char *reason; /* behind a pointer: open() may set it in what is constant to it otherwise */
};

/* ------------------------------------------------------------------ values */

static bool
parse_int(const char *text, int64_t *integer)
{
    const char *digits = *text == '-' ? text + 1 : text;

    if (*digits == '\0' || digits[strspn(digits, "0123456789")] != '\0')
        return false;
    errno = 0;
    *integer = strtoll(text, NULL, 10);
    return errno == 0;
}

static bool
parse_bool(const char *text, bool *truth)
{
    *truth = strcmp(text, "true") == 0;
    return *truth || strcmp(text, "false") == 0;
}

/* Powers of two that a size's suffix stands for; -1 for an unknown one. */
static int
suffix_shift(const char *suffix)
{
    static const char letters[] = "KMGT";
    const char *letter;

    if (*suffix == '\0')
        return 0;
    letter = strchr(letters, *suffix & ~0x20);
    return letter != NULL && *letter != '\0' && suffix[1] == '\0' ? 10 * (int)(letter - letters + 1)
                                                                  : -1;
}

static bool
parse_size(const char *text, uint64_t *size)
{
    char *suffix;
    int shift;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *size = strtoull(text, &suffix, 10);
    shift = suffix_shift(suffix);
    if (errno != 0 || shift < 0 || *size > UINT64_MAX >> shift)
        return false;
    *size <<= shift;
    return true;
}

/* Nothing at all is no value. */
static bool
parse_json(const char *text, json_t **json)
{
    char reason[128];

    json_decref(*json);
    *json = *text == '\0' ? NULL : doip_json_parse(text, strlen(text), reason, sizeof reason);
    return *text == '\0' || json_is_object(*json) || json_is_array(*json);
}

/* Gives a value its text; NULL, or what would be right. */
static const char *
value_set(struct value *value, const char *text)
{
    bool good = true;

    free(value->text);
    value->text = strdup(text); /* -fanalyzer: it stays with the value, which doip_options_free() frees */
    switch (value->option->type) {
    case DOIP_OPTION_STRING:
        break;
    case DOIP_OPTION_INT:
        good = parse_int(text, &value->integer);
        return good ? NULL : "an integer";
    case DOIP_OPTION_BOOL:
        good = parse_bool(text, &value->truth);
        return good ? NULL : "true or false";
    case DOIP_OPTION_SIZE:
        good = parse_size(text, &value->size);
        return good ? NULL : "a size: bytes, or a number with K, M, G or T";
    case DOIP_OPTION_JSON:
        good = parse_json(text, &value->json);
        return good ? NULL : "a group or a list, or the text of a JSON object or array";
    default:
        return "of a type that exists";
    }
    /* -fanalyzer: as above */
    return value->text != NULL ? NULL : "kept: memory is short";
}

/* ------------------------------------------------------------------ checking */

/* Where a reason goes, and whose options these are. */
struct check {
    const doip_descriptor *descriptor;
    char *reason;
    size_t size;
};

__attribute__((format(printf, 3, 4))) static bool
check_fail(const struct check *check, const char *where, const char *format, ...)
{
    size_t used = 0;
    va_list arguments;

    if (check->size == 0)
        return false;
    if (where != NULL)
        used = (size_t)snprintf(check->reason, check->size, "%s: ", where);
    if (used < check->size) {
        va_start(arguments, format);
        vsnprintf(check->reason + used, check->size - used, format, arguments);
        va_end(arguments);
    }
    text_make_valid(check->reason);
    return false;
}

static bool
fail_unknown(const struct check *check, const doip_setting *setting)
{
    const doip_option *option = check->descriptor->options;
    char known[512] = "none";
    size_t used = 0;

    for (; option != NULL && option->name != NULL && used < sizeof known; option++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used > 0 ? ", " : "",
                                 option->name);
    return check_fail(check, setting->where, "handler %s has no option `%s`; it has: %s",
                      check->descriptor->name, setting->name, known);
}

static struct value *
find(const doip_options *options, const char *name)
{
    for (size_t i = 0; i < options->count; i++)
        if (strcmp(options->values[i].option->name, name) == 0)
            return &options->values[i];
    return NULL;
}

/* NULL where the setting was written as its option wants it, else what would be right. */
static const char *
written_wrong(const doip_option *option, const doip_setting *setting)
{
    doip_option_type type = setting->type;

    if (type == 0 || type == option->type ||
        (option->type == DOIP_OPTION_SIZE &&
         (type == DOIP_OPTION_INT || type == DOIP_OPTION_STRING)) ||
        (option->type == DOIP_OPTION_JSON && type == DOIP_OPTION_STRING))
        return NULL;
    switch (option->type) {
    case DOIP_OPTION_STRING:
        return "a string, in quotes";
    case DOIP_OPTION_INT:
        return "an integer, without quotes";
    case DOIP_OPTION_BOOL:
        return "true or false, without quotes";
    case DOIP_OPTION_JSON:
        return "a group or a list";
    default:
        return "a size: bytes, or a number with K, M, G or T in quotes";
    }
}

static bool
apply_setting(doip_options *options, const struct check *check, const doip_setting *setting)
{
    struct value *value = find(options, setting->name);
    const char *due;

    if (value == NULL)
        return fail_unknown(check, setting);
    free(value->where);
    value->where = setting->where == NULL ? NULL : strdup(setting->where);
    due = value_set(value, setting->value);
    if (due == NULL)
        due = written_wrong(value->option, setting);
    if (due == NULL)
        return true;
    return check_fail(check, setting->where, "option `%s` of handler %s must be %s, not \"%s\"",
                      setting->name, check->descriptor->name, due, setting->value);
}

/* A default that the table leaves out is "", 0 or false. */
static bool
apply_default(const struct check *check, struct value *value, const doip_option *option)
{
    static const char *const nothing[] = {[DOIP_OPTION_STRING] = "",
                                          [DOIP_OPTION_INT] = "0",
                                          [DOIP_OPTION_BOOL] = "false",
                                          [DOIP_OPTION_SIZE] = "0",
                                          [DOIP_OPTION_JSON] = ""};
    const char *text = option->value;
    const char *due;

    value->option = option;
    if (text == NULL && option->type >= DOIP_OPTION_STRING && option->type <= DOIP_OPTION_JSON)
        text = nothing[option->type];
    due = value_set(value, text != NULL ? text : "");
    if (due == NULL)
        return true;
    return check_fail(check, NULL,
                      "handler %s: the default of its option `%s` must be %s, not \"%s\"",
                      check->descriptor->name, option->name, due, text != NULL ? text : "");
}

/* ------------------------------------------------------------------ making and freeing */

static void
value_fini(struct value *value)
{
    free(value->text);
    free(value->where);
    if (value->option != NULL && value->option->type == DOIP_OPTION_JSON)
        json_decref(value->json);
}

static size_t
table_size(const doip_descriptor *descriptor)
{
    size_t count = 0;

    while (descriptor->options != NULL && descriptor->options[count].name != NULL)
        count++;
    return count;
}

static bool
apply_all(doip_options *options, const struct check *check, const doip_setting *settings)
{
    size_t count = options->count;

    for (size_t i = 0; i < count; i++)
        if (!apply_default(check, &options->values[i], &check->descriptor->options[i]))
            return false;
    for (; settings != NULL && settings->name != NULL; settings++)
        if (!apply_setting(options, check, settings))
            return false;
    return true;
}

doip_options *
doip_options_new(const doip_descriptor *descriptor, const char *service,
                 const char *state_directory, const doip_setting *settings, char *reason,
                 size_t size)
{
    const struct check check = {descriptor, reason, size};
    doip_options *options = calloc(1, sizeof *options);
    bool good = options != NULL;

    if (good) {
        options->handler = descriptor->name;
        options->count = table_size(descriptor);
        options->values = calloc(options->count + 1, sizeof *options->values);
        options->service = strdup(service);
        options->state_directory = strdup(state_directory);
        options->reason = calloc(1, OPEN_REASON_SIZE);
        good = options->values != NULL && options->service != NULL &&
               options->state_directory != NULL && options->reason != NULL;
    }
    if (!good)
        check_fail(&check, NULL, "handler %s: memory is short", descriptor->name);
    else
        good = apply_all(options, &check, settings);
    if (!good)
        doip_options_free(&options);
    return options;
}

void
doip_options_free(doip_options **options)
{
    doip_options *old = *options;

    if (old == NULL)
        return;
    for (size_t i = 0; old->values != NULL && i < old->count; i++)
        value_fini(&old->values[i]);
    free(old->values);
    free(old->service);
    free(old->state_directory);
    free(old->reason);
    free(old);
    *options = NULL;
}

/* ------------------------------------------------------------------ for open() */

/* The value of an option that the table has with that type; anything else is a fault in the
 * handler's code. */
static const struct value *
value_of(const doip_options *options, const char *name, doip_option_type type)
{
    const struct value *value = find(options, name);

    if (value != NULL && value->option->type == type)
        return value;
    fprintf(stderr, "handler %s asks for its option `%s`, which its table %s\n", options->handler,
            name, value == NULL ? "does not have" : "has with another type");
    abort();
}

const char *
doip_option_string(const doip_options *options, const char *name)
{
    return value_of(options, name, DOIP_OPTION_STRING)->text;
}

int64_t
doip_option_int(const doip_options *options, const char *name)
{
    return value_of(options, name, DOIP_OPTION_INT)->integer;
}

bool
doip_option_bool(const doip_options *options, const char *name)
{
    return value_of(options, name, DOIP_OPTION_BOOL)->truth;
}

uint64_t
doip_option_size(const doip_options *options, const char *name)
{
    return value_of(options, name, DOIP_OPTION_SIZE)->size;
}

const json_t *
doip_option_json(const doip_options *options, const char *name)
{
    return value_of(options, name, DOIP_OPTION_JSON)->json;
}

const char *
doip_option_where(const doip_options *options, const char *name)
{
    const struct value *value = find(options, name);

    return value == NULL || value->where == NULL ? "default" : value->where;
}

const char *
doip_options_service(const doip_options *options)
{
    return options->service;
}

const char *
doip_options_state_directory(const doip_options *options)
{
    return options->state_directory;
}

doip_result
doip_open_fail(const doip_options *options, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(options->reason, OPEN_REASON_SIZE, format, arguments);
    va_end(arguments);
    text_make_valid(options->reason);
    return DOIP_FAILED;
}

const char *
doip_options_reason(const doip_options *options)
{
    return options->reason;
}
