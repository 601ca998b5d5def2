/*
 * The operations as the daemon knows them: the seven basic ones from protocol.h's list, and all the others.
 */
#ifndef DOIPD_OPERATIONS_H
#define DOIPD_OPERATIONS_H

#include <doip/protocol.h>
#include <stdbool.h>

enum operation {
#define X(name, id, symbol) OPERATION_##name,
    DOIP_OPERATIONS(X)
#undef X
        OPERATION_EXTENDED,
    OPERATION_COUNT
};

/* Which one an operation id is. */
enum operation operation_of(const char *id);

/* The id of a basic operation, NULL for extended ones. */
const char *operation_id(enum operation operation);

/* The same without its prefix ("Create"), NULL for extended ones. */
const char *operation_short(enum operation operation);

/* Whether one of the shell patterns (NULL-ended) is for the operation: by its id or, of a basic one, its short name. */
bool operation_matches(char *const *patterns, enum operation operation, const char *id);

/* The symbol a handler exports for it. */
const char *operation_symbol(enum operation operation);

/* Whether the target must be the service, must be an object, or may be either (protocol section 6). */
enum operation_target { TARGET_ANY, TARGET_SERVICE, TARGET_OBJECT };
enum operation_target operation_target(enum operation operation);

/* Whether the operation takes input. */
bool operation_takes_input(enum operation operation);

#endif
