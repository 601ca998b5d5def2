/*
 * Base64 in the alphabet of URLs, without padding (RFC 4648 section 5), as JWKs and tokens use it.
 */
#ifndef DOIPD_BASE64URL_H
#define DOIPD_BASE64URL_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Decodes `length` characters into `bytes` (at most `size`); how many it made, or -1: a character
 * of another alphabet (also padding and white space), a text that no bytes give (bits left over
 * that are not zero), or too many bytes. So each text that is accepted is the only one for its
 * bytes. Pure function, any thread.
 */
ssize_t base64url_decode(const char *text, size_t length, unsigned char *bytes, size_t size);

#endif
