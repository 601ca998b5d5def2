/*
 * Tables in memory that all workers and generations share, with a key of their own, by which places in them are found: so nobody outside can aim at
 * another's place. The master makes them, once, before it forks.
 */
#ifndef DOIPD_KEYED_TABLE_H
#define DOIPD_KEYED_TABLE_H

#include <stddef.h>

enum { KEYED_TABLE_KEY = 16 };

/* So many bytes, which begin with the key and are 0 else; they stay for the life of the process. NULL: no memory, or no random bytes. */
void *keyed_table_map(size_t size);

#endif
