/*
 * The calls with names of files that the fault layer (layer.h) stands in for: those that the
 * store, the daemon and SQLite make. test_store_power.py checks that none is missing.
 */
#include "layer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ------------------------------------------------------------------ open */

/* Opens or makes the file, and knows which it was. */
static int
open_or_make(const struct place *place, int flags, mode_t mode, bool *made)
{
    char path[PATH_MAX + NAME_MAX + 2];
    int fd = -1;

    snprintf(path, sizeof(path), "%s/%s", place->path, place->name);
    *made = false;
    while (fd < 0 && !*made) {
        errno = ENOENT;
        if ((flags & O_EXCL) == 0)
            fd = REAL(openat)(AT_FDCWD, path, flags & ~O_CREAT);
        if (fd >= 0 || errno != ENOENT)
            break;
        fd = REAL(openat)(AT_FDCWD, path, flags | O_EXCL, mode);
        *made = fd >= 0;
        if (fd < 0 && (errno != EEXIST || (flags & O_EXCL) != 0))
            break;
    }
    return fd;
}

static int
open_journalled(const struct place *place, int flags, mode_t mode)
{
    bool made;
    int fd;

    layer_lock();
    fd = open_or_make(place, flags, mode, &made);
    if (fd >= 0) {
        struct stat status;

        fstat(fd, &status);
        if (made)
            layer_note_name(RECORD_MAKE, status.st_ino, place);
        else if ((flags & O_TRUNC) != 0)
            layer_note(&(struct record){.kind = RECORD_SIZE, .file = status.st_ino}, NULL);
    }
    layer_unlock();
    return fd;
}

static int
open_any(int base, const char *path, int flags, mode_t mode)
{
    struct place place;

    if (layer_on() && layer_place(base, path, &place)) {
        if (layer_fails(CALL_OPEN))
            return -1;
        if (layer_journals() && (flags & O_CREAT) != 0)
            return open_journalled(&place, flags, mode);
    }
    return REAL(openat)(base, path, flags, mode);
}

static mode_t
open_mode(int flags, va_list arguments)
{
    return (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

#define OPEN_AT(name)                                                  \
    int name(int base, const char *path, int flags, ...)               \
    {                                                                  \
        va_list arguments;                                             \
        int fd;                                                        \
                                                                       \
        va_start(arguments, flags);                                    \
        fd = open_any(base, path, flags, open_mode(flags, arguments)); \
        va_end(arguments);                                             \
        return fd;                                                     \
    }

#define OPEN(name)                                                         \
    int name(const char *path, int flags, ...)                             \
    {                                                                      \
        va_list arguments;                                                 \
        int fd;                                                            \
                                                                           \
        va_start(arguments, flags);                                        \
        fd = open_any(AT_FDCWD, path, flags, open_mode(flags, arguments)); \
        va_end(arguments);                                                 \
        return fd;                                                         \
    }

OPEN_AT(openat)
OPEN_AT(openat64)
OPEN(open)
OPEN(open64)

/* ------------------------------------------------------------------ names */

static int
note_made(int result, enum record_kind kind, const struct place *place)
{
    char path[PATH_MAX + NAME_MAX + 2];
    struct stat status;

    snprintf(path, sizeof(path), "%s/%s", place->path, place->name);
    if (result == 0 && lstat(path, &status) == 0)
        layer_note_name(kind, status.st_ino, place);
    return result;
}

int
mkdirat(int base, const char *path, mode_t mode)
{
    struct place place;
    int result;

    if (!layer_on() || !layer_place(base, path, &place))
        return REAL(mkdirat)(base, path, mode);
    if (layer_fails(CALL_MKDIR))
        return -1;
    if (!layer_journals())
        return REAL(mkdirat)(base, path, mode);
    layer_lock();
    result = note_made(REAL(mkdirat)(base, path, mode), RECORD_MAKE_DIRECTORY, &place);
    layer_unlock();
    return result;
}

int
mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

int
linkat(int base, const char *path, int new_base, const char *new_path, int flags)
{
    struct place place;
    int result;

    if (!layer_on() || !layer_place(new_base, new_path, &place))
        return REAL(linkat)(base, path, new_base, new_path, flags);
    if (layer_fails(CALL_LINK))
        return -1;
    if (!layer_journals())
        return REAL(linkat)(base, path, new_base, new_path, flags);
    layer_lock();
    result = note_made(REAL(linkat)(base, path, new_base, new_path, flags), RECORD_LINK, &place);
    layer_unlock();
    return result;
}

int
link(const char *path, const char *new_path)
{
    return linkat(AT_FDCWD, path, AT_FDCWD, new_path, 0);
}

int
unlinkat(int base, const char *path, int flags)
{
    struct place place;
    int result;

    if (!layer_on() || !layer_place(base, path, &place))
        return REAL(unlinkat)(base, path, flags);
    if (layer_fails(CALL_UNLINK))
        return -1;
    if (!layer_journals())
        return REAL(unlinkat)(base, path, flags);
    layer_lock();
    result = REAL(unlinkat)(base, path, flags);
    if (result == 0)
        layer_note_name(RECORD_UNLINK, 0, &place);
    layer_unlock();
    return result;
}

int
unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

int
rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

static void
note_renamed(const struct place *from, const struct place *to)
{
    char names[2 * NAME_MAX + 2], path[PATH_MAX + NAME_MAX + 2];
    int length = snprintf(names, sizeof(names), "%s%c%s", from->name, '\0', to->name);
    struct stat status;

    snprintf(path, sizeof(path), "%s/%s", from->path, from->name);
    if (lstat(path, &status) == 0) /* both were names of the same file: nothing was done */
        return;
    snprintf(path, sizeof(path), "%s/%s", to->path, to->name);
    if (lstat(path, &status) == 0)
        layer_note(&(struct record){.kind = RECORD_RENAME,
                                    .length = (uint32_t)length,
                                    .file = status.st_ino,
                                    .parent = from->parent,
                                    .number = to->parent},
                   names);
}

int
renameat(int base, const char *path, int new_base, const char *new_path)
{
    struct place from, to;
    int result;

    if (!layer_on() || !layer_place(base, path, &from) || !layer_place(new_base, new_path, &to))
        return REAL(renameat)(base, path, new_base, new_path);
    if (layer_fails(CALL_LINK))
        return -1;
    if (!layer_journals())
        return REAL(renameat)(base, path, new_base, new_path);
    layer_lock();
    result = REAL(renameat)(base, path, new_base, new_path);
    if (result == 0)
        note_renamed(&from, &to);
    layer_unlock();
    return result;
}

int
rename(const char *path, const char *new_path)
{
    return renameat(AT_FDCWD, path, AT_FDCWD, new_path);
}
