/*
 * The handler that bench/compare measures: what it does itself costs next to nothing, so that the daemon is what is measured.
 *
 *   Hello      an object of 300 bytes, always the same
 *   Retrieve   the file that the option `file` names, as a bytes segment
 *   Create     reads the input away
 *   20.DOIP/Bench.Sleep  answers after 50 ms
 */
#include <doip/handler.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLEEP "20.DOIP/Bench.Sleep"

static const doip_option options_table[] = {
    {"file", DOIP_OPTION_STRING, "/dev/null", "what Retrieve answers"},
    {NULL, 0, NULL, NULL},
};

struct bench {
    char *file;
    json_t *object; /* {"id":"35.TEST/DOIP","text":"x…"}: 300 bytes */
};

static void
bench_close(void *state)
{
    struct bench *bench = state;

    free(bench->file);
    json_decref(bench->object);
    free(bench);
}

static doip_result
bench_open(const doip_options *options, void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    char text[270];

    if (bench == NULL)
        return doip_open_fail(options, "memory is short");
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    bench->file = strdup(doip_option_string(options, "file"));
    bench->object = json_pack("{s:s, s:s}", "id", doip_options_service(options), "text", text);
    *state = bench;
    return DOIP_OK;
}

static const char *const operations[] = {SLEEP, NULL};

DOIP_HANDLER(.name = "bench", .version = "1.0", .flags = DOIP_THREAD_SAFE, .options = options_table,
             .operations = operations, .open = bench_open, .close = bench_close);

DOIP_EXPORT doip_result
hello(doip_request *request, doip_response *response)
{
    const struct bench *bench = doip_state(request);

    return doip_respond_json(response, json_incref(bench->object));
}

DOIP_EXPORT doip_result
retrieve(doip_request *request, doip_response *response)
{
    const struct bench *bench = doip_state(request);

    return doip_respond_file(response, bench->file);
}

DOIP_EXPORT doip_result
create(doip_request *request, doip_response *response)
{
    char *buffer = malloc(65536);
    doip_segment kind;

    (void)response;
    while ((kind = doip_input_next(request)) != DOIP_SEGMENT_END) {
        ssize_t got = 1;

        while (kind == DOIP_SEGMENT_BYTES && got > 0)
            got = doip_read(request, buffer, 65536);
        if (kind == DOIP_SEGMENT_ERROR || got < 0)
            break;
    }
    free(buffer);
    return doip_input_end(request);
}

DOIP_EXPORT doip_result
extended(doip_request *request, doip_response *response)
{
    struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};

    (void)response;
    if (strcmp(doip_request_operation(request), SLEEP) != 0)
        return DOIP_DECLINED;
    nanosleep(&pause, NULL);
    return DOIP_OK;
}
