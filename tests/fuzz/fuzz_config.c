/*
 * Fuzzes the configuration: the scanner, libconfig behind it, the checks of all values, files of users (libFuzzer, `make fuzz`).
 *
 * The first byte of the input says what the rest is: the configuration file, a file of users, or -o KEY=VALUE. The oracle: what is
 * refused is refused in one printable line that names where; what is taken can be printed, read again, and is then the same; users have ids
 * and names of their own, and are found by them.
 */
#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "config.h"
#include "fuzz.h"
#include "log.h"

enum kind { KIND_FILE, KIND_USERS, KIND_OVERRIDE, KINDS };

const char *__lsan_default_suppressions(void);

/* libconfig 1.5 loses the string at hand where a syntax error follows it. */
const char *
__lsan_default_suppressions(void)
{
    return "leak:strbuf_append\nleak:libconfig_yylex";
}

static char directory[64];

static char *
path_of(const char *name)
{
    char *path = NULL;

    REQUIRE(asprintf(&path, "%s/%s", directory, name) > 0);
    return path;
}

static void
put(const char *name, const void *data, size_t size)
{
    char *path = path_of(name);
    FILE *file = fopen(path, "w");

    REQUIRE(file != NULL && fwrite(data, 1, size, file) == size && fclose(file) == 0);
    free(path);
}

static void
clean_up(void)
{
    static const char *const names[] = {"doipd.conf", "users.conf", "key.pem", "good.conf"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *path = path_of(names[i]);
        unlink(path);
        free(path);
    }
    rmdir(directory);
}

/* A place for files that the input may name. In memory, where there is such a file system. */
static void
prepare(void)
{
    static const char key[] = "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"
                              "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}";
    static const char good[] = "log = { level = \"debug\" }\n";

    strcpy(directory,
           access("/dev/shm", W_OK) == 0 ? "/dev/shm/doipd-fuzz-XXXXXX" : "/tmp/doipd-fuzz-XXXXXX");
    REQUIRE(mkdtemp(directory) != NULL);
    atexit(clean_up);
    put("key.pem", key, strlen(key));
    put("good.conf", good, strlen(good));
    put("users.conf", "", 0);
    log_setup(LOG_LEVEL_ERROR, false, false, true);
}

static struct config *
load(const char *name, const char *override, char *reason, size_t size)
{
    char *path = path_of(name);
    const char *const overrides[] = {override, NULL};
    struct config_source source = {.file = path, .overrides = override != NULL ? overrides : NULL};
    struct config *config = config_load(&source, reason, size);

    free(path);
    return config;
}

static void
require_reason(const char *reason)
{
    json_t *string = json_string(reason);

    REQUIRE(json_string_length(string) > 0);
    for (const unsigned char *at = (const unsigned char *)reason; *at != '\0'; at++)
        REQUIRE(!iscntrl(*at));
    json_decref(string);
}

/* ------------------------------------------------------------------ printed and read again */

/* Password hashes are not shown, so they are lost. */
static void
forget_hashes(char *text)
{
    static const char mark[] = " /* password_hash: not shown */";

    for (char *at; (at = strstr(text, mark)) != NULL;)
        memmove(at, at + strlen(mark), strlen(at + strlen(mark)) + 1);
}

/* Each line ends in where its value came from, which must not count. */
static char *
printed(const struct config *config)
{
    char *text = NULL, *to;
    size_t length;
    FILE *file = open_memstream(&text, &length);

    config_print(config, file);
    fclose(file);
    to = text;
    for (char *line = text, *next; *line != '\0'; line = next) {
        char *end = strchr(line, '\n'), *mark = memrchr(line, '#', (size_t)(end - line));

        next = end + 1;
        if (mark != NULL)
            end = mark;
        while (end > line && end[-1] == ' ')
            end--;
        memmove(to, line, (size_t)(end - line));
        to += end - line;
        *to++ = '\n';
    }
    *to = '\0';
    forget_hashes(text);
    return text;
}

static void
require_same(const struct config *config)
{
    char reason[2048] = "", *once = printed(config), *twice;
    struct config *again;

    put("doipd.conf", once, strlen(once));
    again = load("doipd.conf", NULL, reason, sizeof reason);
    /* It names as many processes as this machine has cores, where it was left to that: then too few for a limit. */
    if (again == NULL && strstr(reason, "can never be reached") != NULL) {
        free(once);
        return;
    }
    if (again == NULL) {
        fprintf(stderr, "printed:\n%s\nis refused: %s\n", once, reason);
        abort();
    }
    twice = printed(again);
    if (strcmp(once, twice) != 0) {
        fprintf(stderr, "once:\n%s\ntwice:\n%s\n", once, twice);
        abort();
    }
    config_free(&again);
    free(once);
    free(twice);
}

/* ------------------------------------------------------------------ users */

static void
require_users(const struct user_list *users)
{
    char warning[1024];

    for (size_t i = 0; i < users->count; i++) {
        const struct user *user = &users->items[i];

        REQUIRE(user->id[0] != '\0' && strlen(user->id) <= DOIP_ID_MAX);
        REQUIRE(users_find_id(users, user->id) == user && users_find(users, user->id) == user);
        REQUIRE(user->name == NULL || users_find(users, user->name) == user);
        REQUIRE((user->key_path == NULL) == (user->key == NULL));
        user_may_act_as(user, "20.500.123/somebody");
    }
    users_decoy(users);
    users_exposed(users, warning, sizeof warning);
}

/* ------------------------------------------------------------------ the entry */

static struct config *
load_as(enum kind kind, const char *text, size_t size, char *reason, size_t reason_size)
{
    static const char with_users[] = "users_files = ( \"users.conf\" )\n";

    put("users.conf", kind == KIND_USERS ? text : "", kind == KIND_USERS ? size : 0);
    if (kind == KIND_FILE)
        put("doipd.conf", text, size);
    else
        put("doipd.conf", with_users, kind == KIND_USERS ? strlen(with_users) : 0);
    return load("doipd.conf", kind == KIND_OVERRIDE ? text : NULL, reason, reason_size);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char reason[2048] = "", *text;
    struct config *config;

    if (size == 0)
        return 0;
    if (directory[0] == '\0')
        prepare();
    text = strndup((const char *)data + 1, size - 1);
    config = load_as(data[0] % KINDS, text, strlen(text), reason, sizeof reason);
    if (config == NULL) {
        require_reason(reason);
    } else {
        require_users(&config->users);
        require_same(config);
    }
    config_free(&config);
    free(text);
    return 0;
}
