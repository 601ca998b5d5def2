/*
 * A handler whose open() can't succeed, and says why: the start must fail with that reason.
 */
#include <doip/handler.h>

static doip_result
openfails_open(const doip_options *options, void **state)
{
    (void)state;
    return doip_open_fail(options, "the moon is in the wrong phase for %s", doip_options_service(options));
}

DOIP_HANDLER(.name = "openfails", .version = "1.0", .open = openfails_open);
