/*
 * Answers of a web server: see http.h.
 */
#include <doip/segment.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"

/* Looks for a whole head in the buffer: 1 with what it says taken over, 0 when more must come, DOIP_E_CONTENT. */
static int
take_head(struct http *http)
{
    char *head = http->buffer + http->start, *length, *end;

    http->buffer[http->end] = '\0';
    end = strstr(head, "\r\n\r\n");
    if (end == NULL)
        return http->end - http->start == sizeof http->buffer - 1 ? DOIP_E_CONTENT : 0;
    end[2] = '\0';
    length = strcasestr(head, "\r\nContent-Length:");
    if (length == NULL)
        return DOIP_E_CONTENT;
    http->failed = strncmp(head, "HTTP/1.1 2", 10) != 0;
    http->body = strtoull(length + 17, NULL, 10);
    http->in_body = true;
    http->start = (size_t)(end + 4 - http->buffer);
    return 1;
}

/* The rest of the answer, as far as it is in the buffer: true when that is all of it. */
static bool
take_body(struct http *http)
{
    size_t have = http->end - http->start;
    size_t part = http->body < have ? (size_t)http->body : have;

    http->body -= part;
    http->start += part;
    http->in_body = http->body > 0;
    return !http->in_body;
}

int
http_answer(struct http *http, doip_stream *stream)
{
    for (;;) {
        int got = http->in_body ? 1 : take_head(http);
        ssize_t n;

        if (got < 0 || (got == 1 && take_body(http)))
            return got;
        memmove(http->buffer, http->buffer + http->start, http->end - http->start);
        http->end -= http->start;
        http->start = 0;
        n = doip_stream_read(stream, http->buffer + http->end, sizeof http->buffer - 1 - http->end);
        if (n <= 0)
            return (int)n;
        http->end += (size_t)n;
    }
}

char *
http_request(const char *path, const char *host)
{
    char *text;

    if (asprintf(&text, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host) < 0)
        return NULL;
    return text;
}
