/*
 * The TLS handshake of a connection: takes it further, learns who the client is, and counts. Called by conversation.c, in the thread that owns the
 * connection.
 */
#ifndef DOIPD_HANDSHAKE_H
#define DOIPD_HANDSHAKE_H

#include "connection.h"

/* 0 when it is done and the connection's peer is known; else what doip_tls_handshake() gave. */
int handshake_go_on(struct connection *connection);

/* Counts one that failed: with that error, DOIP_E_TIMEOUT where its time was over. */
void handshake_count_failure(int error);

#endif
