/*
 * The fields and values that queries name, and the tree's end (query.h). Pure functions, any
 * thread.
 */
#include "query.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "query_impl.h"

void
query_free(struct query **query)
{
    if (*query == NULL)
        return;
    for (size_t i = 0; i < (*query)->count; i++)
        query_free(&(*query)->children[i]);
    free((*query)->children);
    free((*query)->field.pointer);
    free((*query)->text);
    free((*query)->low.text);
    free((*query)->high.text);
    free(*query);
    *query = NULL;
}

/* ------------------------------------------------------------------ fields */

static const char *const column_names[QUERY_COLUMNS] = {
    [QUERY_ID] = "id",
    [QUERY_TYPE] = "type",
    [QUERY_CREATED_BY] = "createdBy",
    [QUERY_MODIFIED_BY] = "modifiedBy",
    [QUERY_CREATED_ON] = "createdOn",
    [QUERY_MODIFIED_ON] = "modifiedOn",
    [QUERY_VERSION] = "version",
};

bool
query_is_number(enum query_column column)
{
    return column == QUERY_CREATED_ON || column == QUERY_MODIFIED_ON || column == QUERY_VERSION;
}

/* "/author" is below attributes.content, "/attributes/other" is below attributes. */
bool
query_field_parse(const char *name, struct query_field *field)
{
    static const char full[] = "/attributes/";

    *field = (struct query_field){.column = QUERY_POINTER};
    if (strncmp(name, full, strlen(full)) == 0)
        return (field->pointer = strdup(name + strlen(full) - 1)) != NULL;
    if (name[0] == '/' && name[1] != '\0')
        return asprintf(&field->pointer, "/content%s", name) >= 0;
    for (int i = 0; i < QUERY_COLUMNS; i++) {
        field->column = (enum query_column)i;
        if (strcmp(name, column_names[i]) == 0)
            return true;
    }
    errno = EINVAL;
    return false;
}

/* ------------------------------------------------------------------ values */

bool
query_integer(const char *text, int64_t *number)
{
    char *end;

    if (*text == '\0' || strspn(text, "-0123456789") != strlen(text))
        return false;
    errno = 0;
    *number = strtoll(text, &end, 10);
    return *end == '\0' && errno == 0;
}

/* A date is written "2026-11-22T10:30:00", as far as one likes to go. */
static bool
has_form_of_date(const char *text, size_t length)
{
    static const char form[] = "0000-00-00T00:00:00";

    for (size_t i = 0; i < length; i++)
        if (form[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
            return false;
    return true;
}

/* The month has that day. */
static bool
has_day(const struct tm *parts)
{
    struct tm day = {
        .tm_year = parts->tm_year - 1900, .tm_mon = parts->tm_mon - 1, .tm_mday = parts->tm_mday};

    timegm(&day);
    return parts->tm_mday > 0 && day.tm_mday == parts->tm_mday;
}

/* What a date leaves out, for its first moment; and how many parts it gives. */
static bool
time_parts(const char *text, struct tm *parts, int *given)
{
    size_t length = strlen(text);

    if ((length == strlen("2000-01-01T00:00Z") || length == strlen("2000-01-01T00:00:00Z")) &&
        text[length - 1] == 'Z')
        length--;
    *given = length == 4    ? 1
             : length == 7  ? 2
             : length == 10 ? 3
             : length == 16 ? 5
             : length == 19 ? 6
                            : 0;
    if (*given == 0 || !has_form_of_date(text, length))
        return false;
    *parts = (struct tm){.tm_mon = 1, .tm_mday = 1};
    /* NOLINTNEXTLINE(cert-err34-c): they are digits, so many of them */
    sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &parts->tm_year, &parts->tm_mon, &parts->tm_mday,
           &parts->tm_hour, &parts->tm_min, &parts->tm_sec);
    return parts->tm_mon >= 1 && parts->tm_mon <= 12 && has_day(parts) && parts->tm_hour <= 23 &&
           parts->tm_min <= 59 && parts->tm_sec <= 60;
}

bool
query_time(const char *text, int64_t *first, int64_t *last)
{
    struct tm parts, after;
    int given;

    if (query_integer(text, first) && strlen(text) != 4) {
        *last = *first;
        return true;
    }
    if (!time_parts(text, &parts, &given))
        return false;
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    after = parts;
    *(given == 1   ? &after.tm_year
      : given == 2 ? &after.tm_mon
      : given == 3 ? &after.tm_mday
      : given == 5 ? &after.tm_min
                   : &after.tm_sec) += 1;
    *first = (int64_t)timegm(&parts) * 1000;
    *last = (int64_t)timegm(&after) * 1000 - 1;
    return true;
}
