/*
 * The framing of DOIP (protocol section 2) as a state machine over bytes that someone else holds: it owns no memory, reads no
 * stream, and can be copied to look ahead. Used by the reader only.
 */
#ifndef LIBDOIP_FRAMER_H
#define LIBDOIP_FRAMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum frame {
    FRAME_MORE,      /* all that was given is consumed */
    FRAME_JSON,      /* a JSON segment is complete: `segment` bytes back it began, its text has `text` bytes */
    FRAME_BYTES,     /* a bytes segment begins */
    FRAME_DATA,      /* `left` bytes of a chunk follow: take them and tell framer_took() */
    FRAME_BYTES_END, /* the bytes segment is complete */
    FRAME_END,       /* the empty segment: the message is complete */
    FRAME_ERROR,     /* not DOIP, or over a limit: `error` says what */
};

enum framer_state {
    FRAMER_BETWEEN, /* before a message: white space is skipped */
    FRAMER_SEGMENT, /* a segment's first byte is due */
    FRAMER_JSON,    /* inside JSON text */
    FRAMER_CHUNK,   /* inside a bytes segment: a chunk size or `#` is due */
    FRAMER_SIZE,    /* in the digits of a chunk size */
    FRAMER_DATA,    /* in a chunk's bytes */
    FRAMER_TAIL,    /* blanks, then the newline that ends a framing line; `then` says what follows */
    FRAMER_BROKEN,
};

struct framer {
    enum framer_state state;
    enum frame then;      /* FRAMER_TAIL: the event that its newline gives */
    bool line_start;      /* FRAMER_JSON: the next byte begins a line */
    unsigned blanks;      /* FRAMER_TAIL: seen so far */
    uint32_t left;        /* of the chunk; in FRAMER_SIZE the size so far */
    size_t json_limit;
    uint64_t segment;     /* bytes of the current JSON segment so far */
    size_t text;          /* bytes of the complete JSON segment's text */
    uint64_t offset;      /* bytes of the message so far */
    bool over;            /* FRAME_ERROR is a limit passed */
    const char *error;
};

void framer_init(struct framer *framer, size_t json_limit);

/* Consumes bytes up to the end of the next event; *used says how many. */
enum frame framer_step(struct framer *framer, const char *data, size_t size, size_t *used);

/* After FRAME_DATA: `size` bytes (at most `left`) of the chunk were taken. */
void framer_took(struct framer *framer, size_t size);

#endif
