/*
 * The fault layer's memory (layer.h): what the test has switched on, the journal, and which files
 * it is about. In each process of the daemon, from any thread; never changes errno but to fail.
 */
#include "layer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct layer *layer;
static char below[PATH_MAX];

/* Before main(), in the one process that was started; all others are its children. */
__attribute__((constructor)) static void
layer_open(void)
{
    const char *file = getenv("DOIPD_FAULTS"), *directory = getenv("DOIPD_FAULTS_BELOW");
    pthread_mutexattr_t shared;
    struct stat status;
    void *memory;
    long fd;

    if (file == NULL || directory == NULL || realpath(directory, below) == NULL)
        return;
    fd = syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat((int)fd, &status) != 0)
        abort();
    memory = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, (int)fd, 0);
    if (memory == MAP_FAILED)
        abort();
    syscall(SYS_close, fd);
    layer = memory;
    if (atomic_exchange(&layer->locked_once, 1) == 0) {
        pthread_mutexattr_init(&shared);
        pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
        pthread_mutexattr_setrobust(&shared, PTHREAD_MUTEX_ROBUST);
        pthread_mutex_init(&layer->lock, &shared);
        atomic_store(&layer->tail, JOURNAL_START);
    }
}

bool
layer_journals(void)
{
    return layer != NULL && atomic_load_explicit(&layer->journal, memory_order_relaxed) != 0;
}

bool
layer_on(void)
{
    return layer_journals() ||
           (layer != NULL && atomic_load_explicit(&layer->calls, memory_order_relaxed) != 0);
}

bool
layer_fails(int call)
{
    uint64_t number, after;

    if ((atomic_load(&layer->calls) & (uint32_t)call) == 0)
        return false;
    number = atomic_fetch_add(&layer->seen, 1);
    after = atomic_load(&layer->after);
    if (number < after || number - after >= atomic_load(&layer->most))
        return false;
    errno = atomic_load(&layer->error);
    return true;
}

/* ------------------------------------------------------------------ which files */

static bool
is_below(const char *path)
{
    size_t length = strlen(below);

    return strncmp(path, below, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* Where a descriptor leads to. */
static bool
path_of(int fd, char path[PATH_MAX])
{
    char name[40];
    ssize_t length;

    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    length = readlink(name, path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = '\0';
    return length > 0;
}

bool
layer_has(int fd, uint64_t *file)
{
    char path[PATH_MAX];
    struct stat status;
    int error = errno;
    bool has = fstat(fd, &status) == 0 && (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)) &&
               path_of(fd, path) && is_below(path);

    *file = has ? status.st_ino : 0;
    errno = error;
    return has;
}

bool
layer_place(int base, const char *path, struct place *place)
{
    int error = errno;
    struct stat status;
    bool has = true;
    size_t length;

    place->path[0] = '\0';
    if (path[0] != '/')
        has = base == AT_FDCWD ? getcwd(place->path, PATH_MAX) != NULL : path_of(base, place->path);
    length = strlen(place->path);
    snprintf(place->path + length, PATH_MAX - length, "%s%s", path[0] == '/' ? "" : "/", path);
    has = has && is_below(place->path);
    place->name = strrchr(place->path, '/');
    if (has) {
        *place->name++ = '\0';
        place->parent = stat(place->path, &status) == 0 ? status.st_ino : 0;
    }
    errno = error;
    return has;
}

/* ------------------------------------------------------------------ the journal */

void
layer_lock(void)
{
    if (pthread_mutex_lock(&layer->lock) == EOWNERDEAD)
        pthread_mutex_consistent(&layer->lock);
}

void
layer_unlock(void)
{
    pthread_mutex_unlock(&layer->lock);
}

uint64_t
layer_tail(void)
{
    return atomic_load(&layer->tail);
}

void
layer_note(const struct record *record, const void *bytes)
{
    uint64_t at = atomic_load(&layer->tail);
    uint64_t end = at + sizeof(*record) + ((record->length + 7ul) & ~7ul);

    if (end > layer->size) {
        atomic_store(&layer->overflow, 1);
        return;
    }
    memcpy((char *)layer + at, record, sizeof(*record));
    if (record->length > 0)
        memcpy((char *)layer + at + sizeof(*record), bytes, record->length);
    atomic_store(&layer->tail, end);
}

void
layer_note_name(enum record_kind kind, uint64_t file, const struct place *place)
{
    layer_note(&(struct record){.kind = kind,
                                .length = (uint32_t)strlen(place->name),
                                .file = file,
                                .parent = place->parent},
               place->name);
}
