/*
 * Element bytes at rest (blobs.h): the directories, and the files under elements/. In each worker
 * process, from any thread.
 */
#include "blobs_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

void
blobs_digits(char *text, const unsigned char *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < size; i++) {
        *text++ = digits[bytes[i] >> 4];
        *text++ = digits[bytes[i] & 15];
    }
    *text = '\0';
}

void
blob_name(struct blob *blob)
{
    blobs_digits(blob->name, blob->sha256, sizeof(blob->sha256));
}

bool
blob_parse(struct blob *blob, const char *name)
{
    if (strlen(name) != 64 || strspn(name, "0123456789abcdef") != 64)
        return false;
    strcpy(blob->name, name);
    for (int i = 0; i < 32; i++) {
        char digits[3] = {name[2 * i], name[2 * i + 1], '\0'};

        blob->sha256[i] = (unsigned char)strtoul(digits, NULL, 16);
    }
    return true;
}

void
blob_path(const struct blob *blob, char path[BLOB_PATH])
{
    snprintf(path, BLOB_PATH, "%.2s/%s", blob->name, blob->name);
}

bool
blobs_random(char name[33])
{
    unsigned char bytes[16];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return false;
    blobs_digits(name, bytes, sizeof(bytes));
    return true;
}

time_t
blobs_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

bool
blobs_sync_directory(int base, const char *path)
{
    int fd = openat(base, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    int error = errno;

    if (fd >= 0)
        close(fd);
    errno = error;
    return good;
}

static bool
make_directory(int base, const char *path)
{
    return mkdirat(base, path, 0700) == 0 || errno == EEXIST;
}

/*
 * Makes elements/ab. Where it is there, another process may have made it a moment ago and not have
 * synced it yet, so each process does, once.
 */
bool
blobs_directory(struct blobs *blobs, const struct blob *blob)
{
    atomic_bool *durable = &blobs->durable[blob->sha256[0]];
    char path[3];

    if (atomic_load(durable))
        return true;
    snprintf(path, sizeof(path), "%.2s", blob->name);
    if (!make_directory(blobs->elements, path) || fsync(blobs->elements) != 0)
        return false;
    atomic_store(durable, true);
    return true;
}

atomic_bool *
blobs_untidy(struct blobs *blobs)
{
    return &blobs->untidy;
}

int
blobs_bytes(const struct blobs *blobs, const struct blob *blob)
{
    char path[BLOB_PATH];

    blob_path(blob, path);
    return openat(blobs->elements, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

bool
blobs_remove(const struct blobs *blobs, const struct blob *blob, bool perhaps, int *held)
{
    char path[BLOB_PATH];

    blob_path(blob, path);
    *held = blobs_bytes(blobs, blob);
    if (*held < 0 && errno == ENOENT && perhaps)
        return true;
    if (unlinkat(blobs->elements, path, 0) != 0 && errno != ENOENT)
        return false;
    path[2] = '\0'; /* its directory */
    return blobs_sync_directory(blobs->elements, path) || errno == ENOENT;
}

int
blobs_scratch(const struct blobs *blobs, struct failure *failure)
{
    char name[33];
    int fd;

    if (!blobs_random(name) ||
        (fd = openat(blobs->incoming, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) < 0) {
        failure_set(failure, "a temporary file can't be made: %s", strerror(errno));
        return -1;
    }
    unlinkat(blobs->incoming, name, 0);
    return fd;
}

int
blobs_readers(const struct blobs *blobs, int operation)
{
    int fd = openat(blobs->root, "readers.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int result = -1;

    while (fd >= 0 && (result = flock(fd, operation)) != 0 && errno == EINTR)
        continue;
    if (fd >= 0 && result != 0) {
        int error = errno;

        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* ------------------------------------------------------------------ opening */

/* Locks and syncs of these can't be relied on, or mean something else than here. */
const char *
blobs_network(long type)
{
    static const struct {
        unsigned int type;
        const char *name;
    } networks[] = {
        {0x6969, "NFS"},
        {0x517b, "SMB"},
        {0xfe534d42, "SMB"},
        {0xff534d42, "CIFS"},
        {0x5346414f, "AFS"},
        {0x6b414653, "AFS"},
        {0x73757245, "Coda"},
        {0x01021997, "9P"},
        {0x00c36400, "Ceph"},
        {0x0bd00bd0, "Lustre"},
        {0x786f4256, "VirtualBox"},
    };

    for (size_t i = 0; i < sizeof(networks) / sizeof(*networks); i++) {
        if ((unsigned int)type == networks[i].type)
            return networks[i].name;
    }
    return NULL;
}

static bool
blobs_local(int root, const char *path, struct failure *failure)
{
    struct statfs system;
    const char *network = fstatfs(root, &system) == 0 ? blobs_network(system.f_type) : NULL;

    if (network != NULL)
        failure_set(failure,
                    "%s: is on a network file system (%s), whose locks and syncs can't be "
                    "trusted; use a local disk",
                    path, network);
    return network == NULL;
}

static int
open_directory(int base, const char *path, const char *root, struct failure *failure)
{
    int fd = -1;

    if (make_directory(base, path))
        fd = openat(base, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        failure_set(failure, "%s%s%s: %s", root, path == root ? "" : "/", path == root ? "" : path,
                    strerror(errno));
    return fd;
}

struct blobs *
blobs_open(const char *root, struct failure *failure)
{
    struct blobs *blobs = calloc(1, sizeof(*blobs));

    if (blobs == NULL) {
        failure_set(failure, "memory is short");
        return NULL;
    }
    blobs->opened = blobs_clock();
    blobs->incoming = blobs->elements = -1;
    blobs->root = open_directory(AT_FDCWD, root, root, failure);
    if (blobs->root >= 0 && blobs_local(blobs->root, root, failure))
        blobs->incoming = open_directory(blobs->root, "incoming", root, failure);
    if (blobs->incoming >= 0)
        blobs->elements = open_directory(blobs->root, "elements", root, failure);
    if (blobs->elements >= 0 && fsync(blobs->root) == 0 &&
        (blobs_sync_directory(blobs->root, "..") || errno == EACCES))
        return blobs;
    if (blobs->elements >= 0)
        failure_set(failure, "%s: can't be synced: %s", root, strerror(errno));
    blobs_close(&blobs);
    return NULL;
}

void
blobs_close(struct blobs **blobs)
{
    struct blobs *closing = *blobs;

    if (closing == NULL)
        return;
    if (closing->root >= 0)
        close(closing->root);
    if (closing->incoming >= 0)
        close(closing->incoming);
    if (closing->elements >= 0)
        close(closing->elements);
    free(closing);
    *blobs = NULL;
}
