/*
 * How `doip-store` speaks (tool.h): results on stdout, everything else on stderr.
 */
#include <doip/json.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

enum { DRAW_EVERY_MS = 500 };

int
complain(int status, const char *format, ...)
{
    char text[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    fputs("doip-store: ", stderr);
    say_text(stderr, text);
    fputc('\n', stderr);
    return status;
}

void
say_text(FILE *out, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    for (; *at != '\0'; at++) {
        if (*at < 0x20 || *at == 0x7f)
            fprintf(out, "\\x%02x", *at);
        else if (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0)
            fprintf(out, "\\u%04x", *++at);
        else
            fputc(*at, out);
    }
}

/* ------------------------------------------------------------------ results */

static void
say_size(FILE *out, double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t unit = 0;

    while (bytes >= 1023.95 && unit < sizeof(units) / sizeof(*units) - 1) {
        bytes /= 1024;
        unit++;
    }
    fprintf(out, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}

static bool
ends_in(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);

    return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* A number: of what kind, its name tells. */
static void
say_number(const char *name, json_int_t number)
{
    time_t seconds = (time_t)(number / 1000);
    struct tm time;
    char text[32];

    if ((ends_in(name, "Bytes") || strcmp(name, "bytes") == 0) && number >= 1024) {
        printf("%lld (", (long long)number);
        say_size(stdout, (double)number);
        putchar(')');
    } else if (ends_in(name, "On") && gmtime_r(&seconds, &time) != NULL) {
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &time);
        fputs(text, stdout);
    } else {
        printf("%lld", (long long)number);
    }
}

static void
say_members(const json_t *object, int depth)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)object, name, value)
    {
        printf("%*s", 2 * depth, "");
        say_text(stdout, name);
        putchar(':');
        putchar(json_is_object(value) ? '\n' : ' ');
        if (json_is_object(value)) {
            say_members(value, depth + 1);
            continue;
        }
        if (json_is_integer(value))
            say_number(name, json_integer_value(value));
        else if (json_is_string(value))
            say_text(stdout, json_string_value(value));
        else
            fputs(json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "none", stdout);
        putchar('\n');
    }
}

int
say_result(json_t *result, bool json, int status)
{
    char *text = json ? doip_json_text(result, NULL) : NULL;

    if (result == NULL || (json && text == NULL))
        status = complain(EXIT_WRONG, "memory is short");
    else if (json)
        puts(text);
    else
        say_members(result, 0);
    free(text);
    json_decref(result);
    if (fflush(stdout) != 0)
        return complain(EXIT_WRONG, "the result can't be written to the standard output");
    return status;
}

/* ------------------------------------------------------------------ progress */

void
progress_add(struct progress *progress, uint64_t bytes)
{
    struct timespec time;
    int64_t now;

    progress->done += bytes;
    if (!isatty(STDERR_FILENO))
        return;
    clock_gettime(CLOCK_MONOTONIC, &time);
    now = (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
    if (progress->drawn == 0)
        progress->drawn = now;
    if (now - progress->drawn < DRAW_EVERY_MS)
        return;
    progress->drawn = now;
    progress->shown = true;
    fprintf(stderr, "\r%s ", progress->what);
    say_size(stderr, (double)progress->done);
    if (progress->total > 0) {
        fputs(" of ", stderr);
        say_size(stderr, (double)progress->total);
    }
    fputs("\x1b[K", stderr);
}

void
progress_clear(struct progress *progress)
{
    if (progress->shown)
        fputs("\r\x1b[K", stderr);
    progress->shown = false;
}
