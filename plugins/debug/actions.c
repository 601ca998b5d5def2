/*
 * The debug handler's actions that answer: they show a test what the daemon handed over, and produce or take any amount of data.
 * Called by debug.c in a worker's thread.
 */
#include "debug.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 65536 };

void
debug_sleep(int64_t ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}

unsigned char
debug_pattern(uint64_t offset)
{
    return (unsigned char)(offset * 31 + (offset >> 8) * 7 + (offset >> 16) * 3);
}

doip_result
debug_write_pattern(doip_response *response, uint64_t size)
{
    unsigned char buffer[BUFFER];

    for (uint64_t done = 0; done < size;) {
        size_t piece = size - done < sizeof(buffer) ? (size_t)(size - done) : sizeof(buffer);

        for (size_t i = 0; i < piece; i++)
            buffer[i] = debug_pattern(done + i);
        if (doip_write(response, buffer, piece) != DOIP_OK)
            return DOIP_FAILED;
        done += piece;
    }
    return DOIP_OK;
}

static doip_result
echo_bytes(doip_request *request, doip_response *response)
{
    char buffer[BUFFER];
    ssize_t got;

    if (doip_respond_bytes_begin(response) != DOIP_OK)
        return DOIP_FAILED;
    while ((got = doip_read(request, buffer, sizeof(buffer))) > 0)
        if (doip_write(response, buffer, (size_t)got) != DOIP_OK)
            return DOIP_FAILED;
    return got < 0 ? DOIP_FAILED : DOIP_OK;
}

/* Streams the input's segments back. */
doip_result
action_echo(doip_request *request, doip_response *response)
{
    doip_segment kind;
    doip_result result = DOIP_OK;

    while (result == DOIP_OK && (kind = doip_input_next(request)) != DOIP_SEGMENT_END) {
        if (kind == DOIP_SEGMENT_BYTES)
            result = echo_bytes(request, response);
        else if (kind == DOIP_SEGMENT_JSON && doip_input_json(request) != NULL)
            result = doip_respond_json(response, json_incref(doip_input_json(request)));
        else
            result = DOIP_FAILED;
    }
    return result;
}

static doip_result
digest_segment(doip_request *request, EVP_MD_CTX *digest, uint64_t *bytes)
{
    char buffer[BUFFER];
    ssize_t got;

    while ((got = doip_read(request, buffer, sizeof(buffer))) > 0) {
        *bytes += (uint64_t)got;
        if (EVP_DigestUpdate(digest, buffer, (size_t)got) != 1)
            return DOIP_FAILED;
    }
    return got < 0 ? DOIP_FAILED : DOIP_OK;
}

static doip_result
digest_input(doip_request *request, EVP_MD_CTX *digest, uint64_t *bytes, int64_t *segments)
{
    doip_segment kind;

    if (EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1)
        return DOIP_FAILED;
    while ((kind = doip_input_next(request)) != DOIP_SEGMENT_END) {
        ++*segments;
        if (kind == DOIP_SEGMENT_ERROR)
            return DOIP_FAILED;
        if (kind == DOIP_SEGMENT_JSON && doip_input_json(request) == NULL)
            return DOIP_FAILED;
        if (kind == DOIP_SEGMENT_BYTES && digest_segment(request, digest, bytes) != DOIP_OK)
            return DOIP_FAILED;
    }
    return doip_input_end(request);
}

/* Reads all; answers the number of segments and of bytes in bytes segments, and the SHA-256 of those. */
doip_result
action_discard(doip_request *request, doip_response *response)
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    unsigned char hash[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE + 1] = "";
    unsigned int length = 0;
    uint64_t bytes = 0;
    int64_t segments = 0;
    doip_result result = DOIP_FAILED;

    if (digest != NULL)
        result = digest_input(request, digest, &bytes, &segments);
    if (result == DOIP_OK && EVP_DigestFinal_ex(digest, hash, &length) != 1)
        result = DOIP_FAILED;
    for (unsigned int i = 0; i < length; i++)
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
    EVP_MD_CTX_free(digest);
    if (result != DOIP_OK)
        return result;
    return doip_respond_json(response, json_pack("{s:I s:I s:s}", "segments", (json_int_t)segments, "bytes",
                                                 (json_int_t)bytes, "sha256", hex));
}

/* Reads nothing of its input. */
doip_result
action_ignore(doip_request *request, doip_response *response)
{
    (void)request;
    return doip_respond_json(response, json_string("ignored"));
}

static doip_result
size_attribute(doip_request *request, uint64_t *size)
{
    int64_t value = (int64_t)*size;

    if (doip_attribute_int(request, "size", &value) != DOIP_OK || value < 0)
        return DOIP_FAILED;
    *size = (uint64_t)value;
    return DOIP_OK;
}

/* `size` bytes of the pattern. */
doip_result
action_big(doip_request *request, doip_response *response)
{
    uint64_t size = 1024;

    if (size_attribute(request, &size) != DOIP_OK || doip_respond_bytes_begin(response) != DOIP_OK)
        return DOIP_FAILED;
    return debug_write_pattern(response, size);
}

/* A JSON array with `size` numbers, streamed. */
doip_result
action_big_json(doip_request *request, doip_response *response)
{
    uint64_t size = 3;
    doip_result result;

    if (size_attribute(request, &size) != DOIP_OK)
        return DOIP_FAILED;
    result = doip_respond_json_begin(response);
    if (result == DOIP_OK)
        result = doip_write_text(response, "[");
    for (uint64_t i = 0; i < size && result == DOIP_OK; i++) {
        if (i > 0)
            result = doip_write_text(response, ",");
        if (result == DOIP_OK)
            result = doip_write_value(response, json_integer((json_int_t)i));
    }
    return result == DOIP_OK ? doip_write_text(response, "]") : result;
}

