/*
 * The fault layer's memory (layer.h): what the test has switched on, the journal, and which files
 * it is about. In each process of the daemon, from any thread; never changes errno but to fail.
 */
#include "layer.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { FRAMES = 24 };

static struct layer *layer;
static char below[PATH_MAX];
static bool traces;

/* Code whose calls for memory go well: it ends the process that has none. libconfig; glibc's look into nsswitch.conf, which is the first
 * thing that getpwnam() does (an assertion, or a pointer that is none); and what AddressSanitizer asks of glibc where a thread begins. */
static const char *const functions[] = {"__nss_passwd_lookup2", "pthread_getattr_np"};

enum { LIBRARY = 1, EXCUSED = LIBRARY + sizeof functions / sizeof functions[0] };

static struct range {
    uintptr_t from;
    uintptr_t to;
} excused[EXCUSED];

static int
find_library(struct dl_phdr_info *info, size_t size, void *function)
{
    uintptr_t end = 0;

    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD &&
            info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz > end)
            end = info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
    if ((uintptr_t)function < info->dlpi_addr || (uintptr_t)function >= info->dlpi_addr + end)
        return 0;
    excused[0] = (struct range){info->dlpi_addr, info->dlpi_addr + end};
    return 1;
}

static void
find_function(const char *name, struct range *range)
{
    void *function = dlsym(RTLD_DEFAULT, name);
    const ElfW(Sym) *symbol = NULL;
    Dl_info info;

    if (function != NULL && dladdr1(function, &info, (void **)&symbol, RTLD_DL_SYMENT) != 0 &&
        symbol != NULL)
        *range = (struct range){(uintptr_t)function, (uintptr_t)function + symbol->st_size};
}

/* Once: dladdr() for each frame of each call would take seconds where thousands of calls are refused. */
static void
find_excused(void)
{
    void *function = dlsym(RTLD_DEFAULT, "config_init");

    if (function != NULL)
        dl_iterate_phdr(find_library, function);
    for (int i = LIBRARY; i < EXCUSED; i++)
        find_function(functions[i - LIBRARY], &excused[i]);
}

/* Before main(), in the one process that was started; all others are its children. */
__attribute__((constructor)) static void
layer_open(void)
{
    const char *file = getenv("DOIPD_FAULTS"), *directory = getenv("DOIPD_FAULTS_BELOW");
    pthread_mutexattr_t shared;
    struct stat status;
    void *memory, *frame;
    long fd;

    if (file == NULL || directory == NULL || realpath(directory, below) == NULL)
        return;
    fd = syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat((int)fd, &status) != 0)
        abort();
    traces = getenv("DOIPD_FAULTS_TRACE") != NULL;
    find_excused();
    backtrace(&frame, 1); /* what it loads at its first call, it has now */
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

/* ------------------------------------------------------------------ trouble */

static bool
is_excused(void *const *frames, int count)
{
    for (int i = 0; i < count; i++)
        for (int j = 0; j < EXCUSED; j++)
            if ((uintptr_t)frames[i] >= excused[j].from && (uintptr_t)frames[i] < excused[j].to)
                return true;
    return false;
}

/* With DOIPD_FAULTS_TRACE, who made the call is told on stderr: the log has what came of it next. */
static bool
may_spoil(int call)
{
    void *frames[FRAMES];
    int count;

    if (!traces && call != CALL_MEMORY)
        return true;
    count = backtrace(frames, FRAMES);
    if (call == CALL_MEMORY && is_excused(frames, count)) {
        atomic_fetch_add(&layer->excused, 1);
        return false;
    }
    if (traces) {
        dprintf(STDERR_FILENO, "FAULT in process %d:\n", (int)getpid());
        backtrace_symbols_fd(frames, count, STDERR_FILENO);
    }
    return true;
}

/* One number for the chain of callers, so that the test can tell the places from which calls come. */
static void
note_callers(uint64_t number)
{
    uint64_t *notes = (uint64_t *)((char *)layer + JOURNAL_START), hash = 0;
    void *frames[FRAMES];
    int count;

    if (number >= (layer->size - JOURNAL_START) / sizeof *notes)
        return;
    count = backtrace(frames, FRAMES);
    for (int i = 0; i < count; i++)
        hash = (hash ^ (uintptr_t)frames[i]) * UINT64_C(1099511628211);
    notes[number] = hash;
}

bool
layer_spoils(int call, size_t *size)
{
    uint64_t number, after;
    uint32_t manner, ms;

    if (layer == NULL ||
        (atomic_load_explicit(&layer->calls, memory_order_relaxed) & (uint32_t)call) == 0)
        return false;
    number = atomic_fetch_add(&layer->seen, 1);
    if (atomic_load_explicit(&layer->callers, memory_order_relaxed))
        note_callers(number);
    after = atomic_load(&layer->after);
    if (number < after || number - after >= atomic_load(&layer->most) || !may_spoil(call))
        return false;
    manner = atomic_load(&layer->manner);
    ms = atomic_load(&layer->stall_ms);
    if (manner == MANNER_STALL)
        nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l}, NULL);
    else if (manner == MANNER_SHORT && size != NULL && *size > 1)
        *size = *size / 2;
    else if (manner == MANNER_FAIL)
        errno = atomic_load(&layer->error);
    return manner == MANNER_FAIL;
}

bool
layer_fails(int call)
{
    return layer_spoils(call, NULL);
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
