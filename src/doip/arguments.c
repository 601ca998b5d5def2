/*
 * The parsers for what is written on the command line. Called while the commands of `doip` get
 * ready, before anything is connected; nothing here talks to a server.
 */
#include "arguments.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <doip/json.h>

/* More than any argument is worth; a search for @/dev/zero ends here. */
#define ARGUMENT_FILE_MAX ((size_t)64 << 20)

/* ------------------------------------------------------------------ HOST:PORT */

static bool
argument_port(const char *text, int *port, char *reason, size_t size)
{
    int64_t number;

    if (!argument_number(text, 65535, &number, reason, size) || number == 0) {
        snprintf(reason, size, "%s is no port number", text);
        return false;
    }
    *port = (int)number;
    return true;
}

/* Where the host ends: at the bracket, at the only colon, or (a bare IPv6 address has several) at
 * the end. */
static size_t
argument_host_length(const char *text)
{
    const char *colon = strchr(text, ':');

    if (text[0] == '[')
        return strcspn(text, "]");
    return colon != NULL && strchr(colon + 1, ':') == NULL ? (size_t)(colon - text) : strlen(text);
}

bool
argument_server(const char *text, char host[ARGUMENT_HOST_MAX], int *port, char *reason,
                size_t size)
{
    bool bracket = text[0] == '[';
    size_t length = argument_host_length(text);
    const char *rest = text + length;

    if (bracket && *rest == ']') {
        text++;
        length--;
        rest++;
    }
    if (length == 0 || length >= ARGUMENT_HOST_MAX || (bracket && rest[-1] != ']') ||
        (*rest != '\0' && *rest != ':')) {
        snprintf(reason, size, "a server is HOST, HOST:PORT or [ADDRESS]:PORT");
        return false;
    }
    memcpy(host, text, length);
    host[length] = '\0';
    return *rest == '\0' || argument_port(rest + 1, port, reason, size);
}

/* ------------------------------------------------------------------ elements, ranges, numbers,
 * pins */

static const char *
argument_last(const char *text, const char *part)
{
    const char *last = NULL;

    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part))
        last = at;
    return last;
}

bool
argument_element_parse(const char *text, argument_element *element, char *reason, size_t size)
{
    const char *file = strchr(text, '=');
    const char *type = file != NULL ? argument_last(file, ";type=") : NULL;
    size_t length;

    memset(element, 0, sizeof(*element));
    length = file == NULL ? 0 : (type != NULL ? (size_t)(type - file) : strlen(file)) - 1;
    if (file == NULL || file == text || length == 0 || (type != NULL && type[6] == '\0')) {
        snprintf(reason, size, "an element is ID=FILE or ID=FILE;type=MIME, not %s", text);
        return false;
    }
    element->id = strndup(text, (size_t)(file - text));
    element->file = strndup(file + 1, length);
    element->type = type != NULL ? strdup(type + 6) : NULL;
    if (element->id != NULL && element->file != NULL && (type == NULL || element->type != NULL))
        return true;
    argument_element_fini(element);
    snprintf(reason, size, "out of memory");
    return false;
}

void
argument_element_fini(argument_element *element)
{
    free(element->id);
    free(element->file);
    free(element->type);
    memset(element, 0, sizeof(*element));
}

bool
argument_number(const char *text, int64_t most, int64_t *number, char *reason, size_t size)
{
    int64_t value = 0;
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || text[digits] != '\0') {
        snprintf(reason, size, "%s is no number", text);
        return false;
    }
    for (; *text != '\0'; text++) {
        if (value > (most - (*text - '0')) / 10) {
            snprintf(reason, size, "the most is %lld", (long long)most);
            return false;
        }
        value = value * 10 + (*text - '0');
    }
    *number = value;
    return true;
}

bool
argument_range(const char *text, int64_t *start, int64_t *end, char *reason, size_t size)
{
    const char *dash = strchr(text, '-');
    char first[24] = "";
    bool fits = dash != NULL && dash - text < (long)sizeof(first);

    *start = *end = -1;
    if (fits)
        memcpy(first, text, (size_t)(dash - text));
    if (!fits || (first[0] == '\0' && dash[1] == '\0') ||
        (first[0] != '\0' && !argument_number(first, INT64_MAX, start, reason, size)) ||
        (dash[1] != '\0' && !argument_number(dash + 1, INT64_MAX, end, reason, size))) {
        snprintf(reason, size, "a range is FIRST-LAST, FIRST- or -LAST, in bytes from 0, not %s",
                 text);
        return false;
    }
    if (*end >= 0 && *start > *end) {
        snprintf(reason, size, "a range can't begin after its end, as %s does", text);
        return false;
    }
    return true;
}

bool
argument_pin(const char *text, char pin[65], char *reason, size_t size)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *digit;
    size_t used = 0;

    for (; *text != '\0' && used <= 64; text++) {
        if (*text == ':' && used > 0 && used % 2 == 0)
            continue;
        digit = strchr(digits, *text);
        if (digit == NULL)
            break;
        if (used < 64)
            pin[used] = digits[(digit - digits) % 16];
        used++;
    }
    pin[used < 64 ? used : 64] = '\0';
    if (*text == '\0' && used == 64)
        return true;
    snprintf(reason, size, "a pin is the SHA-256 of a key, 64 hex digits");
    return false;
}

/* ------------------------------------------------------------------ arguments in files */

static char *
argument_slurp(FILE *file, size_t *length)
{
    char *text = NULL, *more;
    size_t room = 0, used = 0, got;

    do {
        if (used == room) {
            room = room > 0 ? room * 2 : 4096;
            more = room <= ARGUMENT_FILE_MAX ? realloc(text, room) : NULL;
            if (more == NULL) {
                free(text);
                errno = room > ARGUMENT_FILE_MAX ? EFBIG : ENOMEM;
                return NULL;
            }
            text = more;
        }
        got = fread(text + used, 1, room - used, file);
        used += got;
    } while (got > 0);
    *length = used;
    return text;
}

/* The whole of a file, or of standard input. */
static char *
argument_file(const char *path, size_t *length, char *reason, size_t size)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "re");
    char *text = file != NULL ? argument_slurp(file, length) : NULL;

    if (text == NULL || ferror(file)) {
        snprintf(reason, size, "cannot read %s: %s", standard ? "standard input" : path,
                 strerror(errno));
        free(text);
        text = NULL;
    }
    if (file != NULL && !standard)
        fclose(file);
    return text;
}

json_t *
argument_json(const char *text, char *reason, size_t size)
{
    char why[256];
    char *held = NULL;
    size_t length = strlen(text);
    json_t *value;

    if (text[0] == '@') {
        held = argument_file(text + 1, &length, reason, size);
        if (held == NULL)
            return NULL;
    }
    value = doip_json_parse(held != NULL ? held : text, length, why, sizeof(why));
    if (value == NULL)
        snprintf(reason, size, "%s is not JSON: %s", held != NULL ? text + 1 : text, why);
    free(held);
    return value;
}

char *
argument_secret(const char *path, char *reason, size_t size)
{
    size_t length;
    char *text = argument_file(path, &length, reason, size);
    char *secret = text != NULL ? strndup(text, length) : NULL;

    if (text != NULL) {
        explicit_bzero(text, length);
        free(text);
    }
    if (secret != NULL)
        secret[strcspn(secret, "\r\n")] = '\0';
    return secret;
}
