/*
 * The debug handler's hostile acts: what harms the process that a handler runs in, or what others have in it. What the daemon does
 * about each is in tests/system/test_hostile.py. Called by debug.c in a worker's thread.
 */
#include "debug.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Sanitizers would end the process before it comes to harm. */
#define UNCHECKED __attribute__((noinline, no_sanitize("address", "thread", "undefined")))

static void
start_thread(void *(*run)(void *), void *argument)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, run, argument) == 0)
        pthread_detach(thread);
}

/* ------------------------------------------------------------------ ending the process, or the thread */

static void *
exit_thread(void *status)
{
    exit((int)(intptr_t)status);
}

/* exit() with `status`, by a thread of the handler's own where `thread` is set. */
doip_result
hostile_call_exit(doip_request *request, doip_response *response)
{
    int64_t status = 0;
    bool thread = false;

    (void)response;
    if (doip_attribute_int(request, "status", &status) != DOIP_OK ||
        doip_attribute_bool(request, "thread", &thread) != DOIP_OK)
        return DOIP_FAILED;
    if (!thread)
        exit((int)status);
    start_thread(exit_thread, (void *)(intptr_t)status);
    debug_sleep(60000);
    return DOIP_FAILED;
}

doip_result
hostile_end_thread(doip_request *request, doip_response *response)
{
    (void)request;
    (void)response;
    pthread_exit(NULL);
    return DOIP_FAILED;
}

/* ------------------------------------------------------------------ the stack */

/* Writes beyond an array, towards the callers' frames: `size` bytes, or all that there is. */
static UNCHECKED void
write_beyond(size_t size)
{
    volatile char array[64];
    volatile char *at = array;

    for (size_t i = 0; i < size; i++)
        at[i] = 'A';
}

doip_result
hostile_smash(doip_request *request, doip_response *response)
{
    int64_t size = INT64_MAX;

    if (doip_attribute_int(request, "size", &size) != DOIP_OK)
        return DOIP_FAILED;
    write_beyond((size_t)size);
    return doip_respond_json(response, json_string("smashed"));
}

/* ------------------------------------------------------------------ time and memory */

/* Never returns, and keeps a processor busy. */
doip_result
hostile_loop(doip_request *request, doip_response *response)
{
    volatile uint64_t turns = 0;

    (void)request;
    (void)response;
    for (;;)
        turns = turns + 1;
}

/* `size` bytes that nobody frees; kept in a list, so that no leak checker sees more than what is meant. */
doip_result
hostile_leak(doip_request *request, doip_response *response)
{
    static void *_Atomic last;
    int64_t size = 1 << 20;
    void **leak;

    if (doip_attribute_int(request, "size", &size) != DOIP_OK || size < (int64_t)sizeof(*leak))
        return DOIP_FAILED;
    leak = malloc((size_t)size);
    if (leak == NULL)
        return DOIP_FAILED;
    memset(leak, 'L', (size_t)size);
    *leak = __atomic_exchange_n((void **)&last, leak, __ATOMIC_SEQ_CST);
    return doip_respond_json(response, json_integer((json_int_t)getpid()));
}

/* ------------------------------------------------------------------ threads and processes */

static void *
idle_thread(void *nothing)
{
    while (nothing == NULL)
        debug_sleep(10);
    return NULL;
}

static void *
crash_thread(void *nothing)
{
    (void)nothing;
    raise(SIGSEGV);
    return NULL;
}

/* `count` threads that never end, or that crash at once. */
doip_result
hostile_threads(doip_request *request, doip_response *response)
{
    int64_t count = 1;
    bool crash = false;

    if (doip_attribute_int(request, "count", &count) != DOIP_OK ||
        doip_attribute_bool(request, "crash", &crash) != DOIP_OK)
        return DOIP_FAILED;
    for (int64_t i = 0; i < count; i++)
        start_thread(crash ? crash_thread : idle_thread, NULL);
    return doip_respond_json(response, json_integer((json_int_t)getpid()));
}

