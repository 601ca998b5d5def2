/*
 * A handler whose descriptor has the wrong ABI number: it must be refused with a message of its own, and nothing after that
 * be believed (the name is not even an address).
 */
#include <doip/handler.h>

DOIP_EXPORT extern const doip_descriptor doip_handler;
const doip_descriptor doip_handler = {
    .magic = DOIP_MAGIC, .abi = DOIP_ABI + 41, .size = sizeof(doip_descriptor), .name = (const char *)8};
