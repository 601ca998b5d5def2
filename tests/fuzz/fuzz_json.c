/*
 * Fuzzes the reading of JSON (libFuzzer, `make fuzz`): what json_plain.c takes, Jansson takes as well, and makes the same value of it.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <doip/json.h>

#include "../../src/libdoip/json_plain.h"

/* Always on, whatever NDEBUG says. */
#define REQUIRE(condition)                                                          \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                \
        }                                                                           \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    json_t *plain = json_plain_read(text, size);

    if (plain != NULL) {
        json_t *due = json_loadb(text, size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
        char *ours = json_dumps(plain, JSON_ENCODE_ANY), *theirs = json_dumps(due, JSON_ENCODE_ANY);

        REQUIRE(memchr(text, '\0', size) == NULL);
        REQUIRE(due != NULL && ours != NULL && theirs != NULL);
        REQUIRE(strcmp(ours, theirs) == 0);
        free(ours);
        free(theirs);
        json_decref(due);
        json_decref(plain);
    }
    return 0;
}
