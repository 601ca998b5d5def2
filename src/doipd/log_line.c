/*
 * Lines of the log: see log_line.h. No allocation, no state; any thread of any process.
 */
#include "log_line.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The most that one character becomes: an invalid byte in JSON, `\\xff`; or `\u0085`. */
#define PIECE_MAX 16

static void
add_bytes(struct log_line *line, const char *bytes, size_t length)
{
    size_t room = LOG_LINE_MAX - 1 - line->used;

    length = length < room ? length : room;
    memcpy(line->data + line->used, bytes, length);
    line->used += length;
}

void
log_line_add(struct log_line *line, const char *text)
{
    add_bytes(line, text, strlen(text));
}

void
log_line_number(struct log_line *line, const char *before, uint64_t number)
{
    char text[64];

    snprintf(text, sizeof(text), "%s%" PRIu64, before, number);
    log_line_add(line, text);
}

/* Decodes one UTF-8 sequence: its length and code, or 0 where there is none. */
static size_t
decode(const unsigned char *at, unsigned *code)
{
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = at[0] < 0x80 ? 1 : at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;

    *code = at[0];
    if (length == 1)
        return 1;
    if (at[0] < 0xc2 || at[0] > 0xf4)
        return 0;
    *code = at[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (at[i] & 0x3fu);
    }
    bool surrogate = *code >= 0xd800 && *code <= 0xdfff;
    return *code >= least[length] && *code <= 0x10ffff && !surrogate ? length : 0;
}

/* Characters that move the cursor, end lines, or turn the direction of what follows. */
static bool
is_control(unsigned code)
{
    return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x2028 || code == 0x2029 ||
           (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

/* \n and its like; 0 for none. */
static char
short_escape(unsigned code)
{
    return code == '\n' ? 'n' : code == '\r' ? 'r' : code == '\t' ? 't' : '\0';
}

/* Writes what one character becomes; returns how many bytes of the text it was. */
static size_t
escape(const unsigned char *at, enum log_escape how, char piece[PIECE_MAX])
{
    unsigned code;
    size_t length = decode(at, &code);

    if (length == 0)
        snprintf(piece, PIECE_MAX, how == LOG_ESCAPE_JSON ? "\\\\x%02x" : "\\x%02x", at[0]);
    else if (is_control(code) && short_escape(code) != '\0')
        snprintf(piece, PIECE_MAX, "\\%c", short_escape(code));
    else if (is_control(code) && (how == LOG_ESCAPE_JSON || code > 0x7f))
        snprintf(piece, PIECE_MAX, "\\u%04x", code);
    else if (is_control(code))
        snprintf(piece, PIECE_MAX, "\\x%02x", code);
    else if (how != LOG_ESCAPE_TEXT && (code == '"' || code == '\\'))
        snprintf(piece, PIECE_MAX, "\\%c", (int)code);
    else
        snprintf(piece, PIECE_MAX, "%.*s", (int)length, (const char *)at);
    return length == 0 ? 1 : length;
}

void
log_line_escaped(struct log_line *line, const char *text, enum log_escape how, size_t most)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t limit = line->used + most - 3;
    char piece[PIECE_MAX];

    if (limit > LOG_LINE_MAX - 64)
        limit = LOG_LINE_MAX - 64;
    while (*at != '\0') {
        size_t length = escape(at, how, piece);
        if (line->used + strlen(piece) > limit) {
            log_line_add(line, "...");
            return;
        }
        log_line_add(line, piece);
        at += length;
    }
}

static bool
is_plain(const char *text)
{
    if (*text == '\0' || strcmp(text, "-") == 0)
        return false;
    for (; *text != '\0'; text++)
        if (!isalnum((unsigned char)*text) && strchr("._:/@[]%+,-", *text) == NULL)
            return false;
    return true;
}

void
log_line_field(struct log_line *line, const char *name, const char *text, size_t most)
{
    bool quoted = text != NULL && !is_plain(text);

    log_line_add(line, " ");
    log_line_add(line, name);
    log_line_add(line, quoted ? "=\"" : "=");
    log_line_escaped(line, text == NULL ? "-" : text, LOG_ESCAPE_QUOTED, most);
    if (quoted)
        log_line_add(line, "\"");
}

void
log_line_json(struct log_line *line, const char *name, const char *text, size_t most)
{
    log_line_add(line, line->used == 0 || line->data[line->used - 1] == '{' ? "\"" : ",\"");
    log_line_add(line, name);
    if (text == NULL) {
        log_line_add(line, "\":null");
        return;
    }
    log_line_add(line, "\":\"");
    log_line_escaped(line, text, LOG_ESCAPE_JSON, most);
    log_line_add(line, "\"");
}
