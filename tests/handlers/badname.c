/*
 * A handler that calls itself by another name than its file's: it must be refused, with both names in the message.
 */
#include <doip/handler.h>

DOIP_HANDLER(.name = "othername", .version = "1.0");
