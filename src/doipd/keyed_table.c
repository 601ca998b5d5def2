/*
 * Shared tables: see keyed_table.h. Master process, one thread.
 */
#include <openssl/rand.h>
#include <sys/mman.h>

#include "keyed_table.h"

void *
keyed_table_map(size_t size)
{
    void *table = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return table != MAP_FAILED && RAND_bytes(table, KEYED_TABLE_KEY) == 1 ? table : NULL;
}
