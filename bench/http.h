/*
 * Answers of a web server, as far as the load must know them: where each ends, and whether it is a success. So the same generator
 * measures doipd and the web server it is compared with.
 */
#ifndef BENCH_HTTP_H
#define BENCH_HTTP_H

#include <doip/stream.h>

/* One connection's. All zero is the beginning. */
struct http {
    uint64_t body;            /* what is left of the answer's body */
    bool in_body;             /* its head was seen */
    bool failed;              /* its status is not 2xx */
    size_t start, end;        /* what the buffer holds */
    char buffer[16 * 1024 + 1];
};

/* Reads on: 1 when an answer has come to its end (`failed` tells which), 0 when the server has closed the connection, a doip_error, or
 * DOIP_E_CONTENT where the answer has no Content-Length. */
int http_answer(struct http *http, doip_stream *stream);

/* A GET of the path on a kept-alive connection, the caller's. */
char *http_request(const char *path, const char *host);

#endif
