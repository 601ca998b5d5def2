/*
 * Tables: see show.h. What came from the service is escaped for the terminal. A cell is a text; columns are as wide as their widest cell, numbers stand to the right.
 */
#include "show.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doip/terminal.h"

enum { CELL = 72, SPAN = 24, COLUMNS_MOST = 10 };

/* ------------------------------------------------------------------ values as text */

static long long
number_of(const json_t *object, const char *name)
{
    return (long long)json_integer_value(json_object_get(object, name));
}

static const char *
text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "-";
}

static void
span_text(long long seconds, char *text)
{
    if (seconds < 120)
        snprintf(text, SPAN, "%llds", seconds);
    else if (seconds < 7200)
        snprintf(text, SPAN, "%lldm", seconds / 60);
    else if (seconds < 172800)
        snprintf(text, SPAN, "%lldh%02lldm", seconds / 3600, seconds / 60 % 60);
    else
        snprintf(text, SPAN, "%lldd%02lldh", seconds / 86400, seconds / 3600 % 24);
}

static void
size_text(long long bytes, char *text)
{
    static const char units[] = "BKMGTPE";
    double value = (double)bytes;
    int unit = 0;

    for (; value >= 1024 && units[unit + 1] != '\0'; unit++)
        value /= 1024;
    snprintf(text, SPAN, unit == 0 ? "%.0f%c" : "%.1f%c", value, units[unit]);
}

static void
list_text(const json_t *list, char *text)
{
    size_t used = 0, i;
    json_t *item;

    text[0] = '\0';
    json_array_foreach(list, i, item) if (used < CELL) used += (size_t)snprintf(
        text + used, CELL - used, "%s%s", i > 0 ? "," : "", json_string_value(item));
}

/* ------------------------------------------------------------------ a table */

struct table {
    size_t columns;
    size_t rows;
    char (*cells)[CELL]; /* row by row; the first is the head */
};

static char *
next_row(struct table *table)
{
    char(*grown)[CELL] = realloc(table->cells, (table->rows + 1) * table->columns * sizeof *grown);

    if (grown == NULL)
        abort();
    table->cells = grown;
    memset(grown + table->rows * table->columns, 0, table->columns * sizeof *grown);
    return grown[table->rows++ * table->columns];
}

static void
begin(struct table *table, size_t columns, ...)
{
    va_list ap;
    char *cell;

    *table = (struct table){.columns = columns};
    cell = next_row(table);
    va_start(ap, columns);
    for (size_t i = 0; i < columns; i++)
        snprintf(cell + i * CELL, CELL, "%s", va_arg(ap, const char *));
    va_end(ap);
}

