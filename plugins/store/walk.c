/*
 * Walks over the values of a field (where.h). In each worker process, from any thread. Each is
 * answered from one index alone.
 */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "index_entry.h"
#include "where.h"

static const char *
past_digits(const char *at)
{
    return at + strspn(at, "0123456789");
}

/* Past a number as JSON writes them; NULL: it is none. *real: more than an integer. */
static const char *
past_number(const char *text, bool *real)
{
    const char *at = text + (*text == '-'), *end = past_digits(at);

    if (end == at || (*at == '0' && end > at + 1))
        return NULL;
    *real = *end == '.' || *end == 'e' || *end == 'E';
    if (*end == '.' && past_digits(end + 1) == end + 1)
        return NULL;
    if (*end == '.')
        end = past_digits(end + 1);
    if (*end != 'e' && *end != 'E')
        return end;
    at = end + 1 + (end[1] == '+' || end[1] == '-');
    return past_digits(at) > at ? past_digits(at) : NULL;
}

/* By hand, as a parser needs memory: without, a number would be taken for a word. */
bool
walk_number(const char *text, double *number)
{
    bool real;
    const char *end = past_number(text, &real);

    if (end == NULL || *end != '\0')
        return false;
    errno = 0;
    if (real)
        *number = strtod_l(text, NULL, newlocale(LC_ALL_MASK, "C", NULL));
    else
        *number = (double)strtoll(text, NULL, 10);
    return errno == 0 || (real && fabs(*number) < 1);
}

static const char *const column_names[QUERY_COLUMNS] = {
    [QUERY_ID] = "id",
    [QUERY_TYPE] = "type",
    [QUERY_CREATED_BY] = "created_by",
    [QUERY_MODIFIED_BY] = "modified_by",
    [QUERY_CREATED_ON] = "created_on",
    [QUERY_MODIFIED_ON] = "modified_on",
    [QUERY_VERSION] = "version",
};

const char *
walk_column(enum query_column column)
{
    return column_names[column];
}

/* ------------------------------------------------------------------ bounds */

static void
bound_compare(struct statement *statement, const struct query_bound *bound, const char *name,
              bool low)
{
    fprintf(statement->file, " AND %s %s%s ", name, low ? ">" : "<", bound->excluded ? "" : "=");
}

static void
bound_text(struct statement *statement, const struct query_bound *bound, const char *name, bool low)
{
    if (bound->text == NULL)
        return;
    bound_compare(statement, bound, name, low);
    statement_text(statement, bound->text);
}

static void
bound_number(struct statement *statement, const struct query_bound *bound, double number, bool low)
{
    if (bound->text == NULL)
        return;
    bound_compare(statement, bound, "value", low);
    statement_real(statement, number);
}

/* ------------------------------------------------------------------ parts */

static bool
range_numbers(const struct query *range, double *low, double *high)
{
    return (range->low.text == NULL || walk_number(range->low.text, low)) &&
           (range->high.text == NULL || walk_number(range->high.text, high));
}

static void
write_numbers(struct statement *statement, const struct query *range, double low, double high)
{
    if (range->high.text == NULL)
        fputs(" AND value < ''", statement->file);
    bound_number(statement, &range->low, low, true);
    bound_number(statement, &range->high, high, false);
}

static void
write_texts(struct statement *statement, const struct query *range)
{
    if (range->low.text == NULL)
        fputs(" AND value >= ''", statement->file);
    bound_text(statement, &range->low, "value", true);
    bound_text(statement, &range->high, "value", false);
}

/* The table; `joined` to the numbers where only those are looked at. */
static void
walk_from(struct statement *statement, const struct walk *walk, const char *table,
          const char *joined)
{
    fputs(walk->among == NULL ? table : SQL_WALK_AMONG, statement->file);
    if (walk->among == NULL)
        return;
    statement_text(statement, walk->among);
    fputs(joined, statement->file);
}

/* The first part has all where there is no range. */
static bool
write_values(struct statement *statement, const struct walk *walk, int part)
{
    double low = 0, high = 0;

    if (walk->range == NULL ? part > 0 : part == 0 && !range_numbers(walk->range, &low, &high))
        return false;
    fputs(walk->order == WALK_ANYHOW ? SQL_WALK_OBJECTS : SQL_WALK_VALUES, statement->file);
    walk_from(statement, walk, SQL_WALK_FIELD, SQL_WALK_AMONG_FIELD);
    fputs(SQL_WALK_PATH, statement->file);
    statement_number(statement, entry_path(statement->connection, walk->field->pointer));
    if (walk->range != NULL && part == 0)
        write_numbers(statement, walk->range, low, high);
    else if (walk->range != NULL)
        write_texts(statement, walk->range);
    return true;
}

/* The text as a pattern for GLOB, the caller's. */
static char *
glob_pattern(const char *text)
{
    char *pattern = malloc(3 * strlen(text) + 1), *next = pattern;

    for (; pattern != NULL && *text != '\0'; text++) {
        if (*text == QUERY_ANY || *text == QUERY_ONE)
            *next++ = *text == QUERY_ANY ? '*' : '?';
        else if (strchr("*?[", *text) != NULL)
            next += sprintf(next, "[%c]", *text);
        else
            *next++ = *text;
    }
    if (pattern != NULL)
        *next = '\0';
    return pattern;
}

static void
write_equal(struct statement *statement, const char *name, const char *text)
{
    bool wild = strchr(text, QUERY_ANY) != NULL || strchr(text, QUERY_ONE) != NULL;
    char *pattern = wild ? glob_pattern(text) : NULL;

    fprintf(statement->file, " AND %s %s ", name, wild ? "GLOB" : "=");
    if (wild && pattern == NULL)
        connection_fail(statement->connection, "memory is short");
    else
        statement_text(statement, wild ? pattern : text);
    free(pattern);
}

static bool
write_column(struct statement *statement, const struct walk *walk, int part)
{
    const char *name = walk_column(walk->field->column);
    const struct query *range = walk->range;

    if (part > 0)
        return false;
    fprintf(statement->file, SQL_WALK_COLUMN, name);
    walk_from(statement, walk, SQL_WALK_ENTRY, SQL_WALK_AMONG_ENTRY);
    fprintf(statement->file, SQL_WALK_THERE, name);
    if (range != NULL && range->kind == QUERY_NUMBER) {
        fprintf(statement->file, " AND %s BETWEEN ", name);
        statement_number(statement, range->from);
        fputs(" AND ", statement->file);
        statement_number(statement, range->to);
    } else if (range != NULL && range->kind == QUERY_MATCH) {
        write_equal(statement, name, range->text);
    } else if (range != NULL) {
        bound_text(statement, &range->low, name, true);
        bound_text(statement, &range->high, name, false);
    }
    return true;
}

bool
walk_write(struct statement *statement, const struct walk *walk, int part)
{
    static const char *const orders[] = {
        [WALK_ANYHOW] = "", [WALK_UP] = " ORDER BY 2, 1", [WALK_DOWN] = " ORDER BY 2 DESC, 1 DESC"};

    if (!(walk->field->column == QUERY_POINTER ? write_values : write_column)(statement, walk,
                                                                              part))
        return false;
    fputs(orders[walk->order], statement->file);
    return true;
}
