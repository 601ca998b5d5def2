/*
 * What the configuration leaves to be found out (who the service is, where it is reached, how
 * many CPUs there are), and whether the whole makes sense. The last step of config_load();
 * master process.
 */
#include <arpa/inet.h>
#include <grp.h>
#include <ifaddrs.h>
#include <limits.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_impl.h"

static char **
origin(const struct config *config, const char *name)
{
    return &config->origins[config_key_find(name) - config_keys];
}

const char *
config_origin(const struct config *config, const char *key)
{
    return *origin(config, key);
}

bool
config_is_set(const struct config *config, const char *key)
{
    return strncmp(*origin(config, key), "default", 7) != 0;
}

/* Says of a value that was not configured how it was found. */
static void
found(struct config *config, const char *name, const char *how)
{
    config_replace(origin(config, name), config_format("default: %s", how));
}

static void
resolve_id(struct config *config)
{
    char host[HOST_NAME_MAX + 1] = "";

    config->service.id_assumed = config->service.id[0] == '\0';
    if (!config->service.id_assumed)
        return;
    if (gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0')
        strcpy(host, "localhost");
    config_replace(&config->service.id, config_format("0.DOIP/%s", host));
    found(config, "service.id", "from the host's name");
}

/* An address that others can reach: not loopback, not link-local. */
static bool
is_global(const struct sockaddr *address, int family)
{
    if (address == NULL || address->sa_family != family)
        return false;
    if (family == AF_INET6) {
        const struct in6_addr *in6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
        return !IN6_IS_ADDR_LOOPBACK(in6) && !IN6_IS_ADDR_LINKLOCAL(in6);
    }
    uint32_t in = ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr);
    return in >> 24 != 127 && in >> 16 != 0xa9fe;
}

/* The first address of the family on an interface that is up, as text; NULL for none. malloc'd. */
static char *
host_address(int family)
{
    socklen_t length =
        family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    struct ifaddrs *all = NULL;
    char host[NI_MAXHOST];
    char *text = NULL;

    if (getifaddrs(&all) != 0)
        return NULL;
    for (struct ifaddrs *one = all; one != NULL && text == NULL; one = one->ifa_next)
        if ((one->ifa_flags & IFF_UP) != 0 && is_global(one->ifa_addr, family) &&
            getnameinfo(one->ifa_addr, length, host, sizeof(host), NULL, 0, NI_NUMERICHOST) == 0)
            text = config_copy(host);
    freeifaddrs(all);
    return text;
}

/* The address of a host whose first listen address is a wildcard: of that family, else of the
 * other, else loopback. */
static char *
wildcard_address(int family)
{
    int other = family == AF_INET6 ? AF_INET : AF_INET6;
    char *text = host_address(family);

    if (text == NULL)
        text = host_address(other);
    if (text == NULL)
        text = config_copy(family == AF_INET6 ? "::1" : "127.0.0.1");
    return text;
}

static void
resolve_address(struct config *config)
{
    const struct config_listen *first = &config->listen[0];

    if (config->service.port == 0) {
        config->service.port = config_listen_port(first);
        found(config, "service.port", "of the first listen address");
    }
    if (config->service.address[0] != '\0')
        return;
    if (config_listen_is_wildcard(first)) {
        config_replace(&config->service.address, wildcard_address(first->address.ss_family));
        found(config, "service.address", "the host's first");
    } else {
        config_replace(&config->service.address, config_listen_host(first));
        found(config, "service.address", "the first listen address");
    }
}

static void
resolve_control(struct config *config)
{
    if (config->control.socket[0] != '\0')
        return;
    config_replace(&config->control.socket, config_format("%s/control/socket", config->state_directory));
    found(config, "control.socket", "in the state directory");
}

static void
resolve_processes(struct config *config)
{
    cpu_set_t set;

    if (config->workers.processes > 0)
        return;
    int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set)
                                                             : (int)sysconf(_SC_NPROCESSORS_ONLN);
    config->workers.processes = count < 2 ? 2 : count > 1024 ? 1024 : count;
    found(config, "workers.processes", "one per CPU, at least 2");
}

