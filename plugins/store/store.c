/*
 * The bundled handler: a durable repository of digital objects (doip-store(7)). Here the
 * descriptor, what each worker opens and closes, what all operations need, and ListOperations; the
 * other operations are in write.c, read.c, find.c and rights.c. All that is kept is behind
 * repository.h.
 */
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So long that a minted id is a legal one: a slash and digits follow (write.c). */
#define PREFIX_MAX (DOIP_ID_MAX - 64)

static const doip_option options_table[] = {
    {"root", DOIP_OPTION_STRING, "",
     "directory of the repository; empty: \"store\" in state_directory"},
    {"prefix", DOIP_OPTION_STRING, "",
     "prefix of the ids made for new objects; empty: that of the service's id"},
    {"max_element", DOIP_OPTION_SIZE, "0", "most bytes of one element; 0: no limit"},
    {"max_object", DOIP_OPTION_SIZE, "0", "most bytes of all elements of one object; 0: no limit"},
    {"quota", DOIP_OPTION_SIZE, "0", "most bytes of all elements together; 0: no limit"},
    {"acl", DOIP_OPTION_JSON, "", "who may read and write objects that do not say it themselves"},
    {"administrators", DOIP_OPTION_JSON, "", "clients and groups that may do everything"},
    {"index_text", DOIP_OPTION_SIZE, "0",
     "elements of text up to this size are searched for words; 0: none"},
    {NULL, 0, NULL, NULL},
};

struct opened {
    struct store store;
    char *prefix;
    char *root;
};

static void
store_close(void *state)
{
    struct opened *opened = state;

    if (opened == NULL)
        return;
    repository_close(&opened->store.repository);
    free(opened->prefix);
    free(opened->root);
    free(opened);
}

/* The prefix configured, else the service id's: what stands before its first slash. */
static char *
store_prefix(const doip_options *options)
{
    const char *prefix = doip_option_string(options, "prefix");
    const char *service = doip_options_service(options);

    return *prefix != '\0' ? strdup(prefix) : strndup(service, strcspn(service, "/"));
}

static char *
store_root(const doip_options *options)
{
    const char *root = doip_option_string(options, "root");
    char *path;

    if (*root != '\0')
        return strdup(root);
    return asprintf(&path, "%s/store", doip_options_state_directory(options)) < 0 ? NULL : path;
}

static doip_result
store_open_root(const doip_options *options, struct opened *opened)
{
    struct failure failure;

    if (strlen(opened->prefix) > PREFIX_MAX)
        return doip_open_fail(options,
                              "prefix: longer than %d bytes; ids made with it would be too long",
                              PREFIX_MAX);
    opened->store.repository = repository_open(opened->root, &failure);
    if (opened->store.repository == NULL)
        return doip_open_fail(
            options,
            "root: the repository in '%s' can't be opened: %s. Check that the directory (or, for a "
            "new one, its parent) exists on a local disk with room and belongs to the user that "
            "the "
            "workers run as.",
            opened->root, failure.text);
    repository_rules(opened->store.repository, &opened->store.rules);
    repository_limit(opened->store.repository,
                     &(struct repository_limits){doip_option_size(options, "max_element"),
                                                 doip_option_size(options, "max_object"),
                                                 doip_option_size(options, "quota")});
    repository_index_text(opened->store.repository, doip_option_size(options, "index_text"));
    opened->store.prefix = opened->prefix;
    return DOIP_OK;
}

/* Who may, as far as objects do not say it. */
static doip_result
store_open_rules(const doip_options *options, struct acl_rules *rules)
{
    char reason[600];

    rules->defaults = doip_option_json(options, "acl");
    rules->administrators = doip_option_json(options, "administrators");
    if (!acl_defaults_check(rules->defaults, reason, sizeof(reason)))
        return doip_open_fail(options, "%s: %s", doip_option_where(options, "acl"), reason);
    if (!acl_administrators_check(rules->administrators, reason, sizeof(reason)))
        return doip_open_fail(options, "%s: %s", doip_option_where(options, "administrators"),
                              reason);
    return DOIP_OK;
}

static doip_result
store_open(const doip_options *options, void **state)
{
    struct opened *opened = calloc(1, sizeof(*opened));
    doip_result result = DOIP_FAILED;

    if (opened == NULL)
        return doip_open_fail(options, "memory is short");
    opened->prefix = store_prefix(options);
    opened->root = store_root(options);
    if (opened->prefix == NULL || opened->root == NULL)
        (void)doip_open_fail(options, "memory is short");
    else
        result = store_open_rules(options, &opened->store.rules);
    if (result == DOIP_OK)
        result = store_open_root(options, opened);
    if (result == DOIP_OK)
        *state = &opened->store; /* its first member */
    else
        store_close(opened);
    return result;
}

DOIP_HANDLER(.name = "store", .version = "1.0", .flags = DOIP_THREAD_SAFE | DOIP_FOR_OBJECTS,
             .operations = store_operations, .options = options_table, .open = store_open,
             .close = store_close);

struct acl_client
store_client(const doip_request *request)
{
    return (struct acl_client){doip_request_client(request), doip_request_groups(request)};
}

doip_result
store_version(doip_request *request, doip_response *response, int64_t *version)
{
    *version = REPOSITORY_ANY_VERSION;
    if (doip_attribute_int(request, "ifVersion", version) != DOIP_OK)
        return DOIP_FAILED;
    if (*version != REPOSITORY_ANY_VERSION && *version < 1)
        return doip_fail_invalid(response,
                                 "The attribute 'ifVersion' is %lld; versions count from 1.",
                                 (long long)*version);
    return DOIP_OK;
}

doip_result
store_taken(doip_response *response, const char *id)
{
    return doip_fail(response, DOIP_STATUS_DUPLICATE, "The identifier '%s' is already in use.", id);
}

doip_result
store_fail(doip_request *request, doip_response *response, int status,
           const struct failure *failure)
{
    if (status == REPOSITORY_UNKNOWN)
        return doip_fail(response, DOIP_STATUS_UNKNOWN_OBJECT, "There is no object '%s'.",
                         doip_request_target(request));
    if (status == REPOSITORY_DENIED)
        return doip_fail(response,
                         doip_request_client(request) == NULL ? DOIP_STATUS_UNAUTHENTICATED
                                                              : DOIP_STATUS_FORBIDDEN,
                         "%s", failure->text);
    if (status == REPOSITORY_REFUSED)
        return doip_fail_invalid(response, "%s", failure->text);
    return doip_fail(response, DOIP_STATUS_ERROR, "The repository can't do that now: %s.",
                     failure->text);
}

/* The daemon's own answer is right for the service, and for every object that the client may know. */
DOIP_EXPORT doip_result
list(doip_request *request, doip_response *response)
{
    const struct store *store = doip_state(request);
    const struct acl_client client = store_client(request);
    struct failure failure;
    int status;

    if (doip_request_to_service(request))
        return DOIP_DECLINED;
    status = repository_check(store->repository, &client, ACL_READ, doip_request_target(request),
                              REPOSITORY_ANY_VERSION, &failure);
    return status == REPOSITORY_OK ? DOIP_DECLINED
                                   : store_fail(request, response, status, &failure);
}
