/*
 * The service information (protocol section 6): what Hello answers when no handler does.
 */
#ifndef DOIPD_SERVICE_H
#define DOIPD_SERVICE_H

#include <jansson.h>
#include <openssl/ssl.h>

#include "config.h"

/* A new reference; NULL when memory is short. */
json_t *service_information(const struct config *config, SSL_CTX *context);

#endif
