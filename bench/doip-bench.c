/*
 * doip-bench: how many requests a DOIP service answers, and how long they take. Works against any DOIP v2.0 service; see doip-bench(1).
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <doip/segment.h>
#include <doip/tls.h>

#include "http.h"
#include "load.h"

enum { REQUESTS_MOST = 256, EXIT_USAGE = 2, EXIT_NOTHING = 3 };

struct options {
    const char *service;
    const char *operation;
    const char *target;
    const char *attributes;
    const char *mix;
    const char *path; /* of a web server */
    bool json;
    struct load load;
};

static const char usage_text[] =
    "usage: doip-bench [-s HOST:PORT] [-c CONNECTIONS] [-t THREADS] [-d SECONDS] [-w SECONDS] [-p DEPTH] [-R RATE] [-C] [-r] [-j]\n"
    "                  [-o OPERATION] [-T TARGET] [-a ATTRIBUTES] [-f MIX] [-H PATH]\n"
    "\n"
    "  -s HOST:PORT    the service (localhost:9000)\n"
    "  -c CONNECTIONS  kept open at once (16)\n"
    "  -t THREADS      that carry them (1)\n"
    "  -d SECONDS      counted (5), after -w SECONDS of warming up (1)\n"
    "  -p DEPTH        requests under way on a connection at once (1)\n"
    "  -R RATE         requests a second in all, with latencies free of coordinated omission (0: as fast as answers come)\n"
    "  -C              a new connection for each request; -r: with the TLS session of the last one taken up\n"
    "  -o OPERATION    an id, or the short name of a basic operation (Hello); -T TARGET, -a ATTRIBUTES (JSON): the rest of it\n"
    "  -f MIX          a file with a line for each kind of request: WEIGHT JSON... [BYTES]: segments, and BYTES of data\n"
    "  -H PATH         the service is a web server: GET PATH over TLS, for comparison\n"
    "  -j              JSON\n";

static _Noreturn void
fail(int status, const char *what, const char *why)
{
    fprintf(stderr, "doip-bench: %s: %s\n", what, why);
    exit(status);
}

static void *
had(void *memory)
{
    if (memory == NULL)
        fail(EXIT_NOTHING, "a request", "out of memory");
    return memory;
}

static double
number(const char *option, const char *text, double least, double most)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end != '\0' || !(value >= least && value <= most)) {
        fprintf(stderr, "doip-bench: %s must be a number from %g to %g, not %s\n", option, least, most, text);
        exit(EXIT_USAGE);
    }
    return value;
}

/* ------------------------------------------------------------------ requests */

/* The bytes of a request: its segments of JSON, `size` bytes of data in one bytes segment where not 0, and the end. */
static void
add_request(struct load *load, struct request *requests, unsigned weight, const json_t *segments, size_t size)
{
    doip_stream *stream = doip_memory_new();
    doip_writer *writer = doip_writer_new(stream);
    char *data = had(calloc(1, size + 1));
    struct request *request = &requests[load->request_count++];
    const char *bytes, *place;
    const json_t *segment;
    size_t length, i;

    json_array_foreach(segments, i, segment) doip_writer_json(writer, segment);
    if (size > 0) {
        memset(data, '-', size);
        doip_writer_bytes_begin(writer);
        doip_writer_bytes(writer, data, size);
    }
    doip_writer_empty(writer);
    if (doip_writer_flush(writer) != 0)
        fail(EXIT_NOTHING, "a request", doip_writer_reason(writer));
    bytes = doip_memory_output(stream, &length);
    request->bytes = had(malloc(length));
    memcpy(request->bytes, bytes, length);
    request->size = length;
    request->weight = weight;
    data[size < STAMP ? 0 : STAMP] = '\0';
    place = size < STAMP ? NULL : memmem(bytes, length, data, STAMP);
    request->stamp = place == NULL ? 0 : (size_t)(place - bytes);
    load->weights += weight;
    free(data);
    doip_writer_free(&writer);
    doip_stream_free(&stream);
}

static json_t *
parse(const char *what, const char *text, size_t length)
{
    char reason[256];
    json_t *value = doip_json_parse(text, length, reason, sizeof reason);

    if (!json_is_object(value))
        fail(EXIT_USAGE, what, value == NULL ? reason : "must be a JSON object");
    return value;
}

