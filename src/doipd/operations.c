/*
 * The operations as the daemon knows them: see operations.h. Pure look-ups, any thread.
 */
#include <fnmatch.h>
#include <stddef.h>
#include <string.h>

#include "operations.h"

static const struct {
    const char *id;
    const char *symbol;
} table[OPERATION_COUNT] = {
#define X(name, id_, symbol_) [OPERATION_##name] = {.id = id_, .symbol = #symbol_},
    DOIP_OPERATIONS(X)
#undef X
        [OPERATION_EXTENDED] = {.symbol = "extended"},
};

enum operation
operation_of(const char *id)
{
    for (int i = 0; i < OPERATION_EXTENDED; i++)
        if (strcmp(table[i].id, id) == 0)
            return (enum operation)i;
    return OPERATION_EXTENDED;
}

const char *
operation_id(enum operation operation)
{
    return table[operation].id;
}

const char *
operation_short(enum operation operation)
{
    return operation == OPERATION_EXTENDED ? NULL : table[operation].id + strlen("0.DOIP/Op.");
}

bool
operation_matches(char *const *patterns, enum operation operation, const char *id)
{
    const char *short_id = operation_short(operation);

    for (; *patterns != NULL; patterns++)
        if (fnmatch(*patterns, id, 0) == 0 || (short_id != NULL && fnmatch(*patterns, short_id, 0) == 0))
            return true;
    return false;
}

const char *
operation_symbol(enum operation operation)
{
    return table[operation].symbol;
}

enum operation_target
operation_target(enum operation operation)
{
    switch (operation) {
    case OPERATION_HELLO:
    case OPERATION_CREATE:
    case OPERATION_SEARCH:
        return TARGET_SERVICE;
    case OPERATION_RETRIEVE:
    case OPERATION_UPDATE:
    case OPERATION_DELETE:
        return TARGET_OBJECT;
    default:
        return TARGET_ANY;
    }
}

bool
operation_takes_input(enum operation operation)
{
    return operation == OPERATION_CREATE || operation == OPERATION_UPDATE || operation == OPERATION_EXTENDED;
}
