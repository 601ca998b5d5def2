/*
 * The load: threads, each with connections of its own over one epoll set, that send requests and read answers until the time is up.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "histogram.h"

/* One kind of request, ready to be sent. */
struct request {
    char *bytes;
    size_t size;
    size_t stamp; /* where STAMP digits are written that no other request has; 0: nowhere */
    unsigned weight;
};

enum { STAMP = 24 };

struct load {
    struct sockaddr_storage address;
    socklen_t address_length;
    SSL_CTX *tls;
    const struct request *requests;
    size_t request_count;
    unsigned weights; /* of all requests */
    unsigned threads;
    unsigned connections; /* of all threads */
    unsigned depth;       /* requests under way on a connection */
    double rate;          /* requests per second of all connections; 0: as fast as answers come */
    double seconds;
    double warm_up; /* seconds before counting begins */
    bool close;     /* a connection for each request */
    bool resume;    /* take up the TLS session of the last one */
    bool http;      /* the service is a web server */
};

struct result {
    struct histogram latency;
    uint64_t answers;
    uint64_t failures; /* answers with another status than success */
    uint64_t broken;   /* connections that failed */
    uint64_t handshakes;
    uint64_t resumed; /* of those */
    uint64_t bytes_in;
    uint64_t bytes_out;
    double seconds;
    char first_problem[256];
};

/* Runs it to its end. False where not even a start was possible (the reason is in first_problem). */
bool load_run(const struct load *load, struct result *result);

#endif
