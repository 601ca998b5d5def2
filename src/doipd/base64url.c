/*
 * Base64 in the alphabet of URLs: see base64url.h. OpenSSL's decoder knows another alphabet, skips
 * white space and does not look at the bits left over: two texts for one token.
 */
#include <stdint.h>

#include "base64url.h"

static int
digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

ssize_t
base64url_decode(const char *text, size_t length, unsigned char *bytes, size_t size)
{
    uint32_t held = 0; /* bits that are not a byte yet, the last `count` */
    unsigned int count = 0;
    size_t made = 0;
    int value;

    if (length % 4 == 1)
        return -1;
    for (size_t i = 0; i < length; i++) {
        value = digit(text[i]);
        if (value < 0)
            return -1;
        held = held << 6 | (uint32_t)value;
        count += 6;
        if (count < 8)
            continue;
        if (made == size)
            return -1;
        count -= 8;
        bytes[made++] = (unsigned char)(held >> count);
        held &= (1U << count) - 1;
    }
    return held == 0 ? (ssize_t)made : -1;
}
