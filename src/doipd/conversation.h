/*
 * What is said on a connection: the phases from the TLS handshake over any number of requests to the end. Each call takes a
 * connection that the calling thread owns as far as it goes without waiting, and leaves it parked, queued for a handler, or closed.
 */
#ifndef DOIPD_CONVERSATION_H
#define DOIPD_CONVERSATION_H

#include "connection.h"

/* A new connection. */
void conversation_begin(struct connection *connection);

/* A new connection that is one too many, as its address has `count`: it is told so and closed, or closed at once where there are twice as many as
 * may be. */
void conversation_refuse(struct connection *connection, unsigned count);

/* The connection is ready for what it waited for. */
void conversation_go_on(struct connection *connection);

/* How long the client may now be waited for, to read more of its answers. For whoever has the connection in hand. */
int64_t conversation_answer_ms(struct connection *connection);

/* The time it may wait is over. */
void conversation_expired(struct connection *connection);

#endif
