/*
 * What an echoing handler of the fuzz targets does: it gives back its input, segment by segment.
 */
#ifndef FUZZ_ECHO_H
#define FUZZ_ECHO_H

#include <doip/server.h>

/* Bytes are read `size` at a time, 5000 at most. */
static inline doip_result
echo_input(doip_request *request, doip_response *response, size_t size)
{
    doip_segment kind;
    char data[5000];
    ssize_t n = 0;

    while ((kind = doip_input_next(request)) > DOIP_SEGMENT_END && n >= 0) {
        if (kind == DOIP_SEGMENT_JSON) {
            doip_respond_json(response, json_incref(doip_input_json(request)));
            continue;
        }
        doip_respond_bytes_begin(response);
        while ((n = doip_read(request, data, size)) > 0)
            doip_write(response, data, (size_t)n);
    }
    return doip_input_end(request);
}

#endif
