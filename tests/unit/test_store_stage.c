/*
 * Large elements on their way in, whose bytes a second thread hashes and writes (stage_bytes.c,
 * relay.c): whole, broken off, where the disk fails, and where no thread is to be had.
 */
#include "blobs.h"
#include "unit_store.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdint.h>

enum { PIECE = 256 << 10, LARGE = (5 << 20) + 12345, FAR = 3 << 20, WINDOW = 8 << 20 };

static struct blobs *blobs;
static struct stage *stage;
static char *bytes;
static bool no_threads;
static off64_t waited, let_go; /* up to where */
static int wait_error;

/* These stand in for the library's. */
int
sync_file_range(int fd, off64_t offset, off64_t size, unsigned flags)
{
    ck_assert_int_ge(fd, 0);
    if ((flags & SYNC_FILE_RANGE_WAIT_AFTER) == 0)
        return 0;
    ck_assert_int_eq(offset, waited);
    waited += size;
    errno = wait_error;
    return wait_error == 0 ? 0 : -1;
}

int
posix_fadvise(int fd, off_t offset, off_t size, int advice)
{
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(advice, POSIX_FADV_DONTNEED);
    ck_assert_int_eq(offset, let_go);
    let_go += size;
    ck_assert_int_le(let_go, waited);
    return 0;
}

int
pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
               void *argument)
{
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

    *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    return no_threads ? EAGAIN : real(thread, attributes, run, argument);
}

static void *
nothing(void *argument)
{
    return argument;
}

static void
stage_setup(void)
{
    struct failure failure;
    uint32_t seed = 1;
    pthread_t first; /* with which a sanitizer starts one of its own */

    ck_assert_int_eq(pthread_create(&first, NULL, nothing, NULL), 0);
    pthread_join(first, NULL);
    no_threads = false;
    waited = let_go = wait_error = 0;
    scratch_setup();
    blobs = blobs_open(scratch_root, &failure);
    ck_assert_ptr_nonnull(blobs);
    stage = stage_new(blobs, &failure);
    ck_assert_ptr_nonnull(stage);
    bytes = malloc(LARGE);
    for (size_t i = 0; i < LARGE; i++)
        bytes[i] = (char)((seed = seed * 1103515245 + 12345) >> 16);
}

static void
stage_teardown(void)
{
    stage_free(&stage);
    blobs_close(&blobs);
    free(bytes);
    scratch_teardown();
}

static int
names_in(const char *path)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;
    int count = 0;

    ck_assert_ptr_nonnull(directory);
    while ((entry = readdir(directory)) != NULL)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

/* Of this process. One that was joined may be listed for a moment longer. */
static void
check_threads(int wanted)
{
    for (int i = 0; i < 1000 && names_in("/proc/self/task") != wanted; i++)
        usleep(10000);
    ck_assert_int_eq(names_in("/proc/self/task"), wanted);
}

/* Gives `size` bytes in pieces, until one fails. */
static int
give(size_t size, size_t piece, struct failure *failure)
{
    int status = stage_begin(stage, failure);

    for (size_t at = 0; at < size && status == REPOSITORY_OK; at += piece)
        status = stage_write(stage, bytes + at, size - at < piece ? size - at : piece, failure);
    return status;
}

static void
check_blob(const struct blob *blob, size_t size)
{
    unsigned char sha256[32];

    ck_assert_int_eq(EVP_Digest(bytes, size, sha256, NULL, EVP_sha256(), NULL), 1);
    ck_assert_mem_eq(blob->sha256, sha256, sizeof(sha256));
    ck_assert_uint_eq(blob->length, size);
}

static void
check_file(const struct blob *blob, size_t size)
{
    char *read_back = malloc(size + 1);
    int fd = blobs_bytes(blobs, blob);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(read(fd, read_back, size + 1), (ssize_t)size);
    ck_assert_mem_eq(read_back, bytes, size);
    close(fd);
    free(read_back);
}

/* ------------------------------------------------------------------ the tests */

/* Elements of several sizes, one after the other in the same stage. */
static void
check_sizes(void)
{
    static const size_t sizes[] = {LARGE, 4 * PIECE, PIECE + 1, PIECE, PIECE - 1, 0, LARGE - 1};
    static const size_t pieces[] = {64 << 10, 16384, 1000, 300000, LARGE, 1, 5000};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct failure failure;
        struct blob blob;

        ck_assert_int_eq(give(sizes[i], pieces[i], &failure), REPOSITORY_OK);
        ck_assert_int_eq(stage_end(stage, &blob, &failure), REPOSITORY_OK);
        check_blob(&blob, sizes[i]);
        ck_assert_int_eq(stage_publish(stage, &blob, &failure), REPOSITORY_OK);
        check_file(&blob, sizes[i]);
    }
}

START_TEST(keeps_every_byte)
{
    int threads = names_in("/proc/self/task");

    check_sizes();
    check_threads(threads);
}
END_TEST