static void
single_request(struct options *options, struct request *requests)
{
    json_t *head = json_object(), *segments = json_array();
    char operation[DOIP_ID_MAX];

    /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): getopt() gives "o:" its argument */
    snprintf(operation, sizeof operation, "%s%s", strchr(options->operation, '/') == NULL ? "0.DOIP/Op." : "", options->operation);
    json_object_set_new(head, "operationId", json_string(operation));
    json_object_set_new(head, "targetId", json_string(options->target));
    if (options->attributes != NULL)
        json_object_set_new(head, "attributes", parse("-a", options->attributes, strlen(options->attributes)));
    json_array_append_new(segments, head);
    add_request(&options->load, requests, 1, segments, 0);
    json_decref(segments);
}

static void
web_request(struct options *options, struct request *requests)
{
    struct request *request = &requests[options->load.request_count++];

    request->bytes = http_request(options->path, options->service);
    if (request->bytes == NULL)
        fail(EXIT_NOTHING, "a request", "memory is short");
    request->size = strlen(request->bytes);
    request->weight = options->load.weights = 1;
    options->load.http = true;
}

/* WEIGHT JSON... [BYTES]: the JSON ends at the line's last brace. */
static void
mix_line(struct options *options, struct request *requests, char *line)
{
    char *json, *last = strrchr(line, '}');
    unsigned long weight = strtoul(line, &json, 10);
    json_t *segments = json_array();
    unsigned long size;

    if (last == NULL || weight == 0 || weight > 1000000 || options->load.request_count == REQUESTS_MOST)
        fail(EXIT_USAGE, options->mix, "each line is WEIGHT JSON... [BYTES], 256 lines at the most");
    size = strtoul(last + 1, NULL, 10);
    while (json <= last) {
        json_error_t end;
        json_t *value = json_loadb(json, (size_t)(last + 1 - json), JSON_DISABLE_EOF_CHECK, &end);

        if (value == NULL)
            fail(EXIT_USAGE, options->mix, end.text);
        json_array_append_new(segments, value);
        json += end.position;
    }
    add_request(&options->load, requests, (unsigned)weight, segments, size);
    json_decref(segments);
}

static void
mixed_requests(struct options *options, struct request *requests)
{
    FILE *file = fopen(options->mix, "r");
    char *line = NULL;
    size_t room = 0;

    if (file == NULL)
        fail(EXIT_USAGE, options->mix, strerror(errno));
    while (getline(&line, &room, file) > 0)
        if (line[0] != '#' && line[strspn(line, " \t\n")] != '\0')
            mix_line(options, requests, line);
    free(line);
    fclose(file);
    if (options->load.request_count == 0)
        fail(EXIT_USAGE, options->mix, "holds no request");
}

/* ------------------------------------------------------------------ the service */

static void
resolve(struct load *load, const char *service)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    const char *colon = strrchr(service, ':');
    char host[256];
    size_t length = colon != NULL ? (size_t)(colon - service) : 0;
    int error;

    if (colon == NULL || length >= sizeof host)
        fail(EXIT_USAGE, service, "is not HOST:PORT");
    if (service[0] == '[' && length > 2 && service[length - 1] == ']')
        snprintf(host, sizeof host, "%.*s", (int)length - 2, service + 1);
    else
        snprintf(host, sizeof host, "%.*s", (int)length, service);
    error = getaddrinfo(host, colon + 1, &hints, &found);
    if (error != 0)
        fail(EXIT_NOTHING, service, gai_strerror(error));
    memcpy(&load->address, found->ai_addr, found->ai_addrlen);
    load->address_length = found->ai_addrlen;
    freeaddrinfo(found);
}

static SSL_CTX *
make_context(const struct load *load)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    if (context == NULL || !doip_tls_prepare(context, "1.2"))
        fail(EXIT_NOTHING, "TLS", doip_tls_error());
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_session_cache_mode(context, load->resume ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL : SSL_SESS_CACHE_OFF);
    return context;
}

/* ------------------------------------------------------------------ the report */

static const struct {
    const char *name;
    double share;
} percentiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}};

enum { PERCENTILES = sizeof percentiles / sizeof percentiles[0] };

