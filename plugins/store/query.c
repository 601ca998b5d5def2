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

/* What a date leaves out, for its first moment; and how long what it names lasts. */
static bool
time_parts(const char *text, struct tm *parts, int *given)
{
    int length = 0;
    char zone[2] = "";

    *parts = (struct tm){.tm_mon = 1, .tm_mday = 1};
    *given = sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &parts->tm_year, &parts->tm_mon,
                    &parts->tm_mday, &parts->tm_hour, &parts->tm_min, &parts->tm_sec, &length);
    if (*given < 1 || strspn(text, "0123456789") != 4)
        return false;
    if (*given == 6)
        text += length;
    else if (*given == 5)
        text += strlen("2000-01-01T00:00");
    else
        return strlen(text) == (size_t[]){0, 4, 7, 10, 0}[*given];
    sscanf(text, "%1s", zone);
    return strlen(text) <= 1 && (zone[0] == '\0' || zone[0] == 'Z');
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
    if (!time_parts(text, &parts, &given) || parts.tm_mon < 1 || parts.tm_mon > 12 ||
        parts.tm_mday < 1 || parts.tm_mday > 31 || parts.tm_hour > 23 || parts.tm_min > 59 ||
        parts.tm_sec > 60)
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
