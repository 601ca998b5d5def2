/*
 * OCSP responses, which clients that ask for it are shown with a certificate (RFC 6066: stapling). Somebody else fetches them into a file
 * (`openssl ocsp`, from cron); here they are read, looked through, and shown as long as they are good. Read by the master, with the
 * certificates; then read-only, for any thread.
 */
#ifndef DOIPD_STAPLE_H
#define DOIPD_STAPLE_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct staple {
    char *file; /* NULL: there is none */
    unsigned char *der;
    int size;
    time_t end; /* from when on it is not good any more; 0: never */
};

/*
 * Reads the response for a certificate from a file of DER. False with a reason of one line, which begins with `says` (where the file is
 * configured), where it can't be read, is for another certificate, or does not say that this one is good. One that has expired is read.
 * Whether its signature is good is the clients' to verify.
 */
bool staple_read(struct staple *staple, const char *file, X509 *certificate, const char *says, char *reason, size_t size);
void staple_fini(struct staple *staple);

bool staple_has_expired(const struct staple *staple, time_t now);

/* Whether it is shown, and until when: "no", "until 2026-11-30 12:00 UTC", "no: the response expired at …". */
void staple_text(const struct staple *staple, time_t now, char *text, size_t size);

/* Shows it to the client of the handshake: what OpenSSL's status callback is to return. */
int staple_show(const struct staple *staple, SSL *ssl);

#endif
