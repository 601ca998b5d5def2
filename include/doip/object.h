/*
 * Digital objects in the default serialization (protocol section 5), held as Jansson values: checks, look-ups, and the
 * walk over an object with element data. Thread-safe on different objects.
 */
#ifndef DOIP_OBJECT_H
#define DOIP_OBJECT_H

#include <doip/message.h>

DOIP_BEGIN_DECLS

/* True for an identifier that may be used as one: 1 to 512 bytes. JSON has seen to it that it is UTF-8 without NUL. */
DOIP_API bool doip_id_valid(const char *id);

enum { DOIP_OBJECT_TYPE_OPTIONAL = 1 /* an Update may leave the type out */ };

/*
 * Checks that `value` is a digital object: an object; `id`, where there, a string of at most 512 bytes (empty counts as
 * absent); `type` a non-empty string; `attributes` an object; `elements` an array of objects with an `id` of their own each,
 * and `type`, `length`, `attributes` of the right kinds. null counts as absent, and is taken out.
 * 0, or DOIP_E_CONTENT with what is wrong and where in `reason`, or DOIP_E_MEMORY: it could not be checked.
 */
DOIP_API int doip_object_check(json_t *value, int flags, char *reason, size_t size);

/* The object's id, NULL where absent or empty. Borrowed. */
DOIP_API const char *doip_object_id(const json_t *object);
/* The element of that id, borrowed; NULL where there is none. */
DOIP_API json_t *doip_object_element(const json_t *object, const char *id);

/* Reads an object and its element data from a message. */
typedef struct doip_object_reader doip_object_reader;

DOIP_API doip_object_reader *doip_object_reader_new(doip_message *message, int flags);
DOIP_API void doip_object_reader_free(doip_object_reader **reader);
/* The object, checked; borrowed from the reader. NULL: see doip_object_reader_reason(). */
DOIP_API json_t *doip_object_reader_object(doip_object_reader *reader);
/*
 * Moves to the next element that has data: 1, *element is it (borrowed from the object) and the message stands at its bytes
 * segment; 0 at the end of the message; or a doip_error.
 */
DOIP_API int doip_object_reader_next(doip_object_reader *reader, json_t **element);
DOIP_API const char *doip_object_reader_reason(const doip_object_reader *reader);

DOIP_END_DECLS

#endif
