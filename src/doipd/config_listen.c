/*
 * Listen addresses: "127.0.0.1:9000", "[::1]:9000", "0.0.0.0:9000", "[::]:9000". Numbers only,
 * so that reading the configuration never waits for a name server. Called by config_value.c and
 * config_resolve.c; master process.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "config_impl.h"

#define LISTEN_MAX 64
#define HOST_MAX 80

/* Splits "host:port" or "[host]:port"; false where it is neither. */
static bool
split(const char *text, char host[HOST_MAX], const char **port, int *family)
{
    bool brackets = text[0] == '[';
    const char *colon = strrchr(text, ':');
    const char *from = brackets ? text + 1 : text;
    const char *to = colon == NULL ? NULL : brackets ? colon - 1 : colon;

    if (to == NULL || to <= from || (brackets && *to != ']') || to - from >= HOST_MAX)
        return false;
    memcpy(host, from, (size_t)(to - from));
    host[to - from] = '\0';
    *family = brackets ? AF_INET6 : AF_INET;
    *port = colon + 1;
    return true;
}

/* inet_pton() is strict about IPv4 but knows no "%eth0"; getaddrinfo() is the other way round. */
static bool
parse_host(const char *host, int family, struct config_listen *listen)
{
    struct addrinfo hints = {
        .ai_family = family, .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    struct in_addr strict;

    if (family == AF_INET && inet_pton(AF_INET, host, &strict) != 1)
        return false;
    if (getaddrinfo(host, NULL, &hints, &found) != 0)
        return false;
    memcpy(&listen->address, found->ai_addr, found->ai_addrlen);
    listen->length = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

static bool
parse_port(const char *text, int *port)
{
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > 5 || text[digits] != '\0')
        return false;
    *port = atoi(text); /* NOLINT(cert-err34-c): five digits fit */
    return *port > 0 && *port <= 65535;
}

/* NULL, or what is wrong with the text. */
static const char *
parse(const char *text, struct config_listen *listen)
{
    char host[HOST_MAX];
    const char *port_text;
    int family;
    int port;

    if (!split(text, host, &port_text, &family))
        return "an address is written \"192.0.2.1:9000\" or \"[2001:db8::1]:9000\", with the port";
    if (!parse_port(port_text, &port))
        return "the port must be a number from 1 to 65535";
    if (!parse_host(host, family, listen))
        return family == AF_INET6
                   ? "no IPv6 address stands in the brackets; all addresses: \"[::]:9000\""
                   : "no IPv4 address stands before the port (an IPv6 one needs brackets); all "
                     "addresses: \"0.0.0.0:9000\"";
    if (family == AF_INET6)
        ((struct sockaddr_in6 *)&listen->address)->sin6_port = htons((uint16_t)port);
    else
        ((struct sockaddr_in *)&listen->address)->sin_port = htons((uint16_t)port);
    return NULL;
}

static bool
add(struct config_reader *reader, struct config *into, const config_setting_t *item)
{
    const char *text = config_value_text(reader, "listen", item);

    if (text == NULL)
        return false;
    struct config_listen *listen = &into->listen[into->listen_count];
    const char *wrong = parse(text, listen);
    if (wrong != NULL)
        return config_fail(reader, item, "listen", "\"%s\": %s", text, wrong);
    listen->text = config_copy(text);
    into->listen_count++;
    return true;
}

bool
config_listen_set(struct config_reader *reader, const config_setting_t *setting)
{
    struct config fresh = {0};
    int count = config_setting_length(setting);

    if (count < 1 || count > LISTEN_MAX)
        return config_fail(reader, setting, "listen", "must hold from 1 to %d addresses, not %d",
                           LISTEN_MAX, count);
    fresh.listen = config_alloc((size_t)count * sizeof(*fresh.listen));
    for (int i = 0; i < count; i++)
        if (!add(reader, &fresh, config_setting_get_elem(setting, (unsigned)i))) {
            config_listen_free(&fresh);
            return false;
        }
    config_listen_free(reader->config);
    reader->config->listen = fresh.listen;
    reader->config->listen_count = fresh.listen_count;
    return true;
}

void
config_listen_free(struct config *config)
{
    for (size_t i = 0; i < config->listen_count; i++)
        free(config->listen[i].text);
    free(config->listen);
    config->listen = NULL;
    config->listen_count = 0;
}

int
config_listen_port(const struct config_listen *listen)
{
    if (listen->address.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)&listen->address)->sin6_port);
    return ntohs(((const struct sockaddr_in *)&listen->address)->sin_port);
}

char *
config_listen_host(const struct config_listen *listen)
{
    char host[NI_MAXHOST] = "";

    getnameinfo((const struct sockaddr *)&listen->address, listen->length, host, sizeof(host), NULL,
                0, NI_NUMERICHOST);
    host[strcspn(host, "%")] = '\0';
    return config_copy(host);
}

bool
config_listen_is_wildcard(const struct config_listen *listen)
{
    if (listen->address.ss_family == AF_INET6)
        return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)&listen->address)->sin6_addr);
    return ((const struct sockaddr_in *)&listen->address)->sin_addr.s_addr == htonl(INADDR_ANY);
}

/* True when binding both must fail: the same, or one a wildcard of the same family and port
 * (IPV6_V6ONLY is always set). */
static bool
collide(const struct config_listen *a, const struct config_listen *b)
{
    if (a->address.ss_family != b->address.ss_family ||
        config_listen_port(a) != config_listen_port(b))
        return false;
    if (config_listen_is_wildcard(a) || config_listen_is_wildcard(b))
        return true;
    return a->length == b->length && memcmp(&a->address, &b->address, a->length) == 0;
}

bool
config_listen_check(struct config_reader *reader)
{
    const struct config *config = reader->config;

    for (size_t i = 0; i < config->listen_count; i++)
        for (size_t j = 0; j < i; j++)
            if (collide(&config->listen[i], &config->listen[j]))
                return config_fail(reader, NULL, "listen",
                                   "%s and %s can't both be bound; keep one",
                                   config->listen[j].text, config->listen[i].text);
    return true;
}
