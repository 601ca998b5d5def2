/*
 * The file of services whose keys were pinned on first use: lines of HOST PORT PIN; empty lines and
 * those with # are kept.
 */
#ifndef CLIENT_PINS_H
#define CLIENT_PINS_H

#include <stddef.h>

typedef enum pins_answer {
    PINS_KNOWN,   /* the pin is the one on file */
    PINS_NEW,     /* there was none: now there is */
    PINS_CHANGED, /* there is another, in known[] */
    PINS_FAILED,  /* the file can't be used: see the reason */
} pins_answer;

/* Compares with the pin on file, and adds it where there is none, making the file and its
 * directories. */
pins_answer pins_check(const char *path, const char *host, int port, const char *pin,
                       char known[65], char *reason, size_t size);

/* ${XDG_STATE_HOME:-~/.local/state}/doip/known_services into `path`; NULL where there is no home.
 */
const char *pins_path(char *path, size_t size);

#endif
