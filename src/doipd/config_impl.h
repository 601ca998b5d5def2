/*
 * What the parts of the configuration share: the table of keys, the reader that carries errors,
 * and the steps of config_load(). Internal to config*.c and their unit tests; master process,
 * one thread.
 *
 * Memory: these parts end the process when memory is short, as libconfig itself does; what they
 * allocate is a few kilobytes.
 */
#ifndef DOIPD_CONFIG_IMPL_H
#define DOIPD_CONFIG_IMPL_H

#include <libconfig.h>
#include <setjmp.h>

#include "config.h"
#include "config_text.h"

/* Of a name in a file, or in -o. */
#define NAME_MAX_BYTES 64

/* How a value is written and stored. */
enum config_type {
    CONFIG_STRING,       /* char *; with choices, one of them; bounds are on its length */
    CONFIG_PATH,         /* char *, absolute or empty */
    CONFIG_NAME,         /* int: the index in choices */
    CONFIG_SWITCH,       /* bool: the index in choices, of which there are two */
    CONFIG_INT,          /* int */
    CONFIG_BOOL,         /* bool */
    CONFIG_SIZE,         /* uint64_t: a number, or "64K", "1M", "2G" */
    CONFIG_LISTEN,       /* the list of addresses */
    CONFIG_PATHS,        /* char **, absolute */
    CONFIG_ACCESS,       /* char **, shell patterns for operations */
    CONFIG_USERS,        /* the list of users */
    CONFIG_CERTIFICATES, /* the list of certificates */
};

struct config_key {
    const char *name; /* "workers.threads" */
    enum config_type type;
    int64_t low;
    int64_t high;
    const char *value; /* the default, in libconfig's syntax */
    size_t offset;     /* of the member of struct config */
    const char *const *choices;
    const char *help;
};

/* Every key but those under "handler", in the order they are printed. Ended by one with a NULL
 * name. */
extern const struct config_key config_keys[];
size_t config_key_count(void);
/* The key of that full name, NULL for none. */
const struct config_key *config_key_find(const char *name);
/* True when keys of the table begin with "name.". */
bool config_key_is_group(const char *name);
/* What to say of a name that is no key: the nearest key, else those that there are in its
 * group. */
void config_key_suggest(const char *name, char *text, size_t size);

/* What is being read, and where an error goes. */
struct config_reader {
    struct config *config;
    const struct config_text *text; /* the file's; NULL while defaults or overrides are read */
    const char *origin;             /* "default" or "-o", where `text` is NULL */
    char *reason;
    size_t size;
};

