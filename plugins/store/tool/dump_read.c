/*
 * A dump, read and checked (dump_read.h). In the tool's one thread. Whatever stands in it came from
 * elsewhere.
 */
#include "dump_read.h"

#include <doip/json.h>
#include <doip/object.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ------------------------------------------------------------------ opening */

static int
dump_fail(const struct dump *dump, const char *name, const char *reason, struct failure *failure)
{
    return failure_set(failure, "%s/%s: %s", dump->path, name, reason);
}

static int
manifest_check(const struct dump *dump, struct failure *failure)
{
    const json_t *version = json_object_get(dump->manifest, "version");
    const char *format = json_string_value(json_object_get(dump->manifest, "format"));

    if (format == NULL || strcmp(format, DUMP_FORMAT) != 0)
        return dump_fail(dump, DUMP_MANIFEST, "it is not that of a " DUMP_FORMAT, failure);
    if (json_integer_value(version) != DUMP_VERSION)
        return failure_set(failure,
                           "%s/" DUMP_MANIFEST ": the dump has format version %lld, and this tool "
                           "knows only %d",
                           dump->path, (long long)json_integer_value(version), DUMP_VERSION);
    if (!json_is_string(json_object_get(dump->manifest, "sha256")))
        return dump_fail(dump, DUMP_MANIFEST, "it does not tell the SHA-256 of " DUMP_OBJECTS,
                         failure);
    return REPOSITORY_OK;
}

static int
manifest_read(struct dump *dump, struct failure *failure)
{
    int fd = openat(dump->place, DUMP_MANIFEST, O_RDONLY | O_CLOEXEC);
    char text[4096], reason[160];
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text));
    int error = errno;

    if (fd >= 0)
        close(fd);
    if (fd < 0 && error == ENOENT)
        return dump_fail(dump, DUMP_MANIFEST, "it is not there: that is no dump, or not all of one",
                         failure);
    if (size < 0)
        return dump_fail(dump, DUMP_MANIFEST, strerror(error), failure);
    dump->manifest = doip_json_parse(text, (size_t)size, reason, sizeof(reason));
    if (dump->manifest == NULL)
        return dump_fail(dump, DUMP_MANIFEST, reason, failure);
    return manifest_check(dump, failure);
}

int
dump_open(struct dump *dump, const char *path, struct failure *failure)
{
    *dump = (struct dump){.path = path, .elements = -1};
    dump->place = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dump->place < 0)
        return failure_set(failure, "%s: %s", path, strerror(errno));
    dump->elements = openat(dump->place, "elements", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dump->elements < 0)
        return dump_fail(dump, "elements", strerror(errno), failure);
    return manifest_read(dump, failure);
}

void
dump_close(struct dump *dump)
{
    if (dump->elements >= 0)
        close(dump->elements);
    if (dump->place >= 0)
        close(dump->place);
    json_decref(dump->manifest);
    *dump = (struct dump){.place = -1, .elements = -1};
}

/* ------------------------------------------------------------------ objects */

bool
dump_bytes(const json_t *element, struct blob *blob)
{
    const json_t *length = json_object_get(element, "length");
    const char *name =
        json_string_value(json_object_get(json_object_get(element, "attributes"), "sha256"));

    memset(blob, 0, sizeof(*blob));
    if (length == NULL || name == NULL || !blob_parse(blob, name))
        return false;
    blob->length = (uint64_t)json_integer_value(length);
    return true;
}

int
dump_element(const struct dump *dump, const struct blob *blob, struct failure *failure)
{
    int fd = openat(dump->elements, blob->name, O_RDONLY | O_CLOEXEC);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) != 0) {
        failure_set(failure, "elements/%s: %s", blob->name, strerror(errno));
    } else if ((uint64_t)status.st_size != blob->length) {
        failure_set(failure, "elements/%s: it has %llu bytes, not %llu", blob->name,
                    (unsigned long long)status.st_size, (unsigned long long)blob->length);
    } else {
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

static int
metadata_check(const json_t *object, struct failure *failure)
{
    static const struct {
        const char *name;
        json_type type;
        bool optional;
    } members[] = {{"version", JSON_INTEGER, false},
                   {"createdOn", JSON_INTEGER, false},
                   {"modifiedOn", JSON_INTEGER, false},
                   {"createdBy", JSON_STRING, true},
                   {"modifiedBy", JSON_STRING, true}};
    const json_t *metadata = json_object_get(json_object_get(object, "attributes"), "metadata");

    for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
        const json_t *value = json_object_get(metadata, members[i].name);

        if ((value == NULL && !members[i].optional) ||
            (value != NULL && json_typeof(value) != members[i].type))
            return failure_set(failure, "attributes.metadata.%s is %s", members[i].name,
                               value == NULL ? "missing" : "of the wrong kind");
    }
    return REPOSITORY_OK;
}

