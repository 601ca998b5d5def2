/*
 * What the steps of a conversation share (conversation.c and its kin). Each step has a connection in hand as its owner, in a thread of the
 * pool; it goes on as far as it can without waiting, and says whether it still has it. Nobody else includes this.
 */
#ifndef DOIPD_CONVERSATION_IMPL_H
#define DOIPD_CONVERSATION_IMPL_H

#include "conversation.h"

#define CONVERSATION_REQUEST_SLOW \
    "the client sent nothing for timeouts.read, or less than limits.body_rate"
#define CONVERSATION_ANSWER_SLOW \
    "the client read nothing for timeouts.write, or less than limits.body_rate"

/* Whether the connection is still the calling thread's: with LEFT it must not be touched any more. */
enum step { STEP_NEXT, STEP_LEFT };

/* ------------------------------------------------------------------ conversation_request.c: a request comes in, and what is left of it */

enum step step_head(struct connection *connection);
enum step step_body(struct connection *connection);
enum step step_discard(struct connection *connection);
/* By a thread that is none of the pool's, when the answer has gone: waits for the next request, or for the pool to go on. */
enum step step_hand_over(struct connection *connection);

/* Its number and times, where it has not come to a head. */
void request_begins(struct connection *connection);

/* Where the answers end that were written, whether or not they have left. */
uint64_t request_answered_bytes(const struct connection *connection);

/* True when it is the last that the connection may carry. */
bool request_is_last(const struct connection *connection);

/* The connection goes on only to say why it ends. */
void request_ends_for_slowness(struct connection *connection);

/* ------------------------------------------------------------------ conversation_answer.c: it is answered */

enum step step_run(struct connection *connection);
enum step step_flush(struct connection *connection);

/* ------------------------------------------------------------------ conversation_wait.c: how a step ends */

/* Goes on with the next phase. */
enum step step_enter(struct connection *connection, enum phase phase);

/* Waits for `wants` (DOIP_WANT_…), for `ms` at most. */
enum step step_park(struct connection *connection, int wants, int64_t ms);
/* The same for what comes next of a request, for the client to take what is answered, and for the next request. */
enum step step_park_reading(struct connection *connection);
enum step step_park_writing(struct connection *connection);
enum step step_park_idle(struct connection *connection);

/*
 * Sends answers that were held back (step_flush), as whoever waits for the client or for a handler must: true when none is left. Else the
 * connection is parked until the client reads, and the phase begins again; or is gone.
 */
bool step_sent_all(struct connection *connection);

/* Ends the connection; `cause` (METRICS_CLOSED_…) is counted, `when` and `why` are logged. The second where it is for the client's slowness. */
enum step step_break_off(struct connection *connection, enum metrics_counter cause,
                         const char *when, const char *why);
enum step step_give_up_on(struct connection *connection, enum metrics_counter cause,
                          const char *when, const char *why);
enum step step_end_in_order(struct connection *connection, enum metrics_counter cause);

/* The milliseconds of a setting in seconds; 0 stands for no limit: some three hundred years. */
int64_t wait_span_ms(int seconds);

#endif
