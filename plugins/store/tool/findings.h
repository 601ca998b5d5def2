/*
 * What `doip-store verify` finds wrong, said one by one as it is found: however many there are, none
 * is held in memory.
 */
#ifndef STORE_TOOL_FINDINGS_H
#define STORE_TOOL_FINDINGS_H

#include "tool.h"

struct findings {
    bool json;
    uint64_t wrong;
    uint64_t notes;
    uint64_t said;
    struct progress *progress; /* on the screen meanwhile */
};

/* What was found; NULL or empty for what there is none of. */
struct finding {
    const char *what;   /* one word */
    const char *where;  /* a file, or "catalog.db" */
    const char *reason; /* in words */
    const char *object; /* ids of what it belongs to */
    const char *element;
};

void findings_begin(struct findings *findings);
/* Says one; whether it counts, and as what, is the caller's to decide. */
void findings_say(struct findings *findings, const struct finding *finding);
/* The end, with a summary (taken over): the exit status. */
int findings_end(struct findings *findings, json_t *summary);

#endif
