/*
 * The descriptors that a worker lives by: see descriptors.h.
 */
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "descriptors.h"
#include "guard.h"

enum {
    NUMBERS_MOST = 1 << 22, /* beyond, numbers are not looked at */
    KEPT_MOST = 128,        /* the same */
    WORD = 64,
};

struct kept {
    int fd;
    dev_t device;
    ino_t inode;
};

static struct {
    size_t words;
    _Atomic(uint64_t) *used; /* a bit for each number */
    struct kept kept[KEPT_MOST];
    size_t kept_count;
} table;

static _Noreturn void
lost(int fd, const char *how)
{
    char text[GUARD_WORDS];

    snprintf(
        text, sizeof text,
        "its descriptor %d was %s: a handler or a library closes descriptors that are not its own",
        fd, how);
    guard_end_worker(text);
}

/* The word of a number and its bit in it; NULL for a number that is not looked at. */
static _Atomic(uint64_t) *
word_of(int fd, uint64_t *bit)
{
    if (fd < 0 || (size_t)fd / WORD >= table.words)
        return NULL;
    *bit = (uint64_t)1 << fd % WORD;
    return &table.used[fd / WORD];
}

void
descriptors_take(int fd)
{
    uint64_t bit, before = 0;
    _Atomic(uint64_t) *word = word_of(fd, &bit);

    if (word != NULL)
        before = atomic_fetch_or(word, bit);
    if (word != NULL && (before & bit) != 0)
        lost(fd, "given again while in use");
}

void
descriptors_give_back(int fd)
{
    uint64_t bit;
    _Atomic(uint64_t) *word = word_of(fd, &bit);

    if (word != NULL)
        atomic_fetch_and(word, ~bit);
}

_Noreturn void
descriptors_lost(int fd)
{
    lost(fd, "closed or replaced");
}

void
descriptors_check_socket(int fd)
{
    struct stat status;

    if (fstat(fd, &status) != 0 || !S_ISSOCK(status.st_mode))
        descriptors_lost(fd);
}

/* ------------------------------------------------------------------ those that are kept */

void
descriptors_keep(int fd)
{
    struct stat status;

    if (table.kept_count == KEPT_MOST || fstat(fd, &status) != 0)
        return;
    table.kept[table.kept_count++] = (struct kept){fd, status.st_dev, status.st_ino};
    descriptors_take(fd);
}

void
descriptors_drop(int fd)
{
    for (size_t i = 0; i < table.kept_count; i++)
        if (table.kept[i].fd == fd)
            table.kept[i--] = table.kept[--table.kept_count];
    descriptors_give_back(fd);
}

void
descriptors_look(void)
{
    for (size_t i = 0; i < table.kept_count; i++) {
        const struct kept *kept = &table.kept[i];
        struct stat status;

        if (fstat(kept->fd, &status) != 0 || status.st_dev != kept->device ||
            status.st_ino != kept->inode)
            descriptors_lost(kept->fd);
    }
}

bool
descriptors_begin(void)
{
    struct rlimit limit = {0};

    getrlimit(RLIMIT_NOFILE, &limit);
    table.words = (limit.rlim_cur < NUMBERS_MOST ? limit.rlim_cur : NUMBERS_MOST) / WORD + 1;
    table.used = calloc(table.words, sizeof *table.used);
    return table.used != NULL;
}

/* ------------------------------------------------------------------ a copy of the process */

static bool
is_file(int fd)
{
    struct stat status;

    return fstat(fd, &status) != 0 || S_ISREG(status.st_mode) || S_ISFIFO(status.st_mode) ||
           S_ISCHR(status.st_mode);
}

void
descriptors_close_copies(void)
{
    for (size_t i = 0; i < table.words; i++) {
        uint64_t word = atomic_load(&table.used[i]);

        for (int fd = (int)(i * WORD); word != 0; fd++, word >>= 1)
            if ((word & 1) != 0 && fd > STDERR_FILENO && !is_file(fd))
                close(fd);
    }
}