/* Two JSON values: no compact form is possible. */
doip_result
action_twice(doip_request *request, doip_response *response)
{
    (void)request;
    if (doip_respond_json(response, json_integer(1)) != DOIP_OK)
        return DOIP_FAILED;
    return doip_respond_json(response, json_integer(2));
}

/* Success with no output at all. */
doip_result
action_empty(doip_request *request, doip_response *response)
{
    (void)request;
    (void)response;
    return DOIP_OK;
}

/* What open() was given. */
doip_result
action_state(doip_request *request, doip_response *response)
{
    const struct debug *debug = doip_state(request);

    return doip_respond_json(response, json_pack("{s:s s:I s:b s:I s:i}", "text", debug->text, "number",
                                                 (json_int_t)debug->number, "flag", debug->flag, "size",
                                                 (json_int_t)debug->size, "pid", (int)getpid()));
}

/* Everything the daemon says about the request. */
doip_result
action_info(doip_request *request, doip_response *response)
{
    bool verified = false;
    const char *certificate = doip_request_certificate(request, &verified);

    return doip_respond_json(
        response, json_pack("{s:s s:s s:s s:b s:s? s:s? s:O? s:s? s:s? s:b s:b s:O}", "operation",
                            doip_request_operation(request), "target", doip_request_target(request), "service",
                            doip_request_service(request), "toService", doip_request_to_service(request), "id",
                            doip_request_id(request), "client", doip_request_client(request), "groups",
                            doip_request_groups(request), "claimed",
                            doip_request_claimed_client(request), "peer", doip_request_peer(request), "certificate",
                            certificate != NULL, "verified", verified, "attributes",
                            doip_request_attributes(request)));
}

/* The attribute "value" through each typed getter that `as` names. */
doip_result
action_attribute(doip_request *request, doip_response *response)
{
    const char *as = "string", *text = "default";
    int64_t number = -1;
    bool truth = false;

    if (doip_attribute_string(request, "as", &as) != DOIP_OK)
        return DOIP_FAILED;
    if (strcmp(as, "int") == 0) {
        if (doip_attribute_int(request, "value", &number) != DOIP_OK)
            return DOIP_FAILED;
        return doip_respond_json(response, json_integer((json_int_t)number));
    }
    if (strcmp(as, "bool") == 0) {
        if (doip_attribute_bool(request, "value", &truth) != DOIP_OK)
            return DOIP_FAILED;
        return doip_respond_json(response, json_boolean(truth));
    }
    if (doip_attribute_string(request, "value", &text) != DOIP_OK)
        return DOIP_FAILED;
    return doip_respond_json(response, json_string(text));
}

doip_result
action_pid(doip_request *request, doip_response *response)
{
    (void)request;
    return doip_respond_json(response, json_integer((json_int_t)getpid()));
}

/* Answers after `ms` milliseconds. */
doip_result
action_sleep(doip_request *request, doip_response *response)
{
    int64_t ms = 100;

    if (doip_attribute_int(request, "ms", &ms) != DOIP_OK)
        return DOIP_FAILED;
    debug_sleep(ms);
    return doip_respond_json(response, json_pack("{s:I s:i}", "slept", (json_int_t)ms, "pid", (int)getpid()));
}

/* Sleeps as well; answers the most calls that ran at once in this worker. */
doip_result
action_count(doip_request *request, doip_response *response)
{
    struct debug *debug = doip_state(request);
    int64_t ms = 100;
    int now, most;

    if (doip_attribute_int(request, "ms", &ms) != DOIP_OK)
        return DOIP_FAILED;
    now = __atomic_add_fetch(&debug->running, 1, __ATOMIC_SEQ_CST);
    most = __atomic_load_n(&debug->most, __ATOMIC_SEQ_CST);
    while (now > most &&
           !__atomic_compare_exchange_n(&debug->most, &most, now, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
    debug_sleep(ms);
    __atomic_sub_fetch(&debug->running, 1, __ATOMIC_SEQ_CST);
    return doip_respond_json(response, json_integer(__atomic_load_n(&debug->most, __ATOMIC_SEQ_CST)));
}

/* Another status than success, with an attribute and output. */
doip_result
action_status(doip_request *request, doip_response *response)
{
    const char *status = "0.DOIP/Status.200";

    if (doip_attribute_string(request, "status", &status) != DOIP_OK)
        return DOIP_FAILED;
    if (doip_respond_status(response, status) != DOIP_OK)
        return DOIP_FAILED;
    if (doip_respond_attribute(response, "kind", json_string("debug")) != DOIP_OK)
        return DOIP_FAILED;
    return doip_respond_json(response, json_string("output beside a status"));
}

/* Reads the input as a digital object with element data; answers [[element, length], …]. */
doip_result
action_object(doip_request *request, doip_response *response)
{
    char buffer[BUFFER];
    json_t *element, *seen = json_array();
    int more = -1;

    if (doip_input_object(request, 0) != NULL)
        while ((more = doip_input_element(request, &element)) > 0) {
            uint64_t bytes = 0;
            ssize_t got;

            while ((got = doip_read(request, buffer, sizeof(buffer))) > 0)
                bytes += (uint64_t)got;
            json_array_append_new(seen, json_pack("[O I]", json_object_get(element, "id"), (json_int_t)bytes));
        }
    if (more == 0)
        return doip_respond_json(response, seen);
    json_decref(seen);
    return DOIP_FAILED;
}
