/*
 * A handler whose descriptor has the wrong magic number: it must be refused with a message of its own, and nothing after that
 * be believed (the name is not even an address).
 */
#include <doip/handler.h>

DOIP_EXPORT extern const doip_descriptor doip_handler;
const doip_descriptor doip_handler = {
    .magic = 0x12345678u, .abi = DOIP_ABI, .size = sizeof(doip_descriptor), .name = (const char *)8};
