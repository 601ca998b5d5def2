/*
 * A handler whose descriptor has the wrong size: it must be refused with a message of its own, and nothing after that
 * be believed (the name is not even an address).
 */
#include <doip/handler.h>

DOIP_EXPORT extern const doip_descriptor doip_handler;
const doip_descriptor doip_handler = {
    .magic = DOIP_MAGIC, .abi = DOIP_ABI, .size = sizeof(doip_descriptor) + 8, .name = (const char *)8};