/* A child process that crashes, ends by exit(), stays for a minute, or (`child` is "returns") goes on as if it were the worker. */
doip_result
hostile_fork(doip_request *request, doip_response *response)
{
    const char *child = "returns";
    pid_t pid;

    if (doip_attribute_string(request, "child", &child) != DOIP_OK)
        return DOIP_FAILED;
    pid = fork();
    if (pid < 0)
        return DOIP_FAILED;
    if (pid == 0 && strcmp(child, "crashes") == 0)
        raise(SIGSEGV);
    if (pid == 0 && strcmp(child, "exits") == 0)
        exit(5);
    if (pid == 0 && strcmp(child, "stays") == 0)
        debug_sleep(60000);
    return doip_respond_json(response,
                             json_pack("{s:i s:i}", "pid", (int)getpid(), "child", (int)pid));
}

/* ------------------------------------------------------------------ descriptors that are not its own */

static bool
has_option(int fd, int option, int value)
{
    int found = 0;
    socklen_t length = sizeof(found);

    return getsockopt(fd, SOL_SOCKET, option, &found, &length) == 0 && found == value;
}

static bool
leads_to(int fd, const char *beginning)
{
    char path[64], link[256];
    ssize_t length;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    length = readlink(path, link, sizeof(link) - 1);
    link[length > 0 ? length : 0] = '\0';
    return strncmp(link, beginning, strlen(beginning)) == 0;
}

/* The connection of the client that has this port. */
static bool
has_peer_port(int fd, const char *port)
{
    struct sockaddr_in peer = {0};
    socklen_t length = sizeof(peer);

    return getpeername(fd, (struct sockaddr *)&peer, &length) == 0 && peer.sin_family == AF_INET &&
           ntohs(peer.sin_port) == strtol(port, NULL, 10);
}

static bool
is_meant(int fd, const char *which)
{
    bool listens = has_option(fd, SO_ACCEPTCONN, 1), network = !has_option(fd, SO_DOMAIN, AF_UNIX);

    if (strncmp(which, "port ", 5) == 0)
        return has_peer_port(fd, which + 5);
    if (strcmp(which, "listeners") == 0)
        return listens;
    if (strcmp(which, "connections") == 0)
        return leads_to(fd, "socket:") && network && !listens;
    if (strcmp(which, "channel") == 0)
        return leads_to(fd, "socket:") && !network;
    if (strcmp(which, "standard") == 0)
        return fd <= STDERR_FILENO;
    return strcmp(which, "all") == 0 ? fd > STDERR_FILENO : leads_to(fd, which);
}

/* Closes those that `which` means (or whose link in /proc begins with it); opens `file` in the place of each, if one is given. */
doip_result
hostile_close(doip_request *request, doip_response *response)
{
    const char *which = "all", *file = NULL;
    int closed = 0;

    if (doip_attribute_string(request, "which", &which) != DOIP_OK ||
        doip_attribute_string(request, "file", &file) != DOIP_OK)
        return DOIP_FAILED;
    for (int fd = 0; fd < 1024; fd++) {
        if (fcntl(fd, F_GETFD) < 0 || !is_meant(fd, which))
            continue;
        close(fd);
        closed++;
        if (file != NULL && open(file, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600) != fd)
            return DOIP_FAILED;
    }
    return doip_respond_json(response,
                             json_pack("{s:i s:i}", "pid", (int)getpid(), "closed", closed));
}

/* ------------------------------------------------------------------ the request and the response */

/* Goes on reading where there is nothing more; a client may have sent its next request already. */
doip_result
hostile_read_past(doip_request *request, doip_response *response)
{
    char buffer[4096];
    int wrong = 0;

    while (doip_input_next(request) > DOIP_SEGMENT_END)
        while (doip_read(request, buffer, sizeof(buffer)) > 0)
            ;
    for (int i = 0; i < 100; i++) {
        wrong += doip_input_next(request) > DOIP_SEGMENT_END;
        wrong += doip_read(request, buffer, sizeof(buffer)) > 0;
        wrong += doip_input_json(request) != NULL;
        wrong += doip_input_end(request) != DOIP_OK;
    }
    return doip_respond_json(response, json_integer(wrong));
}

/* Answers with bytes, then as if nothing had been answered yet: how many of those calls were taken. */
doip_result
hostile_answer_again(doip_request *request, doip_response *response)
{
    int taken = 0;

    (void)request;
    if (doip_respond_bytes_begin(response) != DOIP_OK ||
        doip_write(response, "first", 5) != DOIP_OK)
        return DOIP_FAILED;
    taken += doip_respond_status(response, "0.DOIP/Status.104") == DOIP_OK;
    taken += doip_respond_attribute(response, "late", json_true()) == DOIP_OK;
    return doip_respond_json(response, json_integer(taken));
}