static int
elements_check(const json_t *object, struct failure *failure)
{
    const json_t *elements = json_object_get(object, "elements");
    json_t *element;
    struct blob blob;
    size_t i;

    json_array_foreach(elements, i, element)
    {
        if (json_object_get(element, "length") != NULL && !dump_bytes(element, &blob))
            return failure_set(failure,
                               "element '%s' has a length, but no attributes.sha256 of 64 digits",
                               json_string_value(json_object_get(element, "id")));
    }
    return REPOSITORY_OK;
}

/* A line as an object; NULL: it is none. */
static json_t *
line_object(const char *line, size_t length, struct failure *failure)
{
    char reason[160];
    json_t *object = doip_json_parse(line, length, reason, sizeof(reason));

    if (object == NULL) /* "line 1, column ...": the line is known better */
        failure_set(failure, "%s", strncmp(reason, "line 1, ", 8) == 0 ? reason + 8 : reason);
    else if (doip_object_check(object, 0, reason, sizeof(reason)) != 0)
        failure_set(failure, "%s", reason);
    else if (doip_object_id(object) == NULL)
        failure_set(failure, "the object has no id");
    else if (metadata_check(object, failure) == REPOSITORY_OK &&
             elements_check(object, failure) == REPOSITORY_OK)
        return object;
    json_decref(object);
    return NULL;
}

/* ------------------------------------------------------------------ lines */

static int
line_give(const struct dump *dump, const char *line, size_t length, dump_object each, void *closure,
          struct failure *failure)
{
    struct failure reason;
    json_t *object = line_object(line, length, &reason);
    int status = object == NULL ? REPOSITORY_FAILED : each(object, closure, &reason);

    json_decref(object);
    if (status != REPOSITORY_OK)
        failure_set(failure, "%s/" DUMP_OBJECTS ": line %llu: %.400s", dump->path,
                    (unsigned long long)dump->lines, reason.text);
    return status;
}

static int
lines_read(struct dump *dump, FILE *file, EVP_MD_CTX *digest, dump_object each, dump_pause pause,
           void *closure, struct failure *failure)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    int status = REPOSITORY_OK;

    while (status == REPOSITORY_OK && (length = getline(&line, &size, file)) > 0) {
        dump->lines++;
        EVP_DigestUpdate(digest, line, (size_t)length);
        length -= line[length - 1] == '\n';
        status = line_give(dump, line, (size_t)length, each, closure, failure);
        if (status == REPOSITORY_OK && pause != NULL)
            status = pause(closure, failure);
    }
    free(line);
    if (status == REPOSITORY_OK && ferror(file) != 0)
        status = dump_fail(dump, DUMP_OBJECTS, strerror(errno), failure);
    return status;
}

int
dump_read(struct dump *dump, dump_object each, dump_pause pause, void *closure,
          struct failure *failure)
{
    const char *wanted = json_string_value(json_object_get(dump->manifest, "sha256"));
    int fd = openat(dump->place, DUMP_OBJECTS, O_RDONLY | O_CLOEXEC);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    struct blob got = {.length = 0};
    int status = REPOSITORY_FAILED;

    dump->lines = 0;
    if (file == NULL)
        dump_fail(dump, DUMP_OBJECTS, strerror(errno), failure);
    else if (digest == NULL || EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1)
        failure_set(failure, "memory is short");
    else
        status = lines_read(dump, file, digest, each, pause, closure, failure);
    if (status == REPOSITORY_OK)
        EVP_DigestFinal_ex(digest, got.sha256, NULL);
    blob_name(&got);
    if (status == REPOSITORY_OK && strcmp(got.name, wanted) != 0)
        status = failure_set(failure,
                             "%s/" DUMP_OBJECTS ": its SHA-256 is %s, not %s as " DUMP_MANIFEST
                             " says: it was changed, or is not all there",
                             dump->path, got.name, wanted);
    EVP_MD_CTX_free(digest);
    if (file != NULL)
        fclose(file);
    return status;
}