/* Columns of an UTF-8 text, as far as each character takes one. */
static int
width_of(const char *text)
{
    int width = 0;

    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static bool
is_number(const char *text)
{
    return text[0] >= '0' && text[0] <= '9' && strspn(text, "0123456789.BKMGTPE") == strlen(text);
}

static void
print_cell(const char *text, int width, bool last)
{
    int blanks = width - width_of(text);
    bool right = is_number(text);

    if (right)
        printf("%*s", blanks, "");
    terminal_write(stdout, text, strlen(text), "", false);
    if (!right && !last)
        printf("%*s", blanks, "");
    fputs(last ? "\n" : "  ", stdout);
}

static void
end(struct table *table)
{
    int widths[COLUMNS_MOST] = {0};

    for (size_t i = 0; i < table->rows * table->columns; i++) {
        int width = width_of(table->cells[i]);

        if (width > widths[i % table->columns])
            widths[i % table->columns] = width;
    }
    for (size_t i = 0; i < table->rows * table->columns; i++)
        print_cell(table->cells[i], widths[i % table->columns], (i + 1) % table->columns == 0);
    free(table->cells);
}

#define CELL_AT(row, column) ((row) + (column)*CELL)

static void
put_text(char *row, size_t column, const char *text)
{
    snprintf(CELL_AT(row, column), CELL, "%.*s", CELL - 1, text);
}

static void
put_number(char *row, size_t column, long long number)
{
    snprintf(CELL_AT(row, column), CELL, "%lld", number);
}

/* ------------------------------------------------------------------ reports */

static void line(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
line(const char *name, const char *format, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    printf("%-13s", name);
    terminal_write(stdout, text, strlen(text), "", false);
    putchar('\n');
}

static void
show_counts(const json_t *report)
{
    const json_t *open = json_object_get(report, "connections"),
                 *workers = json_object_get(report, "workers");
    const json_t *requests = json_object_get(report, "requests");

    line("connections", "%lld (%lld idle, %lld running a handler)", number_of(open, "open"),
         number_of(open, "idle"), number_of(open, "running"));
    line("requests", "%lld, %.1f per second lately", number_of(requests, "total"),
         json_number_value(json_object_get(requests, "per_second")));
    line("workers", "%lld serving, %lld starting, %lld retiring; %lld died so far",
         number_of(workers, "serving"), number_of(workers, "starting"),
         number_of(workers, "retiring"), number_of(workers, "died"));
}

/* A line for each certificate that has an OCSP response. */
static void
show_staples(const json_t *certificates)
{
    json_t *item;
    size_t i;

    json_array_foreach(certificates, i, item)
    {
        const json_t *ocsp = json_object_get(item, "ocsp");
        bool ends = json_is_string(json_object_get(ocsp, "not_after"));

        if (json_is_object(ocsp))
            line("stapled", "%s, %s%s", text_of(ocsp, "file"),
                 !json_is_true(json_object_get(ocsp, "stapled")) ? "no longer: it expired " : ends ? "until " : "without an end",
                 ends ? text_of(ocsp, "not_after") : "");
    }
}

void
show_status(const json_t *report)
{
    const json_t *certificate = json_object_get(report, "certificate");
    char span[SPAN], addresses[CELL];

    span_text(number_of(report, "uptime"), span);
    list_text(json_object_get(report, "listen"), addresses);
    line("service", "%s%s%s", text_of(report, "service"),
         text_of(report, "name")[0] != '\0' ? ", " : "", text_of(report, "name"));
    line("state", "%s", text_of(report, "state"));
    line("version", "%s", text_of(report, "version"));
    line("pid", "%lld", number_of(report, "pid"));
    line("since", "%s (%s)", text_of(report, "started"), span);
    line("generation", "%lld", number_of(report, "generation"));
    line("listening", "%s", addresses);
    show_counts(report);
    line("certificate", "%lld days left, until %s", number_of(certificate, "days_left"),
         text_of(certificate, "not_after"));
    show_staples(json_object_get(report, "certificates"));
    line("log level", "%s", text_of(report, "log_level"));
}

static void
busy_text(const json_t *longest, char *text)
{
    char span[SPAN];

    if (!json_is_object(longest)) {
        strcpy(text, "-");
        return;
    }
    span_text(number_of(longest, "seconds"), span);
    snprintf(text, CELL, "%.*s: %s %s %s", SPAN, span, text_of(longest, "handler"),
             text_of(longest, "operation"), text_of(longest, "target"));
}

void
show_workers(const json_t *report)
{
    struct table table;
    size_t i;
    json_t *item;

    begin(&table, 10, "WORKER", "PID", "GENERATION", "STATE", "UP", "CONNECTIONS", "REQUESTS",
          "MEMORY", "BUSY", "LONGEST");
    json_array_foreach(json_object_get(report, "workers"), i, item)
    {
        char *row = next_row(&table);

        put_number(row, 0, number_of(item, "worker"));
        put_number(row, 1, number_of(item, "pid"));
        put_number(row, 2, number_of(item, "generation"));
        put_text(row, 3, text_of(item, "state"));
        span_text(number_of(item, "uptime"), CELL_AT(row, 4));
        put_number(row, 5, number_of(item, "connections"));
        put_number(row, 6, number_of(item, "requests"));
        size_text(number_of(item, "memory"), CELL_AT(row, 7));
        put_number(row, 8, number_of(item, "busy_threads"));
        busy_text(json_object_get(item, "longest"), CELL_AT(row, 9));
    }
    end(&table);
}

void
show_connections(const json_t *report)
{
    const json_t *list = json_object_get(report, "connections");
    struct table table;
    size_t i;
    json_t *item;

    begin(&table, 9, "ADDRESS", "CLIENT", "STATE", "FOR", "CONNECTED", "REQUESTS", "IN", "OUT",
          "PID");
    json_array_foreach(list, i, item)
    {
        char *row = next_row(&table);

        put_text(row, 0, text_of(item, "address"));
        put_text(row, 1, text_of(item, "client"));
        put_text(row, 2, text_of(item, "state"));
        span_text(number_of(item, "state_seconds"), CELL_AT(row, 3));
        span_text(number_of(item, "seconds"), CELL_AT(row, 4));
        put_number(row, 5, number_of(item, "requests"));
        size_text(number_of(item, "bytes_in"), CELL_AT(row, 6));
        size_text(number_of(item, "bytes_out"), CELL_AT(row, 7));
        put_number(row, 8, number_of(item, "pid"));
    }
    end(&table);
    if (number_of(report, "open") > (long long)json_array_size(list))
        printf("and %lld more\n", number_of(report, "open") - (long long)json_array_size(list));
}

void
show_handlers(const json_t *report)
{
    struct table table;
    size_t i;
    json_t *item;

    begin(&table, 9, "HANDLER", "VERSION", "THREADS", "OK", "DECLINED", "ERROR", "SECONDS",
          "TARGETS", "OPERATIONS");
    json_array_foreach(json_object_get(report, "handlers"), i, item)
    {
        const json_t *calls = json_object_get(item, "calls");
        char *row = next_row(&table);

        put_text(row, 0, text_of(item, "handler"));
        put_text(row, 1, text_of(item, "version"));
        put_text(row, 2, json_is_true(json_object_get(item, "thread_safe")) ? "many" : "one");
        put_number(row, 3, number_of(calls, "ok"));
        put_number(row, 4, number_of(calls, "declined"));
        put_number(row, 5, number_of(calls, "error"));
        snprintf(CELL_AT(row, 6), CELL, "%.3f",
                 json_number_value(json_object_get(item, "seconds")));
        list_text(json_object_get(item, "targets"), CELL_AT(row, 7));
        list_text(json_object_get(item, "operations"), CELL_AT(row, 8));
    }
    end(&table);
}
