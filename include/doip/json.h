/*
 * JSON as DOIP needs it: Jansson's values, read strictly and written plainly (protocol section 3, last line).
 * Thread-safe on different values.
 */
#ifndef DOIP_JSON_H
#define DOIP_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include <doip/protocol.h>

DOIP_BEGIN_DECLS

/*
 * Parses one JSON value of any kind. What can't be kept faithfully is refused: duplicate keys, \u0000, invalid
 * UTF-8, integers beyond 64 bits, reals that overflow, nesting over 2048. Returns a new reference, or NULL with a
 * text like "line 3, column 7: duplicate object key" in `reason` (size bytes) and errno EINVAL; ENOMEM where memory is
 * short, which says nothing about the text.
 */
DOIP_API json_t *doip_json_parse(const char *text, size_t length, char *reason, size_t size);

/* What doip_json_parse() takes: Jansson's own limit. */
#define DOIP_JSON_DEPTH_MOST 2048

/* How deeply arrays and objects are nested in a JSON text, without parsing it: of a text that is none, a number that means nothing. */
DOIP_API unsigned doip_json_depth(const char *text, size_t length);

/*
 * Whether a text is one JSON value as doip_json_write() writes it: well-formed, compact, on one line. A fraction of the cost of
 * parsing; keys that occur twice it does not see. False says only that: the text may be JSON, and the parser knows.
 */
DOIP_API bool doip_json_is_compact(const char *text, size_t length);

/* Receives a piece of JSON text; 0 to go on, else the dump ends and returns that value. */
typedef int (*doip_json_sink)(const char *text, size_t length, void *closure);

/* Writes `value` compactly, on one line, keys in their order, reals in the shortest form that reads back equal. */
DOIP_API int doip_json_write(const json_t *value, doip_json_sink sink, void *closure);

/* The same of a string with this text, of which no value need be made. */
DOIP_API int doip_json_write_string(const char *text, size_t length, doip_json_sink sink,
                                    void *closure);

/* As doip_json_write(), into a new string that the caller frees with free(); NULL when memory is short. */
DOIP_API char *doip_json_text(const json_t *value, size_t *length);

DOIP_END_DECLS

#endif
