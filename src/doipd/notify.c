/*
 * Telling the service manager: see notify.h. Runs in the master.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "notify.h"

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#else
#define sd_notify(unset, state) ((void)(state))
#define sd_watchdog_enabled(unset, usec) (*(usec) = 0)
#endif

static int64_t watchdog_ms;
static char status[128]; /* as sent last */

void
notify_begin(void)
{
    uint64_t usec = 0;

    if (sd_watchdog_enabled(1, &usec) > 0)
        watchdog_ms = (int64_t)(usec / 1000);
}

void
notify_forget(void)
{
    unsetenv("NOTIFY_SOCKET");
}

int64_t
notify_watchdog_ms(void)
{
    return watchdog_ms;
}

void
notify_alive(void)
{
    if (watchdog_ms > 0)
        sd_notify(0, "WATCHDOG=1");
}

/* Without -f the service is not the process that was started. */
void
notify_ready(void)
{
    char text[64];

    snprintf(text, sizeof text, "READY=1\nMAINPID=%d", (int)getpid());
    sd_notify(0, text);
}

void
notify_reloading(void)
{
    char text[64];

    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_us());
    sd_notify(0, text);
}

void
notify_stopping(int seconds)
{
    char text[128];

    snprintf(text, sizeof text,
             "STOPPING=1\nEXTEND_TIMEOUT_USEC=%lld\nSTATUS=Stopping when the connections are done",
             (long long)seconds * 1000000);
    sd_notify(0, text);
}

void
notify_failed(const char *reason)
{
    char text[2048];

    snprintf(text, sizeof text, "STATUS=%s", reason);
    sd_notify(0, text);
}

void
notify_status(long connections, double requests_per_second)
{
    char text[sizeof status];

    snprintf(text, sizeof text, "STATUS=%ld connection%s, %.1f requests/s", connections,
             connections == 1 ? "" : "s", requests_per_second);
    if (strcmp(text, status) == 0)
        return;
    memcpy(status, text, sizeof status);
    sd_notify(0, text);
}
