/*
 * Text of elements for the index (index_impl.h): small ones of a textual type, as they stand. In
 * each worker process, on the thread that fills the index.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "catalog.h"
#include "index_impl.h"
#include "memory_file.h"
#include "words.h"

/* So many times the limit of one element is taken of one object. */
#define ALL_OF_ONE 16

/* ------------------------------------------------------------------ what is text */

static bool
ends_with(const char *text, size_t length, const char *end)
{
    size_t size = strlen(end);

    return length >= size && strncasecmp(text + length - size, end, size) == 0;
}

bool
index_is_text(const char *type)
{
    size_t length = type == NULL ? 0 : strcspn(type, "; \t");

    return length > 0 && (strncasecmp(type, "text/", 5) == 0 || ends_with(type, length, "/json") ||
                          ends_with(type, length, "+json") || ends_with(type, length, "/xml") ||
                          ends_with(type, length, "+xml"));
}

/* The length of the character that begins there, 0 where that is no UTF-8. */
static size_t
character(const unsigned char *text, size_t left)
{
    size_t size = *text < 0x80 ? 1 : *text >= 0xf0 ? 4 : *text >= 0xe0 ? 3 : 2;
    uint32_t code = *text & (0xffu >> (size == 1 ? 1 : size + 1));
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

    if ((*text >= 0x80 && *text < 0xc2) || *text > 0xf4 || size > left)
        return 0;
    for (size_t i = 1; i < size; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    return code < least[size] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : size;
}

/* What is no UTF-8, and what the index has a use of its own for, becomes blank. */
void
index_clean_text(char *text, size_t length)
{
    for (size_t i = 0; i < length;) {
        size_t size = character((unsigned char *)text + i, length - i);
        bool kept =
            size == 3 && memcmp(text + i, "\xee\x80", 2) == 0 && (unsigned char)text[i + 2] <= 0x82;

        if (size == 0 || text[i] == '\0' || kept)
            memset(text + i, ' ', size == 0 ? 1 : size);
        i += size == 0 ? 1 : size;
    }
}

/* ------------------------------------------------------------------ reading it */

/* Bytes of a file; NULL: they are gone meanwhile, and the object was changed, or can't be read. */
static char *
text_file(struct index *index, struct connection *catalog, const struct blob *blob)
{
    int fd = blobs_bytes(index->blobs, blob);
    char *data = fd < 0 ? NULL : malloc(blob->length + 1);
    size_t done = 0;

    if (fd >= 0 && data == NULL)
        connection_fail(catalog, "memory is short");
    while (data != NULL && done < blob->length) {
        ssize_t got = pread(fd, data + done, blob->length - done, (off_t)done);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            free(data);
            data = NULL;
        } else {
            done += (size_t)got;
        }
    }
    if (fd >= 0)
        close(fd);
    return data;
}

/* Bytes in the catalog; NULL: they are a file, or damaged, which whoever reads them is told. */
static char *
text_small(struct connection *catalog, const struct blob *blob)
{
    sqlite3_stmt *statement = connection_query(catalog, SQL_SMALL, "i", blob->number);
    char *data = NULL;

    if (connection_step(catalog, statement) != 1)
        return NULL;
    if ((uint64_t)sqlite3_column_bytes(statement, 0) == blob->length &&
        (data = malloc(blob->length + 1)) == NULL)
        connection_fail(catalog, "memory is short");
    if (data != NULL && blob->length > 0)
        memcpy(data, sqlite3_column_blob(statement, 0), blob->length);
    sqlite3_reset(statement);
    return data;
}

/* The data of an element, with blanks for what is no text. */
static void
text_add(struct index *index, struct connection *catalog, const struct blob *blob, FILE *file)
{
    char *data = text_small(catalog, blob);

    if (data == NULL && !catalog->failed)
        data = text_file(index, catalog, blob);
    if (data == NULL)
        return;
    index_clean_text(data, blob->length);
    fwrite(data, 1, blob->length, file);
    fputs(WORDS_BETWEEN, file);
    free(data);
}

char *
index_text(struct index *index, struct connection *catalog, int64_t number)
{
    struct catalog_data *list;
    size_t count, size, room = (size_t)index->text * ALL_OF_ONE;
    char *text = NULL;
    FILE *file;

    if (index->text == 0)
        return NULL;
    file = memory_file(&text, &size);
    if (catalog_data(catalog, number, &list, &count) && file != NULL) {
        for (size_t i = 0; i < count && !catalog->failed; i++) {
            const struct blob *blob = &list[i].blob;

            if (!index_is_text(list[i].type) || blob->length > (uint64_t)index->text ||
                blob->length > room)
                continue;
            room -= blob->length;
            text_add(index, catalog, blob, file);
        }
    }
    catalog_data_free(&list, count);
    if (file == NULL || fclose(file) != 0)
        connection_fail(catalog, "memory is short");
    return text;
}
