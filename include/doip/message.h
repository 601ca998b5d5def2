/*
 * Incoming messages: a first segment that is a JSON object (the head), and the segments after it. The compact form, where the
 * head carries the only JSON segment in a property of its own (`input` of a request, `output` of a response), and
 * the full form look the same from here (protocol sections 3 and 4). Servers read requests with it, clients responses.
 * A message belongs to one thread at a time.
 */
#ifndef DOIP_MESSAGE_H
#define DOIP_MESSAGE_H

#include <doip/segment.h>

DOIP_BEGIN_DECLS

typedef struct doip_message doip_message;

/*
 * A message over `reader` (borrowed). `compact` names the property that holds the compact form: "input" or "output".
 */
DOIP_API doip_message *doip_message_new(doip_reader *reader, const char *compact);
DOIP_API void doip_message_free(doip_message **message);

/*
 * Reads the head: 1 when it is there, 0 at the stream's end before a message, or a doip_error. DOIP_E_CONTENT means
 * a first segment that is not a JSON object or does not parse; the message can still be read away.
 */
DOIP_API int doip_message_head(doip_message *message, json_t **head);

/* Moves to the next segment; DOIP_SEGMENT_ERROR when that can't be: see doip_message_error(), 0 there for a wait, after
 * which the call may be repeated. After END, END again. */
DOIP_API doip_segment doip_message_next(doip_message *message);
/* The value of the current JSON segment, borrowed until the next segment (the end of the message leaves it); NULL when it
 * does not parse. */
DOIP_API json_t *doip_message_json(doip_message *message);
/* The text of the current JSON segment in full form, for those who keep it as it is; NULL in compact form. */
DOIP_API const char *doip_message_text(doip_message *message, size_t *length);
/* Bytes of the current bytes segment: > 0, 0 at its end, < 0 a doip_error. */
DOIP_API ssize_t doip_message_read(doip_message *message, void *data, size_t size);
/* 0 when the empty segment comes next or was read: the whole message has arrived; DOIP_E_CONTENT where something else follows,
 * DOIP_E_AGAIN or another error. */
DOIP_API int doip_message_end(doip_message *message);
/* True once the empty segment was read. */
DOIP_API bool doip_message_ended(const doip_message *message);
/* Reads away what is left, at most *budget bytes (framing counts; the last JSON segment may go beyond), which it lowers: 0 at the end of
 * the message, DOIP_E_LIMIT when the budget is used up, DOIP_E_AGAIN or another error. */
DOIP_API int doip_message_discard(doip_message *message, uint64_t *budget);

/* The latched error, 0 for none, and why. A content error does not keep the rest from being read away. */
DOIP_API int doip_message_error(const doip_message *message);
DOIP_API const char *doip_message_reason(const doip_message *message);

DOIP_END_DECLS

#endif
