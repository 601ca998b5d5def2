/*
 * Digital objects in the default serialization (protocol section 5): checks, look-ups, and the walk
 * over an object whose elements' data follow it in the message. Used by handlers (through
 * request.c) and by the client; any thread, one object per thread.
 *
 * An object may name tens of thousands of elements: whatever is done for each of them is a look-up
 * in a table, not a search.
 */
#include <doip/object.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exchange.h"
#include "text.h"

#define REASON_SIZE 256

/* Where a check stands, and where it says what is wrong. */
struct check {
    char *reason;
    size_t size;
    int element; /* position in `elements`, -1 for the object itself */
};

bool
doip_id_valid(const char *id)
{
    size_t length = strnlen(id, DOIP_ID_MAX + 1);

    return length > 0 && length <= DOIP_ID_MAX;
}

/* Says what is wrong with a property, and returns DOIP_E_CONTENT. */
static int
check_fail(const struct check *check, const char *property, const char *due)
{
    if (check->element < 0)
        snprintf(check->reason, check->size, "the object's `%s` must be %s", property, due);
    else
        snprintf(check->reason, check->size, "`%s` of elements[%d] must be %s", property,
                 check->element, due);
    return DOIP_E_CONTENT;
}

/* The object may be a good one. */
static int
check_short(const struct check *check)
{
    snprintf(check->reason, check->size, "Memory is short.");
    return DOIP_E_MEMORY;
}

/* A property, NULL where absent; a null is taken out. */
static json_t *
property(json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);

    if (!json_is_null(value))
        return value;
    json_object_del(object, name);
    return NULL;
}

static int
check_type(const struct check *check, json_t *object, bool required)
{
    const json_t *type = property(object, "type");

    if (type == NULL ? required : json_string_length(type) == 0)
        return check_fail(check, "type", "a non-empty string");
    return 0;
}

static int
check_attributes(const struct check *check, json_t *object)
{
    const json_t *attributes = property(object, "attributes");

    if (attributes != NULL && !json_is_object(attributes))
        return check_fail(check, "attributes", "an object");
    return 0;
}

static int
check_object_id(const struct check *check, json_t *object)
{
    const json_t *id = property(object, "id");

    if (id != NULL && (!json_is_string(id) || json_string_length(id) > DOIP_ID_MAX))
        return check_fail(check, "id", "a string of at most 512 bytes");
    return 0;
}

static int
check_element_id(const struct check *check, json_t *element, json_t *ids)
{
    const json_t *id = property(element, "id");

    if (!json_is_string(id) || !doip_id_valid(json_string_value(id)))
        return check_fail(check, "id", "a string of 1 to 512 bytes");
    if (json_object_get(ids, json_string_value(id)) != NULL)
        return check_fail(check, "id", "its own: another element has the same");
    return json_object_set(ids, json_string_value(id), element) == 0 ? 0 : check_short(check);
}

static int
check_length(const struct check *check, json_t *element)
{
    const json_t *length = property(element, "length");

    if (length != NULL && (!json_is_number(length) || json_number_value(length) < 0))
        return check_fail(check, "length", "a number, not negative");
    return 0;
}

static int
check_element(const struct check *check, json_t *element, json_t *ids)
{
    int error;

    if (!json_is_object(element)) {
        snprintf(check->reason, check->size, "elements[%d] must be an object", check->element);
        return DOIP_E_CONTENT;
    }
    error = check_element_id(check, element, ids);
    if (error == 0)
        error = check_type(check, element, false);
    if (error == 0)
        error = check_length(check, element);
    return error != 0 ? error : check_attributes(check, element);
}

/* Checks the elements, and puts each into `ids` under its id. */
static int
check_elements(struct check *check, json_t *object, json_t *ids)
{
    json_t *elements = property(object, "elements");
    json_t *element;
    size_t i;
    int error = 0;

    if (elements != NULL && !json_is_array(elements))
        return check_fail(check, "elements", "an array");
    json_array_foreach(elements, i, element)
    {
        check->element = (int)i;
        error = check_element(check, element, ids);
        if (error != 0)
            break;
    }
    return error;
}

/* doip_object_check(), which also collects the elements by id. */
static int
check_object(json_t *value, int flags, json_t *ids, char *reason, size_t size)
{
    struct check check = {reason, size, -1};
    int error;

    if (!json_is_object(value)) {
        snprintf(reason, size, "a digital object must be a JSON object");
        return DOIP_E_CONTENT;
    }
    error = check_object_id(&check, value);
    if (error == 0)
        error = check_type(&check, value, !(flags & DOIP_OBJECT_TYPE_OPTIONAL));
    if (error == 0)
        error = check_attributes(&check, value);
    return error != 0 ? error : check_elements(&check, value, ids);
}

int
doip_object_check(json_t *value, int flags, char *reason, size_t size)
{
    json_t *ids = json_object();
    int error = check_object(value, flags, ids, reason, size);

    json_decref(ids);
    return error;
}

