/*
 * Printing the effective configuration (-T): libconfig's syntax, each value with where it came
 * from, good to be read again. Called by the command line's -T; master process.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config_impl.h"

/* The column where the origins stand, when the values leave room. */
#define ORIGIN_COLUMN 56

static const void *
member(const struct config *config, const struct config_key *key)
{
    return (const char *)config + key->offset;
}

void
config_value_print_string(const char *text, FILE *file)
{
    fputc('"', file);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', file);
        fputc(*text, file);
    }
    fputc('"', file);
}

static void
print_size(uint64_t value, FILE *file)
{
    char text[32];

    config_size_show(value, text, sizeof(text));
    fputs(text, file);
}

static void
print_listen(const struct config *config, FILE *file)
{
    fputs("( ", file);
    for (size_t i = 0; i < config->listen_count; i++) {
        fputs(i > 0 ? ", " : "", file);
        config_value_print_string(config->listen[i].text, file);
    }
    fputs(" )", file);
}

void
config_value_print(const struct config *config, const struct config_key *key, FILE *file)
{
    const void *at = member(config, key);

    switch (key->type) {
    case CONFIG_STRING:
    case CONFIG_PATH:
        config_value_print_string(*(char *const *)at, file);
        break;
    case CONFIG_NAME:
        config_value_print_string(key->choices[*(const int *)at], file);
        break;
    case CONFIG_SWITCH:
        config_value_print_string(key->choices[*(const bool *)at], file);
        break;
    case CONFIG_INT:
        fprintf(file, "%d", *(const int *)at);
        break;
    case CONFIG_BOOL:
        fputs(*(const bool *)at ? "true" : "false", file);
        break;
    case CONFIG_SIZE:
        print_size(*(const uint64_t *)at, file);
        break;
    case CONFIG_LISTEN:
        print_listen(config, file);
        break;
    case CONFIG_PATHS:
    case CONFIG_ACCESS:
        config_list_print(*(char **const *)at, file);
        break;
    case CONFIG_USERS:
        config_users_print(config, file);
        break;
    case CONFIG_CERTIFICATES:
        config_certificates_print(config, file);
        break;
    }
}

/* One line: a buffered statement, and its origin as a comment. */
struct line {
    char *text;
    size_t size;
    FILE *memory;
};

static FILE *
line_begin(struct line *line, int indent)
{
    *line = (struct line){0};
    line->memory = open_memstream(&line->text, &line->size);
    if (line->memory == NULL)
        abort();
    fprintf(line->memory, "%*s", indent, "");
    return line->memory;
}

/* `origin` may hold a file name with anything in it: only printable characters go into the
 * comment. */
static void
line_end(struct line *line, const char *origin, FILE *file)
{
    fclose(line->memory);
    fprintf(file, "%-*s  # ", ORIGIN_COLUMN, line->text);
    for (; *origin != '\0'; origin++)
        fputc((unsigned char)*origin < 0x20 || *origin == 0x7f ? '?' : *origin, file);
    fputc('\n', file);
    free(line->text);
}

static void
print_key(const struct config *config, const struct config_key *key, int indent, FILE *file)
{
    const char *dot = strchr(key->name, '.');
    struct line line;
    FILE *memory = line_begin(&line, indent);

    fprintf(memory, "%s = ", dot == NULL ? key->name : dot + 1);
    config_value_print(config, key, memory);
    fputc(';', memory);
    line_end(&line, config->origins[key - config_keys], file);
}

static void
print_keys(const struct config *config, FILE *file)
{
    size_t open = 0; /* the length of the open group's name */

    for (const struct config_key *key = config_keys; key->name != NULL; key++) {
        const char *dot = strchr(key->name, '.');
        size_t group = dot == NULL ? 0 : (size_t)(dot - key->name);
        bool same = key > config_keys && group == open && group > 0 &&
                    strncmp(key[-1].name, key->name, group + 1) == 0;
        if (open > 0 && !same)
            fputs("};\n", file);
        if (group > 0 && !same)
            fprintf(file, "%.*s = {\n", (int)group, key->name);
        open = group;
        print_key(config, key, group > 0 ? 4 : 0, file);
    }
    if (open > 0)
        fputs("};\n", file);
}

/* What came as text from the command line is printed as what it looks like. */
static doip_option_type
type_of_text(const char *value)
{
    char number[32];

    snprintf(number, sizeof(number), "%lld", strtoll(value, NULL, 10));
    if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0)
        return DOIP_OPTION_BOOL;
    return strcmp(number, value) == 0 ? DOIP_OPTION_INT : DOIP_OPTION_STRING;
}

static void
print_option(const doip_setting *option, FILE *file)
{
    doip_option_type type = option->type != 0 ? option->type : type_of_text(option->value);
    long long number = strtoll(option->value, NULL, 10);

    if (type == DOIP_OPTION_STRING)
        config_value_print_string(option->value, file);
    else if (type == DOIP_OPTION_JSON)
        config_json_print(option->value, file);
    else if (type == DOIP_OPTION_INT)
        fprintf(file, "%lld%s", number, number > INT32_MAX || number < INT32_MIN ? "L" : "");
    else
        fputs(option->value, file);
}

static void
print_patterns(const char *name, char *const *patterns, const char *origin, FILE *file)
{
    struct line line;
    FILE *memory = line_begin(&line, 8);

    fprintf(memory, "%s = ", name);
    config_list_print(patterns, memory);
    fputc(';', memory);
    line_end(&line, origin, file);
}

static void
print_options(const doip_setting *options, FILE *file)
{
    struct line line;

    fputs("        options = {\n", file);
    for (; options->name != NULL; options++) {
        FILE *memory = line_begin(&line, 12);
        fprintf(memory, "%s = ", options->name);
        print_option(options, memory);
        fputc(';', memory);
        line_end(&line, options->where, file);
    }
    fputs("        };\n", file);
}

static void
print_handler(const struct config_handler *handler, FILE *file)
{
    struct line line;
    FILE *memory = line_begin(&line, 4);

    fprintf(memory, "%s = {", handler->name);
    line_end(&line, handler->where, file);
    memory = line_begin(&line, 8);
    fprintf(memory, "enabled = %s;", handler->enabled ? "true" : "false");
    line_end(&line, handler->enabled_where, file);
    print_patterns("targets", handler->targets, handler->targets_where, file);
    print_patterns("operations", handler->operations, handler->operations_where, file);
    print_options(handler->options, file);
    fputs("    };\n", file);
}

void
config_print(const struct config *config, FILE *file)
{
    print_keys(config, file);
    fputs("handler = {\n", file);
    for (size_t i = 0; i < config->handler_count; i++)
        print_handler(&config->handlers[i], file);
    fputs("};\n", file);
}
