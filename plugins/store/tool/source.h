/*
 * Catalogs as `doip-store` reads them: the one of ROOT, which a service may use at the same time, in
 * short transactions only; and private copies of it as it was at one moment.
 */
#ifndef STORE_TOOL_SOURCE_H
#define STORE_TOOL_SOURCE_H

#include "blobs.h"
#include "connection.h"

/* The catalog of `root`, for reading. NULL: there is none, or not one of this version. */
struct connection *source_open(const char *root, struct failure *failure);
/* Whether there is a catalog that has ever been one: whoever made it may have been killed. */
bool source_is_made(const char *root);
/* Copies it as it is now into a new file. It is not synced. */
int source_copy(const struct connection *source, const char *path, struct failure *failure);
/* Such a copy without a name, on the disk of `directory` (NULL: of temporary files). It may be
 * written to. NULL: failed. */
struct connection *source_snapshot(const struct connection *source, const char *directory,
                                   struct failure *failure);
/* A copy that has a name and a reader at a time: this one. */
struct connection *source_alone(const char *path, struct failure *failure);

/* One of the tool's own statements (tool_sql.h), with numbers bound to it from 1 on; the caller
 * finalizes it. NULL: failed, latched. */
sqlite3_stmt *source_query(struct connection *connection, const char *text, int count, ...);
/* The number that it gives, `otherwise` where it gives none. */
int64_t source_number(struct connection *connection, const char *text, int64_t otherwise);

/* The number of those bytes, 0 where there is no row of them, or the connection failed; `used`: and
 * something points to them. */
int64_t source_blob(struct connection *connection, const struct blob *blob, bool used);

/* Bytes in use that are files, a page at a time in a short transaction: those after the blob with
 * the number *after, 0 at first. How many; 0 at the end and when the connection failed. */
enum { SOURCE_PAGE = 256 };
size_t source_files(struct connection *connection, int64_t *after, struct blob page[SOURCE_PAGE]);

#endif
