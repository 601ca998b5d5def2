/*
 * The table of keys: name, type, bounds, default, place and help of each, listed once; reading,
 * overriding, checking and printing derive from it (so do the tests of the man page and of
 * etc/doipd.conf). Master process.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <doip/json.h>

#include "config_impl.h"
#include "log.h"

#ifndef DOIPD_HANDLERS_DIRECTORY
#define DOIPD_HANDLERS_DIRECTORY "/usr/lib/doipd/handlers"
#endif
#ifndef DOIPD_STATE_DIRECTORY
#define DOIPD_STATE_DIRECTORY "/var/lib/doipd"
#endif

#define KIB INT64_C(1024)
#define MIB (KIB * KIB)
#define GIB (MIB * KIB)
#define DAY 86400
#define PATH_BYTES 4000 /* leaves room for names below it */

static const char *const versions[] = {"1.2", "1.3", NULL};
/* in the order of enum log_level */
static const char *const levels[] = {"error", "warning", "notice", "info", "debug", NULL};
static const char *const formats[] = {"text", "json", NULL};

#define AT(member) offsetof(struct config, member), NULL
#define OF(member, choices) offsetof(struct config, member), choices

const struct config_key config_keys[] = {
    {"service.id", CONFIG_STRING, 0, DOIP_ID_MAX, "\"\"", AT(service.id),
     "the service's identifier"},
    {"service.name", CONFIG_STRING, 0, 1024, "\"\"", AT(service.name), "its name, for Hello"},
    {"service.description", CONFIG_STRING, 0, 4096, "\"\"", AT(service.description),
     "a sentence on it, for Hello"},
    {"service.address", CONFIG_STRING, 0, 255, "\"\"", AT(service.address),
     "the address that Hello gives"},
    {"service.port", CONFIG_INT, 0, 65535, "0", AT(service.port), "the port that Hello gives"},
    {"listen", CONFIG_LISTEN, 1, 64, "( \"127.0.0.1:9000\", \"[::1]:9000\" )", AT(listen),
     "where to listen"},
    {"user", CONFIG_STRING, 1, 64, "\"doipd\"", AT(user), "whom the workers run as"},
    {"state_directory", CONFIG_PATH, 1, PATH_BYTES, "\"" DOIPD_STATE_DIRECTORY "\"",
     AT(state_directory), "where state is kept"},
    {"pid_file", CONFIG_PATH, 0, PATH_BYTES, "\"\"", AT(pid_file),
     "where the master writes its pid"},
    {"control.socket", CONFIG_PATH, 0, PATH_BYTES, "\"\"", AT(control.socket),
     "where doipctl finds the service"},
    {"control.group", CONFIG_STRING, 0, 64, "\"\"", AT(control.group), "whose members may use doipctl"},
    {"tls.certificate", CONFIG_PATH, 0, PATH_BYTES, "\"\"", AT(tls.certificate), "a PEM file"},
    {"tls.key", CONFIG_PATH, 0, PATH_BYTES, "\"\"", AT(tls.key), "a PEM file"},
    {"tls.ocsp", CONFIG_PATH, 0, PATH_BYTES, "\"\"", AT(tls.ocsp), "a DER file, an OCSP response"},
    {"tls.certificates", CONFIG_CERTIFICATES, 0, 0, "( )", AT(tls.certificates), "more of them"},
    {"tls.client_ca", CONFIG_PATH, 0, PATH_BYTES, "\"\"", AT(tls.client_ca), "a PEM file"},
    {"tls.min_version", CONFIG_STRING, 1, 8, "\"1.2\"", OF(tls.min_version, versions),
     "the oldest TLS spoken"},
    {"workers.processes", CONFIG_INT, 0, 1024, "0", AT(workers.processes),
     "0: one per CPU, at least 2"},
    {"workers.threads", CONFIG_INT, CONFIG_THREADS_LEAST, 4096, "256", AT(workers.threads),
     "most threads in a worker"},
    {"workers.connections", CONFIG_INT, 1, 1000000, "10000", AT(workers.connections),
     "most connections in a worker"},
    {"workers.requests", CONFIG_INT, 0, 1000000000, "0", AT(workers.requests),
     "a worker is replaced after so many; 0: never"},
    {"workers.memory", CONFIG_SIZE, 0, 1024 * GIB, "0", AT(workers.memory),
     "a worker that has more of its own is replaced; 0: never"},
    {"timeouts.handshake", CONFIG_INT, 0, DAY, "10", AT(timeouts.handshake), "seconds"},
    {"timeouts.idle", CONFIG_INT, 0, DAY, "300", AT(timeouts.idle), "seconds"},
    {"timeouts.read", CONFIG_INT, 0, DAY, "30", AT(timeouts.read), "seconds"},
    {"timeouts.write", CONFIG_INT, 0, DAY, "30", AT(timeouts.write), "seconds"},
    {"timeouts.handler", CONFIG_INT, 0, DAY, "0", AT(timeouts.handler), "seconds"},
    {"timeouts.shutdown", CONFIG_INT, 0, DAY, "15", AT(timeouts.shutdown), "seconds"},
    {"limits.json_segment", CONFIG_SIZE, 4 * KIB, GIB, "\"1M\"", AT(limits.json_segment), "bytes"},
    {"limits.unread", CONFIG_SIZE, 0, 1024 * GIB, "\"1M\"", AT(limits.unread), "bytes"},
    {"limits.body_rate", CONFIG_SIZE, 0, GIB, "\"1K\"", AT(limits.body_rate), "bytes per second"},
    {"limits.json_depth", CONFIG_INT, 8, DOIP_JSON_DEPTH_MOST, "2048", AT(limits.json_depth), "levels"},
    {"limits.connections", CONFIG_INT, 0, 1000000000, "0", AT(limits.connections), "of all workers; 0: any number"},
    {"limits.connections_per_address", CONFIG_INT, 0, 1000000, "0",
     AT(limits.connections_per_address), "of all workers; 0: any number"},
    {"limits.requests_per_connection", CONFIG_INT, 0, 1000000000, "0",
     AT(limits.requests_per_connection), "0: any number"},
    {"limits.backlog", CONFIG_INT, 0, 65535, "0", AT(limits.backlog),
     "connections that wait to be accepted; 0: as the system has it"},
    {"log.level", CONFIG_NAME, 0, 0, "\"info\"", OF(log.level, levels), "what is logged"},
    {"log.format", CONFIG_SWITCH, 0, 0, "\"text\"", OF(log.json, formats), "how it is written"},
    {"log.access", CONFIG_BOOL, 0, 1, "true", AT(log.access), "a line per request"},
    {"handlers_directory", CONFIG_PATH, 1, PATH_BYTES, "\"" DOIPD_HANDLERS_DIRECTORY "\"",
     AT(handlers_directory), "every .so in it is loaded"},
    {"users", CONFIG_USERS, 0, 0, "( )", AT(users), "who may prove to be whom"},
    {"users_files", CONFIG_PATHS, 0, 0, "( )", AT(users_files), "files with more users"},
    {"access.anonymous", CONFIG_ACCESS, 0, 0,
     "( \"Hello\", \"ListOperations\", \"Retrieve\", \"Search\" )", AT(access.anonymous),
     "what those may call who prove nothing"},
    {"access.authenticated", CONFIG_ACCESS, 0, 0, "( \"*\" )", AT(access.authenticated),
     "what the others may call"},
    {.name = NULL},
};

