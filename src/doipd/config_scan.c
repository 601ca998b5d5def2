/*
 * The words of configuration text: strings, numbers, names and brackets, each passed on to the
 * flat text (config_text.h says why) with what libconfig needs to read it rightly. It knows
 * words, not grammar. Called by config_source.c; master process, one thread.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config_scan.h"

/* The current key with the groups around it: "tls.key", "listen[1]". */
static void
scan_path(const struct scan *scan, char *path, size_t size)
{
    size_t used = 0;

    path[0] = '\0';
    for (int i = 0; i <= scan->depth && used < size; i++) {
        const struct level *level = &scan->levels[i];
        int length = 0;
        if (level->closing == ')' || level->closing == ']')
            length = snprintf(path + used, size - used, "[%d]", level->index);
        else if (level->name[0] != '\0')
            length = snprintf(path + used, size - used, "%s%s", used > 0 ? "." : "", level->name);
        used += (size_t)length;
    }
}

bool
config_scan_fail(struct scan *scan, const char *file, int line, const char *format, ...)
{
    char path[LEVELS_MAX * (NAME_MAX_BYTES + 2)];
    char message[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    scan_path(scan, path, sizeof(path));
    snprintf(scan->reason, scan->size, "%s:%d: %s%s%s", file, line, path,
             path[0] != '\0' ? ": " : "", message);
    return false;
}

static void
emit(struct scan *scan, const char *from, size_t length)
{
    for (size_t i = 0; i < length; i++)
        config_text_add(scan->text, from[i]); /* NOLINT(clang-analyzer-core.CallAndMessage): all callers know the length */
}

/* Moves behind a string's closing quote. */
bool
config_scan_skip_string(struct scan *scan)
{
    struct source *source = &scan->source;

    for (source->at++; source->at < source->end && *source->at != '\n'; source->at++) {
        if (*source->at == '"') {
            source->at++;
            return true;
        }
        if (*source->at == '\0' || strncasecmp(source->at, "\\x00", 4) == 0)
            return scan_fail_here(scan, "a NUL byte can't be part of a string");
        if (*source->at == '\\' && source->at + 1 < source->end && source->at[1] != '\n')
            source->at++;
    }
    return scan_fail_here(scan, "this string never ends: \" is missing");
}

static bool
scan_string(struct scan *scan)
{
    const char *start = scan->source.at;

    if (!config_scan_skip_string(scan))
        return false;
    emit(scan, start, (size_t)(scan->source.at - start));
    scan->string_end = scan->text->used;
    return true;
}

/* Emits a whole number; one beyond 32 bits needs an L, or libconfig 1.5 cuts it. */
static bool
scan_integer(struct scan *scan, const char *word, const char *digits)
{
    char *rest;

    errno = 0;
    long long value = strtoll(word, &rest, digits == NULL ? 16 : 10);
    if (errno == ERANGE)
        return scan_fail_here(scan, "%s is beyond 64 bits", word);
    emit(scan, word, strlen(word));
    if (*rest == '\0' && (value > INT32_MAX || value < INT32_MIN))
        config_text_add(scan->text, 'L');
    return true;
}

static bool
scan_number(struct scan *scan)
{
    char word[80];
    size_t length = 0;

    while (scan->source.at < scan->source.end && length < sizeof(word) - 1 &&
           (isalnum((unsigned char)*scan->source.at) || strchr("+-._", *scan->source.at) != NULL) &&
           *scan->source.at != '\0')
        word[length++] = *scan->source.at++;
    word[length] = '\0';

    const char *digits = word + strspn(word, "+-");
    bool hex = strncasecmp(word, "0x", 2) == 0;
    const char *rest = hex ? word + 2 + strspn(word + 2, "0123456789abcdefABCDEF")
                           : digits + strspn(digits, "0123456789");
    if (rest > digits && (*rest == '\0' || strcmp(rest, "L") == 0 || strcmp(rest, "LL") == 0))
        return scan_integer(scan, word, hex ? NULL : digits);
    char *end;
    (void)strtod(word, &end);
    if (*end != '\0')
        return scan_fail_here(scan, "%s is no number; anything else is written in quotes: \"%s\"",
                              word, word);
    emit(scan, word, length);
    return true;
}

static bool
is_name(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '*';
}

static bool
scan_name(struct scan *scan)
{
    const char *start = scan->source.at;
    char path[LEVELS_MAX * (NAME_MAX_BYTES + 2)];

    while (scan->source.at < scan->source.end && is_name(*scan->source.at))
        scan->source.at++;
    size_t length = (size_t)(scan->source.at - start);
    emit(scan, start, length);
    if ((length == 4 && strncasecmp(start, "true", 4) == 0) ||
        (length == 5 && strncasecmp(start, "false", 5) == 0))
        return true;
    if (length > NAME_MAX_BYTES)
        return scan_fail_here(scan, "a name of more than %d characters", NAME_MAX_BYTES);
    struct level *level = &scan->levels[scan->depth];
    memcpy(level->name, start, length);
    level->name[length] = '\0';
    scan_path(scan, path, sizeof(path));
    config_text_add_name(scan->text, path);
    return true;
}

static bool
scan_open(struct scan *scan, char closing)
{
    if (scan->depth + 1 == LEVELS_MAX)
        return scan_fail_here(scan, "more than %d brackets inside one another", LEVELS_MAX - 1);
    scan->levels[++scan->depth] =
        (struct level){.closing = closing, .place = {scan->source.file, scan->source.line}};
    config_text_add(scan->text, *scan->source.at++);
    return true;
}

/* A `,`, `)` or `]` behind a string is moved up to it, over the newlines between: libconfig
 * takes the string's line only when it sees what follows. */
static void
emit_after_string(struct scan *scan, char c)
{
    if (scan->string_end > 0)
        config_text_insert(scan->text, scan->string_end, c);
    else
        config_text_add(scan->text, c);
    scan->source.at++;
}

static bool
scan_close(struct scan *scan, char c)
{
    const struct level *level = &scan->levels[scan->depth];

    if (scan->depth == 0)
        return scan_fail_here(scan, "%c closes nothing that is open", c);
    if (level->closing != c) {
        struct config_place place = level->place;
        char wanted = level->closing;
        scan->depth--;
        return scan_fail_here(scan, "%c where %c is due, for the bracket opened at %s:%d", c,
                              wanted, place.file, place.line);
    }
    scan->depth--;
    if (c == '}')
        config_text_add(scan->text, *scan->source.at++);
    else
        emit_after_string(scan, c);
    return true;
}

static bool
scan_sign(struct scan *scan, char c)
{
    switch (c) {
    case '{':
        return scan_open(scan, '}');
    case '(':
        return scan_open(scan, ')');
    case '[':
        return scan_open(scan, ']');
    case '}':
    case ')':
    case ']':
        return scan_close(scan, c);
    case ',':
        scan->levels[scan->depth].index++;
        emit_after_string(scan, c);
        return true;
    case '=':
    case ':':
    case ';':
        config_text_add(scan->text, c);
        scan->source.at++;
        return true;
    default:
        return scan_fail_here(scan,
                              isprint((unsigned char)c) ? "%c does not belong here"
                                                        : "byte 0x%02x does not belong here",
                              (unsigned char)c);
    }
}

bool
config_scan_word(struct scan *scan, char c)
{
    bool good;

    if (c == '"')
        return scan_string(scan);
    if (isalpha((unsigned char)c) || c == '*' || c == '_')
        good = scan_name(scan);
    else if (isdigit((unsigned char)c) || c == '+' || c == '-' || c == '.')
        good = scan_number(scan);
    else
        good = scan_sign(scan, c);
    scan->string_end = 0;
    return good;
}
