/*
 * Fuzzes what reads digital objects: the check, and the walk over an object with element data (libFuzzer, `make fuzz`).
 *
 * The first byte chooses flags and how the rest arrives, which is a message's segments: an object, then headers and bytes of its
 * elements. The oracle: an object that is taken is one by the protocol's own words, told here in another way; taking it changes
 * nothing but nulls; and bytes that arrive in pieces give what they give at once.
 */
#include <stdbool.h>
#include <string.h>

#include <doip/object.h>

#include "fuzz.h"

enum { JSON_LIMIT = 65536, TRACE_MAX = 1 << 16 };

/* ------------------------------------------------------------------ what an object is */

static bool
is_id(const json_t *id, size_t least)
{
    return json_is_string(id) && json_string_length(id) >= least &&
           json_string_length(id) <= DOIP_ID_MAX;
}

static void
require_part(const json_t *part, size_t least)
{
    const json_t *id = json_object_get(part, "id"), *type = json_object_get(part, "type");
    const json_t *attributes = json_object_get(part, "attributes");

    REQUIRE(id == NULL ? least == 0 : is_id(id, least));
    REQUIRE(type == NULL || json_string_length(type) > 0);
    REQUIRE(attributes == NULL || json_is_object(attributes));
}

static void
require_element(const json_t *object, json_t *element)
{
    const json_t *length = json_object_get(element, "length");

    require_part(element, 1);
    REQUIRE(length == NULL || (json_is_number(length) && json_number_value(length) >= 0));
    /* the only one of its id */
    REQUIRE(doip_object_element(object, json_string_value(json_object_get(element, "id"))) ==
            element);
}

static void
require_object(const json_t *object, int flags)
{
    json_t *elements = json_object_get(object, "elements"), *element;
    size_t i;

    require_part(object, 0);
    REQUIRE(json_object_get(object, "type") != NULL || (flags & DOIP_OBJECT_TYPE_OPTIONAL));
    REQUIRE(elements == NULL || json_is_array(elements));
    json_array_foreach(elements, i, element) require_element(object, element);
}

static void
check_once_more(json_t *object, int flags)
{
    json_t *copy = json_deep_copy(object);
    char reason[256] = "";

    REQUIRE(doip_object_check(copy, flags, reason, sizeof reason) == 0 && reason[0] == '\0');
    REQUIRE(json_equal(copy, object));
    json_decref(copy);
}

/* ------------------------------------------------------------------ the walk */

struct trace {
    char text[TRACE_MAX];
    size_t used;
};

static void
note(struct trace *trace, const char *text)
{
    size_t left = sizeof trace->text - trace->used;
    int n = snprintf(trace->text + trace->used, left, "%s ", text);

    if (n > 0 && (size_t)n < left)
        trace->used += (size_t)n;
}

static void
note_element(struct trace *trace, doip_message *message, const json_t *element, size_t size)
{
    char data[512], text[64];
    size_t total = 0;
    unsigned sum = 0;
    ssize_t n;

    while ((n = doip_message_read(message, data, size)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            sum = sum * 31 + (unsigned char)data[i];
        total += (size_t)n;
    }
    snprintf(text, sizeof text, "%zu:%u:%zd", total, sum, n);
    note(trace, json_string_value(json_object_get(element, "id")));
    note(trace, text);
}

static int
walk(doip_object_reader *reader, doip_message *message, json_t *object, size_t size,
     struct trace *trace)
{
    json_t *element = NULL, *seen = json_object();
    int n;

    while ((n = doip_object_reader_next(reader, &element)) > 0) {
        const char *id = json_string_value(json_object_get(element, "id"));

        REQUIRE(doip_object_element(object, id) == element && json_object_get(seen, id) == NULL);
        json_object_set(seen, id, element);
        note_element(trace, message, element, size);
    }
    json_decref(seen);
    return n;
}

static void
trace_failure(const doip_object_reader *reader, int error, struct trace *trace)
{
    json_t *reason = json_string(doip_object_reader_reason(reader)); /* it goes into an answer */

    REQUIRE(error < 0 && json_string_length(reason) > 0);
    /* How far a limit was passed when that was seen depends on the pieces. */
    if (error != DOIP_E_LIMIT)
        note(trace, json_string_value(reason));
    json_decref(reason);
}

static void
trace_object(doip_reader *segments, int flags, size_t size, struct trace *trace)
{
    doip_message *message = doip_message_new(segments, "input");
    doip_object_reader *reader = doip_object_reader_new(message, flags);
    json_t *head, *object = NULL;
    int n = doip_message_head(message, &head);

    REQUIRE(n == 1);
    object = doip_object_reader_object(reader);
    if (object != NULL) {
        require_object(object, flags);
        check_once_more(object, flags);
        n = walk(reader, message, object, size, trace);
    }
    if (object == NULL || n < 0)
        trace_failure(reader, object == NULL ? DOIP_E_CONTENT : n, trace);
    doip_object_reader_free(&reader);
    doip_message_free(&message);
}

static void
trace_bytes(const uint8_t *data, size_t length, int flags, size_t step, size_t size,
            struct trace *trace)
{
    static const char head[] = "{}\n#\n";
    doip_stream *stream = doip_memory_new();
    doip_reader *reader = doip_reader_new(stream, JSON_LIMIT);

    *trace = (struct trace){.used = 0};
    doip_memory_feed(stream, head, strlen(head));
    doip_memory_feed(stream, data, length);
    doip_memory_end(stream);
    doip_memory_set_step(stream, step);
    trace_object(reader, flags, size, trace);
    doip_reader_free(&reader);
    doip_stream_free(&stream);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t steps[] = {1, 2, 7, 100}, sizes[] = {1, 5, 100, 512};
    static struct trace whole, parts;
    int flags;

    if (size < 1)
        return 0;
    flags = data[0] & 1 ? DOIP_OBJECT_TYPE_OPTIONAL : 0;
    trace_bytes(data + 1, size - 1, flags, 0, 512, &whole);
    trace_bytes(data + 1, size - 1, flags, steps[data[0] >> 1 & 3], sizes[data[0] >> 3 & 3],
                &parts);
    if (strcmp(whole.text, parts.text) != 0) {
        fprintf(stderr, "whole: %s\nparts: %s\n", whole.text, parts.text);
        abort();
    }
    return 0;
}
