/*
 * Configuration text: files with everything they include as one flat text, and the file and
 * line each of its lines came from. Internal to config*.c.
 *
 * libconfig gets this text instead of the files, because its own reading (1.5) ends the whole
 * process on an unreadable include, takes an endless comment for the end of the file, cuts
 * numbers to 32 bits without a word, does not name the key it complains about, and gives a
 * string in a list the line of what follows it. The flat text has every newline where the files
 * have it. It differs in blanks for comments, an L behind numbers that need it, and commas moved
 * up to the string before them.
 */
#ifndef DOIPD_CONFIG_TEXT_H
#define DOIPD_CONFIG_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Where a line of the flat text came from; `file` is the text's. */
struct config_place {
    const char *file;
    int line;
};

/* A name that was met, with the groups around it ("tls.key"), and its line in the flat text. */
struct config_name {
    char *path;
    int line;
};

struct config_text {
    char *data; /* NUL-terminated once it is complete */
    size_t used;
    size_t room;
    struct config_place *lines; /* lines[0] is line 1 */
    size_t line_count;
    size_t line_room;
    struct config_name *names; /* in the order met */
    size_t name_count;
    size_t name_room;
    char **files;
    size_t file_count;
    size_t file_room;
};

/* Reads a file and what it includes; false with `reason`. Ends with config_text_fini() in both
 * cases. */
bool config_text_read(struct config_text *text, const char *file, char *reason, size_t size);
/* The same from memory; `file` is only a name. */
bool config_text_parse(struct config_text *text, const char *file, const char *data, char *reason,
                       size_t size);
void config_text_fini(struct config_text *text);

/* The origin of a line of the flat text; lines beyond the end count as the last. */
const struct config_place *config_text_place(const struct config_text *text, int line);

/* For config_scan.c and config_source.c, which fill a text. */
void config_text_add(struct config_text *text, char c);
void config_text_insert(struct config_text *text, size_t offset, char c);
void config_text_add_line(struct config_text *text, const char *file, int line);
void config_text_add_name(struct config_text *text, const char *path);
const char *config_text_add_file(struct config_text *text, const char *file);
/* The bytes of a file, malloc'd; NULL with errno. EFBIG for one over a megabyte. */
char *config_text_load(const char *file, size_t *size);

#endif
