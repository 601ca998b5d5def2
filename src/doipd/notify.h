/*
 * What the service manager (systemd) is told: ready, reloading, stopping, how it goes, and that it is alive. Does nothing where nobody listens
 * (NOTIFY_SOCKET is not set), or doipd was built without libsystemd. Master only; main() calls notify_begin() for it.
 */
#ifndef DOIPD_NOTIFY_H
#define DOIPD_NOTIFY_H

#include <stdint.h>

/* Takes the watchdog's time from the environment; in the process that was started, before it forks. */
void notify_begin(void);
/* In a worker: handlers have nothing to tell. */
void notify_forget(void);

/* How soon the watchdog must be fed, in ms; 0: there is none. */
int64_t notify_watchdog_ms(void);
void notify_alive(void);

/* The service serves: for the first time, or again after a reload, which may have been refused. */
void notify_ready(void);
void notify_reloading(void);
/* It ends, and needs so many seconds at most. */
void notify_stopping(int seconds);
void notify_failed(const char *reason);
/* For `systemctl status`; sent when it differs from what was sent last. */
void notify_status(long connections, double requests_per_second);

#endif
