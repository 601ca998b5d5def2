/*
 * The journal's own protocol: one datagram per entry, of NAME=value lines. (sd_journal_sendv() of libsystemd waits when the journal's queue is full, and the
 * log must hold nobody up.) Internal to log_sink.c; any thread.
 */
#ifndef DOIPD_LOG_JOURNAL_H
#define DOIPD_LOG_JOURNAL_H

#include <stdbool.h>

#include "log_line.h"

#define LOG_JOURNAL_SOCKET "/run/systemd/journal/socket"

/* A socket for entries to the journal at `path`; -1 where there is none. */
int log_journal_open(const char *path);

/* Sends an entry whose MESSAGE is `message`; `fields` are whole lines, with their newlines. The journal is looked up each time, as it may be
 * restarted. False when the entry could not be sent at once. */
bool log_journal_send(int fd, const char *path, const struct log_line *message,
                      const struct log_line *fields);

#endif
