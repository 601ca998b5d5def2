/*
 * The framing state machine: see framer.h. Each state has a function that consumes what it can; the table at the end drives them.
 */
#include <string.h>

#include <doip/protocol.h>

#include "framer.h"

/* The bytes at hand. */
struct span {
    const char *at;
    const char *end;
};

void
framer_init(struct framer *framer, size_t json_limit)
{
    memset(framer, 0, sizeof *framer);
    framer->state = FRAMER_BETWEEN;
    framer->json_limit = json_limit;
}

static enum frame
broken(struct framer *framer, const char *error)
{
    framer->state = FRAMER_BROKEN;
    framer->error = error;
    return FRAME_ERROR;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void
tail(struct framer *framer, enum frame then)
{
    framer->state = FRAMER_TAIL;
    framer->then = then;
    framer->blanks = 0;
}

static enum frame
step_between(struct framer *framer, struct span *span)
{
    while (span->at < span->end && (is_blank(*span->at) || *span->at == '\n'))
        span->at++;
    if (span->at == span->end)
        return FRAME_MORE;
    framer->offset = 0;
    framer->state = FRAMER_SEGMENT;
    return FRAME_MORE;
}

static enum frame
step_segment(struct framer *framer, struct span *span)
{
    framer->segment = 0;
    if (*span->at == '#') {
        span->at++;
        tail(framer, FRAME_END);
    } else if (*span->at == '@') {
        span->at++;
        tail(framer, FRAME_BYTES);
    } else {
        framer->state = FRAMER_JSON;
        framer->line_start = false;
    }
    return FRAME_MORE;
}

static enum frame
step_json(struct framer *framer, struct span *span)
{
    const char *begin = span->at;

    while (span->at < span->end) {
        const char *newline;

        if (framer->line_start && *span->at == '#') {
            framer->text = (size_t)(framer->segment + (uint64_t)(span->at - begin)) - 1;
            span->at++;
            framer->segment += (uint64_t)(span->at - begin);
            tail(framer, FRAME_JSON);
            break;
        }
        newline = memchr(span->at, '\n', (size_t)(span->end - span->at));
        framer->line_start = newline != NULL;
        span->at = newline != NULL ? newline + 1 : span->end;
    }
    if (framer->state == FRAMER_JSON)
        framer->segment += (uint64_t)(span->at - begin);
    else if (framer->text <= framer->json_limit)
        return FRAME_MORE;
    if (framer->segment - 1 <= (uint64_t)framer->json_limit) /* the newline before # is no text */
        return FRAME_MORE;
    framer->over = true;
    return broken(framer, "a JSON segment is over the limit");
}

static enum frame
step_chunk(struct framer *framer, struct span *span)
{
    char c = *span->at;

    if (c == '#') {
        span->at++;
        tail(framer, FRAME_BYTES_END);
        return FRAME_MORE;
    }
    if (c == '0')
        return broken(framer, "a chunk size must not begin with 0");
    if (c < '1' || c > '9')
        return broken(framer, "a chunk size (decimal digits) or # is due");
    framer->left = 0;
    framer->state = FRAMER_SIZE;
    return FRAME_MORE;
}

static enum frame
step_size(struct framer *framer, struct span *span)
{
    for (; span->at < span->end; span->at++) {
        uint64_t size = framer->left;
        char c = *span->at;

        if (c < '0' || c > '9') {
            tail(framer, FRAME_DATA);
            return FRAME_MORE;
        }
        size = size * 10 + (uint64_t)(c - '0');
        if (size > DOIP_CHUNK_MAX)
            return broken(framer, "a chunk size is over 2147483647");
        framer->left = (uint32_t)size;
    }
    return FRAME_MORE;
}

static const char *
tail_error(const struct framer *framer)
{
    switch (framer->then) {
    case FRAME_BYTES:
        return "only blanks and a newline may follow @";
    case FRAME_DATA:
        return "only digits, blanks and a newline may make a chunk size";
    case FRAME_MORE:
        return "a newline is due after a chunk's bytes";
    default:
        return "only blanks and a newline may follow #";
    }
}

static enum framer_state
state_after(enum frame then)
{
    switch (then) {
    case FRAME_JSON:
    case FRAME_BYTES_END:
        return FRAMER_SEGMENT;
    case FRAME_DATA:
        return FRAMER_DATA;
    case FRAME_END:
        return FRAMER_BETWEEN;
    default:
        return FRAMER_CHUNK;
    }
}

static enum frame
step_tail(struct framer *framer, struct span *span)
{
    const char *begin = span->at;

    while (span->at < span->end && is_blank(*span->at)) {
        span->at++;
        if (++framer->blanks > DOIP_BLANKS_MAX)
            return broken(framer, "more than 256 blanks before a newline");
    }
    if (span->at == span->end) {
        framer->segment += (uint64_t)(span->at - begin);
        return FRAME_MORE;
    }
    if (*span->at != '\n')
        return broken(framer, tail_error(framer));
    span->at++;
    framer->segment += (uint64_t)(span->at - begin);
    framer->state = state_after(framer->then);
    return framer->then;
}

enum frame
framer_step(struct framer *framer, const char *data, size_t size, size_t *used)
{
    struct span span = {.at = data, .end = data + size};
    enum frame frame = FRAME_MORE;

    while (frame == FRAME_MORE && span.at < span.end && framer->state != FRAMER_DATA) {
        const char *before = span.at;

        switch (framer->state) {
        case FRAMER_BETWEEN:
            frame = step_between(framer, &span);
            before = span.at;
            break;
        case FRAMER_SEGMENT:
            frame = step_segment(framer, &span);
            break;
        case FRAMER_JSON:
            frame = step_json(framer, &span);
            break;
        case FRAMER_CHUNK:
            frame = step_chunk(framer, &span);
            break;
        case FRAMER_SIZE:
            frame = step_size(framer, &span);
            break;
        case FRAMER_TAIL:
            frame = step_tail(framer, &span);
            break;
        case FRAMER_DATA:
        case FRAMER_BROKEN:
            frame = FRAME_ERROR;
            break;
        }
        framer->offset += (uint64_t)(span.at - before);
    }
    *used = (size_t)(span.at - data);
    if (frame == FRAME_MORE && framer->state == FRAMER_DATA)
        return FRAME_DATA;
    return frame;
}

void
framer_took(struct framer *framer, size_t size)
{
    framer->left -= (uint32_t)size;
    framer->offset += size;
    if (framer->left == 0)
        tail(framer, FRAME_MORE);
}
