/*
 * The scanner under libconfig: files, with all that they include, into one flat text
 * (config_text.h says why). Here are what lies between words, the includes, and the entry
 * points; the words are in config_scan.c. What is refused, is refused with file, line and key.
 * Called by config_read.c; master process, one thread.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_scan.h"

#define INCLUDES_MAX 10
#define TEXT_MAX_BYTES ((size_t)4 * 1024 * 1024)

static bool scan_source(struct scan *scan, const char *file, const char *data, size_t size);

static bool
scan_newline(struct scan *scan)
{
    scan->source.at++;
    scan->source.line++;
    config_text_add(scan->text, '\n');
    config_text_add_line(scan->text, scan->source.file, scan->source.line);
    return true;
}

static bool
scan_line_comment(struct scan *scan)
{
    while (scan->source.at < scan->source.end && *scan->source.at != '\n')
        scan->source.at++;
    return true;
}

static bool
scan_block_comment(struct scan *scan)
{
    int line = scan->source.line;

    config_text_add(scan->text, ' ');
    for (scan->source.at += 2; scan->source.at < scan->source.end;) {
        if (scan->source.at[0] == '*' && scan->source.at[1] == '/') {
            scan->source.at += 2;
            return true;
        }
        if (*scan->source.at == '\n')
            scan_newline(scan);
        else
            scan->source.at++;
    }
    return config_scan_fail(scan, scan->source.file, line,
                            "this comment never ends: */ is missing");
}

/* Reads the path of an @include, relative to the including file; NULL with the reason.
 * malloc'd. */
static char *
include_path(struct scan *scan)
{
    struct source *source = &scan->source;

    source->at += strlen("@include");
    while (source->at < source->end && (*source->at == ' ' || *source->at == '\t'))
        source->at++;
    const char *start = source->at;
    if (start == source->end || *start != '"') {
        scan_fail_here(scan, "@include needs a file name in quotes");
        return NULL;
    }
    if (!config_scan_skip_string(scan))
        return NULL;
    const char *slash = start[1] == '/' ? NULL : strrchr(source->file, '/');
    int directory = slash == NULL ? 0 : (int)(slash + 1 - source->file);
    return config_format("%.*s%.*s", directory, source->file, (int)(source->at - start - 2),
                         start + 1);
}

/* Scans another file in the place of the @include. Its lines take the output's current line
 * over, and give it back. */
static bool
scan_included(struct scan *scan, const char *path)
{
    struct config_text *text = scan->text;
    size_t size = 0;
    char *data = config_text_load(path, &size);

    if (data == NULL)
        return scan_fail_here(scan, "cannot include %s: %s", path, strerror(errno));
    struct source outer = scan->source;
    text->line_count--;
    scan->includes++;
    bool good = scan_source(scan, path, data, size);
    scan->includes--;
    scan->source = outer;
    free(data);
    text->lines[text->line_count - 1] = (struct config_place){outer.file, outer.line};
    return good;
}

static bool
scan_include(struct scan *scan)
{
    if (scan->source.end - scan->source.at < 8 || strncmp(scan->source.at, "@include", 8) != 0)
        return scan_fail_here(scan, "@ does not belong here, but for @include \"file\"");
    if (scan->includes == INCLUDES_MAX)
        return scan_fail_here(scan, "included more than %d deep: does the file include itself?",
                              INCLUDES_MAX);
    char *path = include_path(scan);
    bool good = path != NULL && scan_included(scan, path);
    free(path);
    return good;
}

static bool
scan_blank(struct scan *scan)
{
    config_text_add(scan->text, ' ');
    scan->source.at++;
    return true;
}

/* What lies between words; it does not part a string from the comma behind it. */
static bool
scan_gap(struct scan *scan, char c)
{
    switch (c) {
    case '\n':
        return scan_newline(scan);
    case '#':
        return scan_line_comment(scan);
    case '/':
        return scan->source.at[1] == '*' ? scan_block_comment(scan) : scan_line_comment(scan);
    case '@':
        return scan_include(scan);
    default:
        return scan_blank(scan);
    }
}

static bool
is_gap(const char *at)
{
    return isspace((unsigned char)*at) || *at == '#' || *at == '@' ||
           (*at == '/' && (at[1] == '/' || at[1] == '*'));
}

/* The data of every source has a NUL behind its end. */
static bool
scan_source(struct scan *scan, const char *file, const char *data, size_t size)
{
    const char *name = config_text_add_file(scan->text, file);

    scan->source = (struct source){name, data, data + size, 1};
    config_text_add_line(scan->text, name, 1);
    while (scan->source.at < scan->source.end) {
        char c = *scan->source.at;
        if (!(is_gap(scan->source.at) ? scan_gap(scan, c) : config_scan_word(scan, c)))
            return false;
        if (scan->text->used > TEXT_MAX_BYTES)
            return scan_fail_here(scan, "more than %zu bytes with all that is included",
                                  TEXT_MAX_BYTES);
    }
    if (scan->text->used > 0 && scan->text->data[scan->text->used - 1] == '\n')
        return true;
    /* a last line without its newline gets one */
    return scan_newline(scan);
}

bool
config_text_parse(struct config_text *text, const char *file, const char *data, char *reason,
                  size_t size)
{
    struct scan scan = {.text = text, .reason = reason, .size = size};

    *text = (struct config_text){0};
    if (!scan_source(&scan, file, data, strlen(data)))
        return false;
    config_text_add(text, '\0');
    if (scan.depth == 0)
        return true;
    const struct level *open = &scan.levels[scan.depth];
    struct config_place place = open->place;
    char closing = open->closing;
    scan.depth--;
    return config_scan_fail(&scan, place.file, place.line,
                            "the bracket opened here is never closed: %c is missing", closing);
}

bool
config_text_read(struct config_text *text, const char *file, char *reason, size_t size)
{
    size_t length = 0;
    char *data = config_text_load(file, &length);

    *text = (struct config_text){0};
    if (data == NULL) {
        snprintf(reason, size, "%s: cannot read the configuration: %s", file, strerror(errno));
        return false;
    }
    bool good = strlen(data) == length;
    if (good)
        good = config_text_parse(text, file, data, reason, size);
    else
        snprintf(reason, size, "%s: a NUL byte: this is no text file", file);
    free(data);
    return good;
}