/* Sets the reason to "where: key: message" and returns false. */
bool config_fail(struct config_reader *reader, const config_setting_t *setting, const char *key,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Where a setting stands: "file:line", or the reader's origin. The caller frees it. */
char *config_where(const struct config_reader *reader, const config_setting_t *setting);

/* Sets a key's value and origin. False with the reason where it does not fit. */
bool config_value_set(struct config_reader *reader, const struct config_key *key,
                      const config_setting_t *setting);
/* A relative path made absolute: below the file's directory or, from the command line, the current one. malloc'd. */
char *config_absolute(const struct config_reader *reader, const char *text,
                      const config_setting_t *setting);
/* The same of a key that is a path, which may be "credential:NAME"; NULL with the reason. malloc'd. */
char *config_path(struct config_reader *reader, const char *key, const char *text,
                  const config_setting_t *setting);
/* A NULL-ended array of strings from a list of them, none of them empty; NULL with the reason. `what` is in the list, as in
 * "a list of shell patterns, ( \"*\" )". */
char **config_list(struct config_reader *reader, const char *key, const config_setting_t *setting,
                   const char *what);
/* The same of shell patterns, of which there must be one at least. */
char **config_value_strings(struct config_reader *reader, const char *key,
                            const config_setting_t *setting);
/* A setting's own text, which must be a printable UTF-8 string. NULL with the reason. Borrowed. */
const char *config_value_text(struct config_reader *reader, const char *key,
                              const config_setting_t *setting);
/* A setting's own truth value; false with the reason where it is none. */
bool config_value_bool(struct config_reader *reader, const char *key,
                       const config_setting_t *setting, bool *value);
/* The length of the UTF-8 sequence at `at`; 0 for none, and for a control character. */
size_t config_printable(const unsigned char *at);
/* A value as an error message names it: `"abc"`, `12`, `a group`. */
const char *config_value_shown(const config_setting_t *setting, char *text, size_t size);
/* Fails with what the key wants: "must be a number from 2 to 4096, not \"x\" (most threads in a worker)". */
bool config_refuse(struct config_reader *reader, const struct config_key *key,
                   const config_setting_t *setting);
/* A number of bytes in libconfig's syntax: the shortest text that is exact, `"64K"` or `1000`. */
void config_size_show(uint64_t value, char *text, size_t size);
/* Prints a value in libconfig's syntax. */
void config_value_print(const struct config *config, const struct config_key *key, FILE *file);
void config_value_print_string(const char *text, FILE *file);
void config_value_free(struct config *config, const struct config_key *key);

/* A group or a list as JSON text, malloc'd; NULL with the reason, which names the member. */
char *config_json_text(struct config_reader *reader, const char *key,
                       const config_setting_t *setting);
/* Prints such text in libconfig's syntax. */
void config_json_print(const char *text, FILE *file);

/* Sets a key of type CONFIG_PATHS or CONFIG_ACCESS. */
bool config_list_set(struct config_reader *reader, const struct config_key *key,
                     const config_setting_t *setting);
/* Prints a NULL-ended array of strings as a list. */
void config_list_print(char *const *strings, FILE *file);

/* Reads `users`, in place of those read before; later, when users_files is known, the users in there. */
bool config_users_set(struct config_reader *reader, const config_setting_t *setting);
bool config_users_read_files(struct config *config, char *reason, size_t size);
/* Prints the users of the configuration itself, without their password hashes. */
void config_users_print(const struct config *config, FILE *file);

/* The key `tls.certificates`. */
bool config_certificates_set(struct config_reader *reader, const config_setting_t *setting);
void config_certificates_print(const struct config *config, FILE *file);
void config_certificates_free(struct config *config);

/* Reads a list of "address:port". */
bool config_listen_set(struct config_reader *reader, const config_setting_t *setting);
void config_listen_free(struct config *config);
/* Two addresses that can't both be bound, or the reason. */
bool config_listen_check(struct config_reader *reader);
/* The address without its port, as text (malloc'd); the port. */
char *config_listen_host(const struct config_listen *listen);
int config_listen_port(const struct config_listen *listen);
bool config_listen_is_wildcard(const struct config_listen *listen);

/* Reads a file that a key names (NULL: none does), and gives the group that it is to a function. */
typedef bool (*config_take)(struct config_reader *reader, const config_setting_t *root);
bool config_file_read(struct config *config, const char *file, const char *named_by,
                      config_take take, char *reason, size_t size);
/* Read a file, one override ("KEY=VALUE"), the defaults of all keys. */
bool config_read_path(struct config *config, const char *file, char *reason, size_t size);
bool config_read_override(struct config *config, const char *override, char *reason, size_t size);
bool config_read_defaults(struct config *config, char *reason, size_t size);

/* The group `handler`, and one key below it as an override ("store.options.root"). */
bool config_handlers_set(struct config_reader *reader, const config_setting_t *group);
bool config_handler_override(struct config_reader *reader, const char *path,
                             const config_setting_t *setting);
/* Whether the value of that override is a list. */
bool config_handler_wants_list(const char *path);
void config_handlers_free(struct config *config);

/* Fills in what is found out rather than configured (service.id, address, port, processes), and
 * checks that the whole makes sense. */
bool config_resolve(struct config *config, char *reason, size_t size);
/* True when the key was set by a file or -o. */
bool config_is_set(const struct config *config, const char *key);

/* These end the process when memory is short. The first gives what it is given: NULL is a lack of it. */
void *config_must(void *memory);
void *config_grow(void *items, size_t count, size_t *room, size_t item);
void *config_alloc(size_t size);
/* Where to go on when there is none; NULL: nowhere, the process ends. */
void config_memory_way_out(jmp_buf *out);
char *config_copy(const char *text);
char *config_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Frees *slot and puts `text` there, which it takes over. */
void config_replace(char **slot, char *text);
/* Frees a NULL-ended array of strings. */
void config_strings_free(char ***strings);

#endif
