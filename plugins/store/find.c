/*
 * Search: the request's attributes as a query and a page, and the results streamed, one object in
 * memory at a time.
 */
#include <doip/json.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "store.h"

struct search {
    struct query *query;
    struct repository_page page;
    bool full;
};

/* ------------------------------------------------------------------ attributes */

/* One of sortFields: "field", "field ASC" or "field DESC". */
static doip_result
sort_field(doip_response *response, struct repository_page *page, char *text)
{
    char *rest = NULL;
    const char *name = strtok_r(text, " \t", &rest);
    const char *direction = strtok_r(NULL, " \t", &rest);
    struct repository_sort *sort = &page->sorts[page->sort_count];

    if (name == NULL)
        return doip_fail_invalid(response, "The attribute 'sortFields' has an empty field.");
    if (page->sort_count == REPOSITORY_SORTS_MAX)
        return doip_fail_invalid(response, "The attribute 'sortFields' has more than %d fields.",
                                 REPOSITORY_SORTS_MAX);
    sort->descending = direction != NULL && strcasecmp(direction, "DESC") == 0;
    if (direction != NULL && !sort->descending && strcasecmp(direction, "ASC") != 0)
        return doip_fail_invalid(response, "The sort direction '%s' is neither 'ASC' nor 'DESC'.",
                                 direction);
    if (strtok_r(NULL, " \t", &rest) != NULL)
        return doip_fail_invalid(
            response, "The sort field '%s' is followed by more than its direction.", name);
    if (!query_field_parse(name, &sort->field)) {
        if (errno == ENOMEM)
            return doip_fail(response, DOIP_STATUS_ERROR, "Memory is short.");
        return doip_fail_invalid(
            response,
            "The sort field '%s' is not known; there are id, type, createdBy, createdOn, "
            "modifiedBy, modifiedOn, version and pointers such as /name.",
            name);
    }
    page->sort_count++;
    return DOIP_OK;
}

static doip_result
sort_fields(doip_request *request, doip_response *response, struct repository_page *page)
{
    const char *given = NULL;
    char *text, *rest, *field;
    doip_result result = doip_attribute_string(request, "sortFields", &given);

    if (result != DOIP_OK || given == NULL || *given == '\0')
        return result;
    text = rest = strdup(given);
    if (text == NULL)
        return doip_fail(response, DOIP_STATUS_ERROR, "Memory is short.");
    while (result == DOIP_OK && (field = strsep(&rest, ",")) != NULL)
        result = sort_field(response, page, field);
    free(text);
    return result;
}

static doip_result
search_page(doip_request *request, doip_response *response, struct repository_page *page)
{
    int64_t number = 0, size = -1;
    uint64_t skip;

    if (doip_attribute_int(request, "pageNum", &number) != DOIP_OK ||
        doip_attribute_int(request, "pageSize", &size) != DOIP_OK)
        return DOIP_FAILED;
    if (number < 0)
        return doip_fail_invalid(response,
                                 "The attribute 'pageNum' is negative; pages count from 0.");
    if (size < 0 && number > 0)
        size = 0; /* all is on page 0 */
    if (__builtin_mul_overflow((uint64_t)number, (uint64_t)(size < 0 ? 0 : size), &skip) ||
        skip > INT64_MAX)
        skip = INT64_MAX;
    page->skip = skip;
    page->most = size;
    return sort_fields(request, response, page);
}

static doip_result
search_type(doip_request *request, doip_response *response, bool *full)
{
    const char *type = "full";

    if (doip_attribute_string(request, "type", &type) != DOIP_OK)
        return DOIP_FAILED;
    *full = strcmp(type, "full") == 0;
    if (!*full && strcmp(type, "id") != 0)
        return doip_fail_invalid(response, "The attribute 'type' is neither 'full' nor 'id'.");
    return DOIP_OK;
}

static doip_result
search_query(doip_request *request, doip_response *response, struct query **query)
{
    const char *text = NULL;
    char reason[400];

    if (doip_attribute_string(request, "query", &text) != DOIP_OK)
        return DOIP_FAILED;
    if (text == NULL)
        return doip_fail_invalid(response, "The attribute 'query' is missing.");
    *query = query_parse(text, reason, sizeof(reason));
    if (*query == NULL && errno == ENOMEM)
        return doip_fail(response, DOIP_STATUS_ERROR, "%s", reason);
    return *query == NULL ? doip_fail_invalid(response, "%s", reason) : DOIP_OK;
}

/* ------------------------------------------------------------------ results */

static doip_result
results_begin(doip_response *response, const struct repository_results *results)
{
    char text[64];

    snprintf(text, sizeof(text), "{\"size\":%llu,\"results\":[",
             (unsigned long long)repository_results_size(results));
    return doip_respond_json_begin(response) == DOIP_OK ? doip_write_text(response, text)
                                                        : DOIP_FAILED;
}

/* A result, as it is kept where it may leave so. */
static doip_result
result_respond(doip_request *request, doip_response *response, const char *text)
{
    struct failure failure;
    char reason[128];
    json_t *value;

    if (doip_json_is_compact(text, strlen(text)))
        return doip_write_text(response, text);
    value = doip_json_parse(text, strlen(text), reason, sizeof(reason));
    if (value != NULL)
        return doip_write_value(response, value);
    failure_set(&failure, "%s%s",
                errno == ENOMEM ? "" : "an object is damaged in the catalog: ", reason);
    return store_fail(request, response, REPOSITORY_FAILED, &failure);
}

static doip_result
results_respond(doip_request *request, doip_response *response, struct repository_results *results,
                bool full)
{
    doip_result result = results_begin(response, results);
    struct failure failure;
    char *text;
    int more = 0;

    for (bool first = true; result == DOIP_OK; first = false) {
        more = repository_results_next(results, full, &text, &failure);
        if (more <= 0)
            break;
        if (!first)
            result = doip_write_text(response, ",");
        if (result == DOIP_OK)
            result = result_respond(request, response, text);
        free(text);
    }
    if (more < 0)
        return store_fail(request, response, more, &failure);
    return result == DOIP_OK ? doip_write_text(response, "]}") : result;
}

static doip_result
search_run(doip_request *request, doip_response *response, const struct search *search)
{
    const struct store *store = doip_state(request);
    const struct acl_client client = store_client(request);
    struct repository_results *results;
    struct failure failure;
    doip_result result;
    int status = repository_search(store->repository, &client, search->query, &search->page,
                                   &results, &failure);

    if (status != REPOSITORY_OK)
        return store_fail(request, response, status, &failure);
    result = results_respond(request, response, results, search->full);
    repository_results_free(&results);
    return result;
}

DOIP_EXPORT doip_result
search(doip_request *request, doip_response *response)
{
    struct search search = {.query = NULL};
    doip_result result = DOIP_FAILED;

    if (search_page(request, response, &search.page) == DOIP_OK &&
        search_type(request, response, &search.full) == DOIP_OK &&
        search_query(request, response, &search.query) == DOIP_OK)
        result = search_run(request, response, &search);
    query_free(&search.query);
    for (size_t i = 0; i < search.page.sort_count; i++)
        free(search.page.sorts[i].field.pointer);
    return result;
}