START_TEST(does_without_a_thread)
{
    no_threads = true;
    check_sizes();
}
END_TEST

/* Bytes that are put where they are to be. */
START_TEST(takes_what_is_in_its_room)
{
    struct failure failure;
    struct blob blob;
    size_t at = 0;

    ck_assert_int_eq(stage_begin(stage, &failure), REPOSITORY_OK);
    while (at < LARGE) {
        size_t room, part;
        char *place = stage_room(stage, &room);

        part = LARGE - at < room ? LARGE - at : room;
        part = part < 16384 ? part : 16384;
        memcpy(place, bytes + at, part);
        ck_assert_int_eq(stage_write(stage, place, part, &failure), REPOSITORY_OK);
        at += part;
    }
    ck_assert_int_eq(stage_end(stage, &blob, &failure), REPOSITORY_OK);
    check_blob(&blob, LARGE);
}
END_TEST

START_TEST(a_large_one_has_a_thread)
{
    int threads = names_in("/proc/self/task");
    struct failure failure;

    ck_assert_int_eq(give(PIECE - 1, 16384, &failure), REPOSITORY_OK);
    ck_assert_int_eq(names_in("/proc/self/task"), threads);
    ck_assert_int_eq(stage_write(stage, bytes, 1, &failure), REPOSITORY_OK);
    ck_assert_int_eq(names_in("/proc/self/task"), threads + 1);
}
END_TEST

START_TEST(broken_off_leaves_nothing)
{
    int threads = names_in("/proc/self/task");
    struct failure failure;

    ck_assert_int_eq(give(LARGE, 10000, &failure), REPOSITORY_OK);
    stage_free(&stage);
    check_threads(threads);
    ck_assert_int_eq(names_in(scratch_path("incoming")), 0);
}
END_TEST

/* Gives so many windows of bytes. */
static int
give_windows(int count, struct failure *failure)
{
    int status = stage_begin(stage, failure);

    for (int at = 0; at < count * WINDOW && status == REPOSITORY_OK; at += 1 << 20)
        status = stage_write(stage, bytes, 1 << 20, failure);
    return status;
}

/* Once the disk has them; what came last stays in memory. */
START_TEST(lets_go_of_what_is_written)
{
    static const int windows[][2] = {{1, 0}, {2, 1}, {4, 3}};
    struct failure failure;
    struct blob blob;

    ck_assert_int_eq(give_windows(windows[_i][0], &failure), REPOSITORY_OK);
    ck_assert_int_eq(stage_end(stage, &blob, &failure), REPOSITORY_OK);
    ck_assert_int_eq(let_go, windows[_i][1] * WINDOW);
}
END_TEST

/* Which fsync() would not tell again. */
START_TEST(tells_what_a_wait_failed_of)
{
    struct failure failure;
    struct blob blob;
    int status;

    wait_error = EIO;
    status = give_windows(2, &failure);
    if (status == REPOSITORY_OK)
        status = stage_end(stage, &blob, &failure);
    ck_assert_int_eq(status, REPOSITORY_FAILED);
    ck_assert_str_eq(failure.text, "element bytes can't be synced to disk: Input/output error");
    ck_assert_int_eq(let_go, 0);
}
END_TEST

/* Whether the giver hears of it while it gives, or at the end; from the thread, or of its own. */
START_TEST(tells_what_the_disk_failed_of)
{
    static const size_t sizes[] = {LARGE, FAR + PIECE, FAR + 1};
    int threads = names_in("/proc/self/task");
    struct failure failure = {.text = ""};
    struct blob blob;
    int status;

    no_threads = _i >= 3;
    limit_files(FAR);
    status = give(sizes[_i % 3], 64 << 10, &failure);
    if (_i % 3 == 0)
        ck_assert_int_eq(status, REPOSITORY_FAILED);
    if (status == REPOSITORY_OK)
        ck_assert_int_eq(stage_end(stage, &blob, &failure), REPOSITORY_FAILED);
    ck_assert_str_eq(failure.text, "element bytes can't be stored: File too large");
    check_threads(threads);
    stage_free(&stage);
    ck_assert_int_eq(names_in(scratch_path("incoming")), 0);
}
END_TEST

static Suite *
suite(void)
{
    Suite *made = suite_create("store stage");
    TCase *tests = tcase_create("stage");

    tcase_add_checked_fixture(tests, stage_setup, stage_teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, keeps_every_byte);
    tcase_add_test(tests, does_without_a_thread);
    tcase_add_test(tests, takes_what_is_in_its_room);
    tcase_add_test(tests, a_large_one_has_a_thread);
    tcase_add_test(tests, broken_off_leaves_nothing);
    tcase_add_loop_test(tests, lets_go_of_what_is_written, 0, 3);
    tcase_add_test(tests, tells_what_a_wait_failed_of);
    tcase_add_loop_test(tests, tells_what_the_disk_failed_of, 0, 6);
    suite_add_tcase(made, tests);
    return made;
}

UNIT_MAIN(suite)
