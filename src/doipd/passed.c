/*
 * Sockets that were passed: see passed.h. Runs in the master.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "passed.h"

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#else
#define SD_LISTEN_FDS_START 3
#define sd_listen_fds(unset) 0
#endif

enum { PASSED_MOST = 64 }; /* as many as `listen` may hold */

static struct {
    int fd;
    struct sockaddr_storage address;
    char text[NI_MAXHOST + NI_MAXSERV + 4]; /* as `listen` has it */
} passed[PASSED_MOST];
static size_t passed_count;
static char listen_text[sizeof "listen=" + PASSED_MOST * sizeof passed[0].text];

static bool
fail(char *reason, size_t size, int fd, const char *what)
{
    snprintf(reason, size, "the socket passed as descriptor %d %s", fd, what);
    return false;
}

/* 0 where the kernel can't say. */
static int
option(int fd, int level, int name)
{
    int value = 0;
    socklen_t length = sizeof value;

    return getsockopt(fd, level, name, &value, &length) == 0 ? value : 0;
}

static bool
take_address(int fd, size_t at)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];
    socklen_t length = sizeof passed[at].address;
    const struct sockaddr *address = (const struct sockaddr *)&passed[at].address;
    bool is_v6;

    if (getsockname(fd, (struct sockaddr *)&passed[at].address, &length) < 0 ||
        (address->sa_family != AF_INET && address->sa_family != AF_INET6) ||
        getnameinfo(address, length, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return false;
    is_v6 = address->sa_family == AF_INET6;
    snprintf(passed[at].text, sizeof passed[at].text, "%s%s%s:%s", is_v6 ? "[" : "", host,
             is_v6 ? "]" : "", port);
    passed[at].fd = fd;
    return true;
}

static bool
take(int fd, char *reason, size_t size)
{
    if (passed_count == PASSED_MOST)
        return fail(reason, size, fd, "is one more than doipd can take");
    if (option(fd, SOL_SOCKET, SO_TYPE) != SOCK_STREAM ||
        option(fd, SOL_SOCKET, SO_ACCEPTCONN) == 0 || !take_address(fd, passed_count))
        return fail(reason, size, fd,
                    "does not listen on TCP: in the socket unit, write ListenStream=ADDRESS:PORT "
                    "and Accept=no");
    if (passed[passed_count].address.ss_family == AF_INET6 &&
        option(fd, IPPROTO_IPV6, IPV6_V6ONLY) == 0)
        return fail(reason, size, fd,
                    "takes IPv4 and IPv6 at once: set BindIPv6Only=ipv6-only in the socket unit, "
                    "and name both addresses");
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
        return fail(reason, size, fd, strerror(errno));
    passed_count++;
    return true;
}

bool
passed_take(char *reason, size_t size)
{
    int count = sd_listen_fds(1);
    size_t used = 0;

    for (int i = 0; i < count; i++)
        if (!take(SD_LISTEN_FDS_START + i, reason, size))
            return false;
    for (size_t i = 0; i < passed_count; i++)
        used += (size_t)snprintf(listen_text + used, sizeof listen_text - used, "%s%s",
                                 i == 0 ? "listen=" : ",", passed[i].text);
    return true;
}

const char *
passed_listen(void)
{
    return passed_count > 0 ? listen_text : NULL;
}

static bool
same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    const struct sockaddr_in *a4 = (const struct sockaddr_in *)a,
                             *b4 = (const struct sockaddr_in *)b;
    const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)a,
                              *b6 = (const struct sockaddr_in6 *)b;

    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET)
        return a4->sin_port == b4->sin_port && a4->sin_addr.s_addr == b4->sin_addr.s_addr;
    return a6->sin6_port == b6->sin6_port && a6->sin6_scope_id == b6->sin6_scope_id &&
           memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof a6->sin6_addr) == 0;
}

int
passed_duplicate(const struct config_listen *listen_on)
{
    for (size_t i = 0; i < passed_count; i++)
        if (same_address(&passed[i].address, &listen_on->address))
            return fcntl(passed[i].fd, F_DUPFD_CLOEXEC, 3);
    return -1;
}

bool
passed_all_wanted(const struct config *config, char *reason, size_t size)
{
    for (size_t i = 0; i < passed_count; i++) {
        bool wanted = false;

        for (size_t j = 0; j < config->listen_count && !wanted; j++)
            wanted = same_address(&passed[i].address, &config->listen[j].address);
        if (wanted)
            continue;
        snprintf(reason, size,
                 "listen: the service manager passed a socket for %s, which is not named here: "
                 "name it, remove `listen`, or change the socket unit",
                 passed[i].text);
        return false;
    }
    return true;
}

void
passed_forget(void)
{
    for (size_t i = 0; i < passed_count; i++)
        close(passed[i].fd);
    passed_count = 0;
}
