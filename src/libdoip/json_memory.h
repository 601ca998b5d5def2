/*
 * Jansson's memory while it parses (json_parse.c). Internal to libdoip; any thread.
 */
#ifndef DOIP_JSON_MEMORY_H
#define DOIP_JSON_MEMORY_H

#include <stdbool.h>

/*
 * Calls `parse`. False where that asked for memory in vain: then it was left at once, and all that it had asked for and not given back is
 * given back. Not to be called by what it calls.
 */
bool json_memory_watch(void (*parse)(void *closure), void *closure);

#endif
