/*
 * The calls on open files that the fault layer (layer.h) stands in for: those that the
 * store, the daemon and SQLite make. test_store_power.py checks that none is missing.
 */
#include "layer.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

/* A sync takes a moment on a real disk, in which others gather. */
#define SYNC_NS 300000

static bool
reading_fails(int fd, size_t *size)
{
    uint64_t file;

    return layer_on() && layer_has(fd, &file) && layer_spoils(CALL_READ, size);
}

ssize_t
read(int fd, void *data, size_t size)
{
    return reading_fails(fd, &size) ? -1 : REAL(read)(fd, data, size);
}

ssize_t
pread(int fd, void *data, size_t size, off_t offset)
{
    return reading_fails(fd, &size) ? -1 : REAL(pread)(fd, data, size, offset);
}

ssize_t
pread64(int fd, void *data, size_t size, off64_t offset)
{
    return reading_fails(fd, &size) ? -1 : REAL(pread64)(fd, data, size, offset);
}

static void
note_bytes(uint64_t file, off_t offset, const void *data, ssize_t written)
{
    if (written > 0)
        layer_note(&(struct record){.kind = RECORD_WRITE,
                                    .length = (uint32_t)written,
                                    .file = file,
                                    .number = (uint64_t)offset},
                   data);
}

ssize_t
write(int fd, const void *data, size_t size)
{
    uint64_t file;
    ssize_t written;
    off_t end;

    if (!layer_on() || !layer_has(fd, &file))
        return REAL(write)(fd, data, size);
    if (layer_spoils(CALL_WRITE, &size))
        return -1;
    if (!layer_journals())
        return REAL(write)(fd, data, size);
    layer_lock();
    written = REAL(write)(fd, data, size);
    end = lseek(fd, 0, SEEK_CUR); /* with O_APPEND, too */
    note_bytes(file, end - written, data, written);
    layer_unlock();
    return written;
}

static ssize_t
write_at(int fd, const void *data, size_t size, off_t offset)
{
    uint64_t file;
    ssize_t written;

    if (!layer_on() || !layer_has(fd, &file))
        return REAL(pwrite)(fd, data, size, offset);
    if (layer_spoils(CALL_WRITE, &size))
        return -1;
    if (!layer_journals())
        return REAL(pwrite)(fd, data, size, offset);
    layer_lock();
    written = REAL(pwrite)(fd, data, size, offset);
    note_bytes(file, offset, data, written);
    layer_unlock();
    return written;
}

ssize_t
pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return write_at(fd, data, size, offset);
}

ssize_t
pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    return write_at(fd, data, size, offset);
}

static int
set_size(int fd, off_t size)
{
    uint64_t file;
    int result;

    if (!layer_on() || !layer_has(fd, &file))
        return REAL(ftruncate)(fd, size);
    if (layer_fails(CALL_TRUNCATE))
        return -1;
    if (!layer_journals())
        return REAL(ftruncate)(fd, size);
    layer_lock();
    result = REAL(ftruncate)(fd, size);
    if (result == 0)
        layer_note(&(struct record){.kind = RECORD_SIZE, .file = file, .number = (uint64_t)size},
                   NULL);
    layer_unlock();
    return result;
}

int
ftruncate(int fd, off_t size)
{
    return set_size(fd, size);
}

int
ftruncate64(int fd, off64_t size)
{
    return set_size(fd, size);
}

/* Only what was in the journal when the sync began is sure to be on disk when it ends. */
static void
note_sync(uint64_t file, bool data_only)
{
    uint64_t begun = layer_tail();

    nanosleep(&(struct timespec){.tv_nsec = SYNC_NS}, NULL);
    layer_lock();
    layer_note(
        &(struct record){.kind = RECORD_SYNC, .file = file, .parent = data_only, .number = begun},
        NULL);
    layer_unlock();
}

static int
sync_file(int fd, int (*sync_in_truth)(int), bool data_only)
{
    uint64_t file;

    if (!layer_on() || !layer_has(fd, &file))
        return sync_in_truth(fd);
    if (layer_fails(CALL_SYNC))
        return -1;
    if (!layer_journals())
        return sync_in_truth(fd);
    note_sync(file, data_only);
    return 0;
}

int
fsync(int fd)
{
    return sync_file(fd, REAL(fsync), false);
}

int
fdatasync(int fd)
{
    return sync_file(fd, REAL(fdatasync), true);
}

/* Makes nothing durable, as it leaves out the file's size and the disk's own cache. */
int
sync_file_range(int fd, off64_t offset, off64_t size, unsigned flags)
{
    uint64_t file;

    if (layer_on() && layer_has(fd, &file) && layer_fails(CALL_SYNC))
        return -1;
    return REAL(sync_file_range)(fd, offset, size, flags);
}

int
syncfs(int fd)
{
    uint64_t file;

    if (!layer_on() || !layer_has(fd, &file))
        return REAL(syncfs)(fd);
    if (layer_fails(CALL_SYNC))
        return -1;
    if (!layer_journals())
        return REAL(syncfs)(fd);
    note_sync(0, false);
    return 0;
}