size_t
config_key_count(void)
{
    return sizeof(config_keys) / sizeof(config_keys[0]) - 1;
}

const struct config_key *
config_key_find(const char *name)
{
    for (const struct config_key *key = config_keys; key->name != NULL; key++)
        if (strcmp(key->name, name) == 0)
            return key;
    return NULL;
}

bool
config_key_is_group(const char *name)
{
    size_t length = strlen(name);

    for (const struct config_key *key = config_keys; key->name != NULL; key++)
        if (strncmp(key->name, name, length) == 0 && key->name[length] == '.')
            return true;
    return false;
}

/* How many characters must be put in, left out or replaced; names over 40 characters are simply
 * far. */
static size_t
distance(const char *a, const char *b)
{
    size_t row[41];
    size_t length = strlen(b);

    if (length > 40 || strlen(a) > 40)
        return 40;
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            size_t best = corner + (a[i - 1] != b[j - 1]);
            corner = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[length];
}

static const char *
last_part(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot == NULL ? name : dot + 1;
}

/* True when `name` has a group before it that there is. */
static bool
in_group(const char *name)
{
    char group[64];

    snprintf(group, sizeof(group), "%.*s", (int)strcspn(name, "."), name);
    return strchr(name, '.') != NULL && config_key_is_group(group);
}

/* The keys of the group that `name` lies in (its first level for none). */
static void
list_group(const char *name, char *text, size_t size)
{
    size_t prefix = (size_t)(last_part(name) - name);
    size_t used = (size_t)snprintf(text, size, "the keys here are");
    const char *before = "";

    for (const struct config_key *key = config_keys; key->name != NULL && used < size; key++) {
        if (strncmp(key->name, name, prefix) != 0)
            continue;
        const char *part = key->name + prefix;
        size_t length = strcspn(part, ".");
        if (strncmp(before, part, length) == 0 && before[length] == '.')
            continue;
        used += (size_t)snprintf(text + used, size - used, "%s %.*s", *before == '\0' ? "" : ",",
                                 (int)length, part);
        before = part;
    }
    if (prefix == 0 && used < size)
        snprintf(text + used, size - used, ", handler");
}

/* How far `name` is from a key: miswritten, or (where its last part is nearly right) in the
 * wrong group. */
static size_t
key_distance(const char *name, const char *key)
{
    size_t whole = distance(name, key);
    size_t part = distance(last_part(name), last_part(key));

    return part <= 1 && part + 1 < whole ? part + 1 : whole;
}

/* How far `name` is from the key's group. */
static size_t
group_distance(const char *name, const char *key)
{
    char group[32];

    snprintf(group, sizeof(group), "%.*s", (int)strcspn(key, "."), key);
    return distance(name, group);
}

void
config_key_suggest(const char *name, char *text, size_t size)
{
    size_t least = 3 + strlen(name) / 6; /* and farther is not near */
    size_t far = least;

    for (const struct config_key *key = config_keys; key->name != NULL; key++) {
        size_t group = group_distance(name, key->name);
        size_t whole = key_distance(name, key->name);
        if (group < least)
            snprintf(text, size, "did you mean %.*s?", (int)strcspn(key->name, "."), key->name);
        least = group < least ? group : least;
        if (whole < least)
            snprintf(text, size, "did you mean %s?", key->name);
        least = whole < least ? whole : least;
    }
    if (distance(name, "handler") < least)
        snprintf(text, size, "did you mean handler?");
    else if (least == far)
        list_group(in_group(name) ? name : "", text, size);
}
