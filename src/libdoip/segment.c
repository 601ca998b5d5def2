/*
 * Names of the kinds of segments, for messages.
 */
#include <doip/segment.h>

const char *
doip_segment_name(doip_segment kind)
{
    switch (kind) {
    case DOIP_SEGMENT_END:
        return "the empty segment";
    case DOIP_SEGMENT_JSON:
        return "a JSON segment";
    case DOIP_SEGMENT_BYTES:
        return "a bytes segment";
    default:
        return "a broken segment";
    }
}