const char *
doip_object_id(const json_t *object)
{
    const char *id = json_string_value(json_object_get(object, "id"));

    return id != NULL && *id != '\0' ? id : NULL;
}

json_t *
doip_object_element(const json_t *object, const char *id)
{
    const json_t *elements = json_object_get(object, "elements");
    json_t *element;
    size_t i;

    json_array_foreach(elements, i, element)
    {
        const char *other = json_string_value(json_object_get(element, "id"));

        if (other != NULL && strcmp(other, id) == 0)
            return element;
    }
    return NULL;
}

struct doip_object_reader {
    doip_message *message;
    int flags;
    json_t *object;
    json_t *missing; /* elements by id, of which no data was seen yet */
    int error;       /* latched */
    char reason[REASON_SIZE];
};

doip_object_reader *
doip_object_reader_new(doip_message *message, int flags)
{
    doip_object_reader *reader = calloc(1, sizeof *reader);

    if (reader == NULL)
        return NULL;
    reader->message = message;
    reader->flags = flags;
    reader->missing = json_object();
    if (reader->missing == NULL)
        doip_object_reader_free(&reader);
    return reader;
}

void
doip_object_reader_free(doip_object_reader **reader)
{
    if (*reader == NULL)
        return;
    json_decref((*reader)->object);
    json_decref((*reader)->missing);
    free(*reader);
    *reader = NULL;
}

/* Latches a fault in what came. */
__attribute__((format(printf, 2, 3))) static int
reader_fail(doip_object_reader *reader, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(reader->reason, sizeof reader->reason, format, arguments);
    va_end(arguments);
    text_make_printable(reader->reason);
    reader->error = DOIP_E_CONTENT;
    return reader->error;
}

/* The same of an object, or that it could not be checked. */
static void
reader_refuse(doip_object_reader *reader, int error, const char *reason)
{
    reader_fail(reader, "%s", reason);
    reader->error = error;
}

/* Latches what the message says is wrong with it. What it does not latch itself is that the peer
 * let us wait too long. */
static int
reader_broken(doip_object_reader *reader)
{
    int error = doip_message_error(reader->message);

    reader_fail(reader, "%s", doip_message_reason(reader->message));
    reader->error = error != 0 ? error : DOIP_E_TIMEOUT;
    return reader->error;
}

json_t *
doip_object_reader_object(doip_object_reader *reader)
{
    char reason[REASON_SIZE];
    doip_segment kind;
    json_t *value;
    int error;

    if (reader->object != NULL || reader->error != 0)
        return reader->object;
    kind = doip_message_next(reader->message);
    value = kind == DOIP_SEGMENT_JSON ? doip_message_json(reader->message) : NULL;
    if (kind == DOIP_SEGMENT_ERROR || (kind == DOIP_SEGMENT_JSON && value == NULL))
        reader_broken(reader);
    else if (value == NULL)
        reader_fail(reader, "a digital object is due, not %s", doip_segment_name(kind));
    else if ((error = check_object(value, reader->flags, reader->missing, reason, sizeof reason)) !=
             0)
        reader_refuse(reader, error, reason);
    else
        reader->object = json_incref(value);
    return reader->object;
}

/* The element that a header names, whose data come now; NULL: latched. */
static json_t *
reader_header(doip_object_reader *reader, const json_t *header)
{
    const char *id = json_string_value(json_object_get(header, "id"));
    json_t *element = id != NULL ? json_object_get(reader->missing, id) : NULL;

    if (id == NULL) {
        reader_fail(reader, "an element header must be an object with the element's `id`");
        return NULL;
    }
    if (element == NULL) {
        bool known = doip_object_element(reader->object, id) != NULL;

        reader_fail(reader,
                    known ? "the data of the element %.100s come twice"
                          : "the object has no element %.100s",
                    id);
        return NULL;
    }
    /* The object itself holds the element too: it stays. */
    json_object_del(reader->missing, id);
    return element;
}

int
doip_object_reader_next(doip_object_reader *reader, json_t **element)
{
    doip_segment kind;
    json_t *header;

    if (doip_object_reader_object(reader) == NULL || reader->error != 0)
        return reader->error;
    kind = doip_message_next(reader->message);
    if (kind == DOIP_SEGMENT_END)
        return 0;
    if (kind == DOIP_SEGMENT_BYTES)
        return reader_fail(reader, "an element header is due, not a bytes segment");
    header = kind == DOIP_SEGMENT_JSON ? doip_message_json(reader->message) : NULL;
    if (header == NULL)
        return reader_broken(reader);
    *element = reader_header(reader, header);
    if (*element == NULL)
        return reader->error;
    kind = doip_message_next(reader->message);
    if (kind == DOIP_SEGMENT_ERROR)
        return reader_broken(reader);
    return kind == DOIP_SEGMENT_BYTES
               ? 1
               : reader_fail(reader, "a bytes segment is due after an element header, not %s",
                             doip_segment_name(kind));
}

int
object_reader_error(const doip_object_reader *reader)
{
    return reader->error;
}

const char *
doip_object_reader_reason(const doip_object_reader *reader)
{
    return reader->reason;
}
