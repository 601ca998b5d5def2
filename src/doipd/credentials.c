/*
 * What a request carries to prove who sent it: see credentials.h.
 */
#include <string.h>

#include "credentials.h"

/* A member that must be a string; absent, null and empty are the same. */
static doip_result
text(const json_t *given, const char *name, const char **value, doip_response *response)
{
    const json_t *member = json_object_get(given, name);

    *value = NULL;
    if (member == NULL || json_is_null(member))
        return DOIP_OK;
    if (!json_is_string(member))
        return doip_fail_invalid(response, "`authentication.%s` must be a string.", name);
    if (json_string_length(member) > 0)
        *value = json_string_value(member);
    return DOIP_OK;
}

/* Something stands in there beside `asUserId`. */
static bool
has_more(const json_t *given)
{
    json_t *value;
    const char *name;

    json_object_foreach((json_t *)(uintptr_t)given, name,
                        value) if (strcmp(name, "asUserId") != 0 &&
                                   !json_is_null(value)) return true;
    return false;
}

doip_result
credentials_read(struct credentials *credentials, const doip_request *request,
                 doip_response *response)
{
    const json_t *given = doip_request_authentication(request);
    const char *username, *password, *token;

    *credentials = (struct credentials){.kind = CREDENTIALS_NONE};
    if (given == NULL)
        return DOIP_OK;
    if (text(given, "username", &username, response) != DOIP_OK ||
        text(given, "password", &password, response) != DOIP_OK ||
        text(given, "token", &token, response) != DOIP_OK ||
        text(given, "asUserId", &credentials->as_user, response) != DOIP_OK)
        return DOIP_FAILED;
    if (credentials->as_user != NULL && strlen(credentials->as_user) > DOIP_ID_MAX)
        return doip_fail_invalid(response, "`authentication.asUserId` must have at most %d bytes.",
                                 DOIP_ID_MAX);
    credentials->name = username != NULL ? username : doip_request_client_id(request);
    credentials->secret = token != NULL ? token : password;
    if (token != NULL)
        credentials->kind = CREDENTIALS_TOKEN;
    else if (password != NULL && credentials->name != NULL)
        credentials->kind = CREDENTIALS_PASSWORD;
    else if (has_more(given))
        credentials->kind = CREDENTIALS_OTHER;
    return DOIP_OK;
}