/* More than a worker has connections would never be busy. */
static void
resolve_threads(struct config *config)
{
    int connections = config->workers.connections;

    if (config_is_set(config, "workers.threads") || config->workers.threads <= connections)
        return;
    config->workers.threads = connections < CONFIG_THREADS_LEAST ? CONFIG_THREADS_LEAST : connections;
    found(config, "workers.threads", "as many as workers.connections");
}

/* Fails at the place where that key was set. */
#define fail_at(reader, name, ...)                         \
    ((reader)->origin = *origin((reader)->config, (name)), \
     config_fail((reader), NULL, (name), __VA_ARGS__))

static bool
check_group(struct config_reader *reader)
{
    struct config *config = reader->config;
    const struct group *group = NULL;

    if (config->control.group[0] == '\0')
        return true;
    group = getgrnam(config->control.group);
    if (group == NULL)
        return fail_at(reader, "control.group", "there is no group \"%s\"; make it (addgroup --system %s), or set another",
                       config->control.group, config->control.group);
    config->control.gid = group->gr_gid;
    return true;
}

/* A limit of all workers together that their own makes impossible. */
static bool
check_reachable(struct config_reader *reader, const char *name, int limit)
{
    const struct config *config = reader->config;
    int processes = config->workers.processes, each = config->workers.connections;

    return processes == 0 || limit / processes <= each || !config_is_set(config, "workers.connections") ||
           fail_at(reader, name, "%d can never be reached with %d workers of %d connections (%s)", limit, processes, each,
                   *origin(config, "workers.connections"));
}

static bool
check_connections(struct config_reader *reader)
{
    const struct config *config = reader->config;
    int all = config->limits.connections, address = config->limits.connections_per_address;

    if (config->workers.threads > CONFIG_THREADS_LEAST && config->workers.connections < config->workers.threads &&
        config_is_set(config, "workers.connections") && config_is_set(config, "workers.threads"))
        return fail_at(reader, "workers.threads",
                       "%d threads can never be busy with %d connections (%s); at most as many",
                       config->workers.threads, config->workers.connections,
                       *origin(config, "workers.connections"));
    if (all > 0 && address > all)
        return fail_at(reader, "limits.connections_per_address",
                       "%d can never be reached with limits.connections = %d (%s); at most as many", address, all,
                       *origin(config, "limits.connections"));
    return check_reachable(reader, "limits.connections", all) &&
           check_reachable(reader, "limits.connections_per_address", address);
}

static bool
check(struct config_reader *reader)
{
    const struct config *config = reader->config;

    if (config->tls.key[0] != '\0' && config->tls.certificate[0] == '\0')
        return fail_at(reader, "tls.key", "a key without a certificate; set tls.certificate too");
    if (config->tls.ocsp[0] != '\0' && config->tls.certificate[0] == '\0')
        return fail_at(reader, "tls.ocsp", "a response without a certificate; set tls.certificate too");
    if (config->service
            .address[strspn(config->service.address, "0123456789abcdefghijklmnopqrstuvwxyz"
                                                     "ABCDEFGHIJKLMNOPQRSTUVWXYZ.:-_")] != '\0')
        return fail_at(reader, "service.address",
                       "\"%s\" is neither an address (without port and brackets) nor a host name",
                       config->service.address);
    if (!check_connections(reader) || !check_group(reader))
        return false;
    reader->origin = *origin(config, "listen");
    return config_listen_check(reader);
}

bool
config_resolve(struct config *config, char *reason, size_t size)
{
    struct config_reader reader = {.config = config, .reason = reason, .size = size};

    if (!check(&reader))
        return false;
    config->user_assumed = !config_is_set(config, "user");
    resolve_id(config);
    resolve_address(config);
    resolve_control(config);
    resolve_processes(config);
    resolve_threads(config);
    return true;
}
