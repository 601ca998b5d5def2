/*
 * The progress of a transfer: one line on stderr that is drawn over, five times a second, and only
 * where stderr is a terminal and the transfer has taken a second. Called by sink.c and sources.c for
 * each piece.
 */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "terminal.h"

enum { PROGRESS_AFTER_MS = 1000, PROGRESS_EVERY_MS = 200, PROGRESS_WIDTH = 24, PROGRESS_NAME = 24 };

static int64_t
progress_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

const char *
progress_size(double bytes, char text[16])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t unit = 0;

    while (bytes >= 1023.95 && unit < sizeof(units) / sizeof(units[0]) - 1) {
        bytes /= 1024;
        unit++;
    }
    snprintf(text, 16, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
    return text;
}

void
progress_begin(progress *bar, const char *name, int64_t total, bool quiet)
{
    *bar = (progress){.name = name, .total = total, .begun = progress_now()};
    bar->terminal = !quiet && isatty(STDERR_FILENO);
}

static void
progress_draw_bar(const progress *bar, double rate)
{
    double part = bar->total > 0 ? (double)bar->done / (double)bar->total : 1;
    int full = part < 1 ? (int)(part * PROGRESS_WIDTH) : PROGRESS_WIDTH;
    long left =
        rate > 0 && bar->total > bar->done ? (long)((double)(bar->total - bar->done) / rate) : 0;

    fputs(" [", stderr);
    for (int i = 0; i < PROGRESS_WIDTH; i++)
        fputc(i < full ? '#' : ' ', stderr);
    fprintf(stderr, "] %3d%%  %ld:%02ld left", (int)(part < 1 ? part * 100 : 100), left / 60,
            left % 60);
}

static void
progress_draw(const progress *bar)
{
    char done[16], speed[16];
    double rate = (double)bar->done * 1000 / (double)(bar->drawn - bar->begun + 1);
    size_t length = strlen(bar->name);

    fputc('\r', stderr);
    terminal_write(stderr, bar->name, length < PROGRESS_NAME ? length : PROGRESS_NAME, "", true);
    if (bar->total >= 0)
        progress_draw_bar(bar, rate);
    fprintf(stderr, "  %s  %s/s\x1b[K", progress_size((double)bar->done, done),
            progress_size(rate, speed));
}

void
progress_add(progress *bar, int64_t bytes)
{
    int64_t now;

    bar->done += bytes;
    if (!bar->terminal)
        return;
    now = progress_now();
    if (now - bar->begun < PROGRESS_AFTER_MS || now - bar->drawn < PROGRESS_EVERY_MS)
        return;
    bar->drawn = now;
    bar->shown = true;
    progress_draw(bar);
}

void
progress_end(progress *bar)
{
    if (bar->shown)
        fputs("\r\x1b[K", stderr);
    bar->shown = false;
}
