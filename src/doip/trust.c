/*
 * Whether a server's certificate is trusted: -k any, --pin one key, --ca a chain; else a chain that
 * verifies to the system's CAs, or the key that was pinned on first use, as ssh does. Called by
 * doip_client_connect() during session_open().
 */
#include "trust.h"

#include <stdio.h>
#include <string.h>

#include "pins.h"

static bool
trust_pin_given(trust *policy, const char *pin)
{
    char wanted[65];

    if (!argument_pin(policy->given->pin, wanted, policy->reason, sizeof(policy->reason)))
        return false;
    if (strcmp(wanted, pin) == 0)
        return true;
    snprintf(policy->reason, sizeof(policy->reason),
             "the server's key is not the pinned one\n  pinned  %s\n  server  %s", wanted, pin);
    return false;
}

static bool
trust_on_first_use(trust *policy, const char *host, int port, const char *pin)
{
    char path[4096], known[65], why[512];

    if (pins_path(path, sizeof(path)) == NULL) {
        snprintf(
            policy->reason, sizeof(policy->reason),
            "there is no home directory to keep the key of %s port %d in: use --pin, --ca or -k",
            host, port);
        return false;
    }
    switch (pins_check(path, host, port, pin, known, why, sizeof(why))) {
    case PINS_KNOWN:
        return true;
    case PINS_NEW:
        complain(EXIT_DONE, "first connection to %s port %d: its key is now pinned\n  %s", host,
                 port, pin);
        return true;
    case PINS_CHANGED:
        snprintf(policy->reason, sizeof(policy->reason),
                 "the key of %s port %d has changed: it may be another server\n  pinned  %s\n  "
                 "server  %s\n"
                 "if that is right, remove its line from %.512s",
                 host, port, known, pin, path);
        return false;
    case PINS_FAILED:
    default:
        snprintf(policy->reason, sizeof(policy->reason),
                 "cannot tell whether the key of %s port %d is known: %s; "
                 "use --pin, --ca or -k",
                 host, port, why);
        return false;
    }
}

bool
trust_decide(const char *host, int port, const char *pin, bool chain, void *closure)
{
    trust *policy = closure;

    if (policy->given->insecure)
        return true;
    if (policy->given->pin != NULL)
        return trust_pin_given(policy, pin);
    if (chain)
        return true;
    if (policy->given->ca != NULL)
        return false; /* the library's reason tells what the chain lacks */
    return trust_on_first_use(policy, host, port, pin);
}