static void
report_json(const struct result *result)
{
    json_t *latency = json_object();
    json_t *report = json_pack(
        "{s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "seconds", result->seconds, "rate",
        (double)result->answers / result->seconds, "answers", (json_int_t)result->answers, "failures",
        (json_int_t)result->failures, "brokenConnections", (json_int_t)result->broken, "handshakes",
        (json_int_t)result->handshakes, "resumedHandshakes", (json_int_t)result->resumed, "bytesIn",
        (json_int_t)result->bytes_in, "bytesOut", (json_int_t)result->bytes_out, "firstProblem", result->first_problem);

    for (int i = 0; i < PERCENTILES; i++)
        json_object_set_new(latency, percentiles[i].name,
                            json_integer((json_int_t)histogram_at(&result->latency, percentiles[i].share)));
    json_object_set_new(latency, "max", json_integer((json_int_t)result->latency.most));
    json_object_set_new(report, "latencyMicroseconds", latency);
    json_dumpf(report, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(report);
}

static void
report_text(const struct result *result)
{
    printf("%12.0f requests/s    %llu answers in %g s, %llu of them no success\n", (double)result->answers / result->seconds,
           (unsigned long long)result->answers, result->seconds, (unsigned long long)result->failures);
    printf("%12.1f MB/s in       %.1f MB/s out, %llu handshakes (%llu resumed), %llu broken connections\n",
           (double)result->bytes_in / result->seconds / 1e6, (double)result->bytes_out / result->seconds / 1e6,
           (unsigned long long)result->handshakes, (unsigned long long)result->resumed, (unsigned long long)result->broken);
    for (int i = 0; i < PERCENTILES; i++)
        printf("%12llu us %s\n", (unsigned long long)histogram_at(&result->latency, percentiles[i].share), percentiles[i].name);
    printf("%12llu us max\n", (unsigned long long)result->latency.most);
    if (result->first_problem[0] != '\0')
        printf("first problem: %s\n", result->first_problem);
}

/* ------------------------------------------------------------------ the command */

static void
read_options(struct options *options, int argc, char **argv)
{
    struct load *load = &options->load;
    int letter;

    while ((letter = getopt(argc, argv, "s:c:t:d:w:p:R:Cro:T:a:f:H:jh")) != -1) {
        switch (letter) {
        case 's': options->service = optarg; break;
        case 'c': load->connections = (unsigned)number("-c", optarg, 1, 100000); break;
        case 't': load->threads = (unsigned)number("-t", optarg, 1, 256); break;
        case 'd': load->seconds = number("-d", optarg, 0.1, 86400); break;
        case 'w': load->warm_up = number("-w", optarg, 0, 3600); break;
        case 'p': load->depth = (unsigned)number("-p", optarg, 1, 1024); break;
        case 'R': load->rate = number("-R", optarg, 0, 1e9); break;
        case 'C': load->close = true; break;
        case 'r': load->resume = true; break;
        case 'o': options->operation = optarg; break;
        case 'T': options->target = optarg; break;
        case 'a': options->attributes = optarg; break;
        case 'f': options->mix = optarg; break;
        case 'H': options->path = optarg; break;
        case 'j': options->json = true; break;
        case 'h': fputs(usage_text, stdout); exit(0);
        default: fputs(usage_text, stderr); exit(EXIT_USAGE);
        }
    }
    if (optind < argc) {
        fputs(usage_text, stderr);
        exit(EXIT_USAGE);
    }
    if (load->threads > load->connections)
        load->threads = load->connections;
}

int
main(int argc, char **argv)
{
    static struct request requests[REQUESTS_MOST];
    static struct result result;
    struct options options = {
        .service = "localhost:9000",
        .operation = "Hello",
        .target = "",
        .load = {.connections = 16, .threads = 1, .seconds = 5, .warm_up = 1, .depth = 1, .requests = requests},
    };

    read_options(&options, argc, argv);
    resolve(&options.load, options.service);
    options.load.tls = make_context(&options.load);
    if (options.path != NULL)
        web_request(&options, requests);
    else if (options.mix != NULL)
        mixed_requests(&options, requests);
    else
        single_request(&options, requests);
    if (!load_run(&options.load, &result))
        fail(EXIT_NOTHING, "can't start", result.first_problem);
    if (options.json)
        report_json(&result);
    else
        report_text(&result);
    for (size_t i = 0; i < options.load.request_count; i++)
        free(requests[i].bytes);
    SSL_CTX_free(options.load.tls);
    return result.answers > 0 ? 0 : EXIT_NOTHING;
}
