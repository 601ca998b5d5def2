/*
 * The tutorial handler: what the author of a first handler wants to see, in one file. doip-handler(3) walks through it.
 *
 * It answers Hello with a greeting of its own and offers two extended operations:
 *
 *   20.EXAMPLE/Greet   greets the client, or the name in the input ({"name": "Ada"}); attribute `times`: how often
 *   20.EXAMPLE/Count   counts bytes and lines of the bytes segments in the input, however large
 *
 * Built outside this tree, it is
 *
 *   cc -shared -fPIC -o hello.so hello.c $(pkg-config --cflags --libs doip)
 *
 * and then belongs into the handlers' directory; SIGHUP makes a running doipd load it. Its functions run in doipd's workers, in
 * several threads at once.
 */
#include <doip/handler.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define GREET "20.EXAMPLE/Greet"
#define COUNT "20.EXAMPLE/Count"

enum { TIMES_MAX = 100 };

/* What open() makes of the options; every call gets it from doip_state(). It is only read, so threads may share it. */
struct hello {
    const char *greeting; /* the daemon's string: it lives as long as the worker */
    int64_t repeat;
};

/* ------------------------------------------------------------------ the descriptor */

/* What ListOperations tells clients. */
static const char *const operations[] = {GREET, COUNT, NULL};

/* What may stand in doipd.conf: handler = { hello = { options = { greeting = "Good morning" } } }. Anything else there is an error. */
static const doip_option options_table[] = {
    {"greeting", DOIP_OPTION_STRING, "Hello", "how clients are greeted"},
    {"repeat", DOIP_OPTION_INT, "1", "how often, where the client does not say"},
    {NULL, DOIP_OPTION_STRING, NULL, NULL},
};

/* Called once in each worker, before any request. */
static doip_result
hello_open(const doip_options *options, void **state)
{
    int64_t repeat = doip_option_int(options, "repeat");
    struct hello *hello;

    if (repeat < 1 || repeat > TIMES_MAX)
        return doip_open_fail(options, "repeat must be from 1 to %d, not %" PRId64, TIMES_MAX, repeat);
    hello = malloc(sizeof(*hello));
    if (hello == NULL)
        return doip_open_fail(options, "out of memory");
    hello->greeting = doip_option_string(options, "greeting");
    hello->repeat = repeat;
    *state = hello;
    return DOIP_OK;
}

/* Called once in each worker that ends in order, after the last request. */
static void
hello_close(void *state)
{
    free(state);
}

/* Without DOIP_THREAD_SAFE, each worker would call one function at a time. */
DOIP_HANDLER(.name = "hello", .version = "1.0", .flags = DOIP_THREAD_SAFE, .operations = operations,
             .options = options_table, .open = hello_open, .close = hello_close);

/* ------------------------------------------------------------------ a basic operation */

DOIP_EXPORT doip_result
hello(doip_request *request, doip_response *response)
{
    const struct hello *state = doip_state(request);

    return doip_respond_json(response, json_pack("{s:s s:s s:s}", "id", doip_request_service(request), "type",
                                                 DOIP_TYPE_SERVICE_INFO, "greeting", state->greeting));
}

/* ------------------------------------------------------------------ extended operations */

/* Who is to be greeted: the name in the input, else the client. NULL: the error is set. */
static const char *
greet_whom(doip_request *request, doip_response *response)
{
    const char *claimed = doip_request_claimed_client(request);
    json_t *name;

    /* The input is a sequence of segments; a compact request looks like one with a single JSON segment. */
    switch (doip_input_next(request)) {
    case DOIP_SEGMENT_END:
        return claimed != NULL ? claimed : "stranger";
    case DOIP_SEGMENT_JSON:
        name = json_object_get(doip_input_json(request), "name");
        if (json_is_string(name))
            return json_string_value(name);
        doip_fail_invalid(response, "the input must be an object with a string \"name\"");
        return NULL;
    default:
        doip_fail_invalid(response, "the input must be JSON");
        return NULL;
    }
}

static doip_result
greet(doip_request *request, doip_response *response)
{
    const struct hello *state = doip_state(request);
    int64_t times = state->repeat; /* left alone where the client gives no such attribute */
    const char *whom;
    json_t *greetings;

    if (doip_attribute_int(request, "times", &times) != DOIP_OK)
        return DOIP_FAILED; /* the client will read why */
    if (times < 1 || times > TIMES_MAX)
        return doip_fail_invalid(response, "times must be from 1 to %d", TIMES_MAX);
    whom = greet_whom(request, response);
    if (whom == NULL)
        return DOIP_FAILED;
    greetings = json_array();
    for (int64_t i = 0; i < times; i++)
        if (json_array_append_new(greetings, json_sprintf("%s, %s!", state->greeting, whom)) < 0) {
            json_decref(greetings);
            return DOIP_FAILED; /* memory is short: where the handler says nothing, the client reads 500 */
        }
    return doip_respond_json(response, greetings); /* which takes the array over */
}

static doip_result
count(doip_request *request, doip_response *response)
{
    char buffer[16384];
    json_int_t bytes = 0, lines = 0;
    doip_result result = doip_input_next_bytes(request);

    while (result == DOIP_OK) {
        ssize_t got;

        /* An element of any size passes through this buffer; nothing is ever held whole. */
        while ((got = doip_read(request, buffer, sizeof(buffer))) > 0) {
            bytes += got;
            for (ssize_t i = 0; i < got; i++)
                lines += buffer[i] == '\n';
        }
        switch (got < 0 ? DOIP_SEGMENT_ERROR : doip_input_next(request)) {
        case DOIP_SEGMENT_BYTES:
            continue;
        case DOIP_SEGMENT_END:
            return doip_respond_json(response, json_pack("{s:I s:I}", "bytes", bytes, "lines", lines));
        default:
            return doip_fail_invalid(response, "the input must be bytes only");
        }
    }
    return DOIP_FAILED;
}

/* Gets every operation that is not one of the seven basic ones; what is not ours, the next handler may know. */
DOIP_EXPORT doip_result
extended(doip_request *request, doip_response *response)
{
    const char *operation = doip_request_operation(request);

    if (strcmp(operation, GREET) == 0)
        return greet(request, response);
    if (strcmp(operation, COUNT) == 0)
        return count(request, response);
    return DOIP_DECLINED;
}
