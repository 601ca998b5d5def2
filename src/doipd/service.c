/*
 * The service information: see service.h. Made once per generation in the master; shared, unchanging, by a worker's threads.
 */
#include <doip/protocol.h>
#include <doip/tls.h>

#include "service.h"

static bool
set_where_given(json_t *attributes, const char *name, const char *value)
{
    return value[0] == '\0' || json_object_set_new(attributes, name, json_string(value)) == 0;
}

json_t *
service_information(const struct config *config, SSL_CTX *context)
{
    json_t *attributes = json_pack("{s:s, s:i, s:s, s:s}", "ipAddress", config->service.address, "port",
                                   config->service.port, "protocol", "TCP", "protocolVersion",
                                   DOIP_PROTOCOL_VERSION);
    EVP_PKEY *key = SSL_CTX_get0_privatekey(context);
    json_t *jwk = key != NULL ? doip_key_jwk(key) : NULL;

    if ((jwk != NULL && json_object_set_new(attributes, "publicKey", jwk) != 0) ||
        !set_where_given(attributes, "serviceName", config->service.name) ||
        !set_where_given(attributes, "serviceDescription", config->service.description)) {
        json_decref(attributes);
        return NULL;
    }
    return json_pack("{s:s, s:s, s:o}", "id", config->service.id, "type", DOIP_TYPE_SERVICE_INFO, "attributes",
                     attributes);
}
