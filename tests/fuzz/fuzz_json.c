/*
 * Fuzzes the reading of JSON (libFuzzer, `make fuzz`): what json_plain.c takes, Jansson takes as well, and makes the same value of it; and what
 * doip_json_is_compact() lets out as it is, Jansson reads.
 */
#include <string.h>

#include <doip/json.h>

#include "../../src/libdoip/json_plain.h"
#include "fuzz.h"

static void
look_at_compact(const char *text, size_t size)
{
    json_t *value;

    if (!doip_json_is_compact(text, size))
        return;
    value = json_loadb(text, size, JSON_DECODE_ANY, NULL);
    REQUIRE(value != NULL);
    json_decref(value);
}

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
    look_at_compact(text, size);
    return 0;
}
