/*
 * All SQL that only `doip-store` uses. The tables are the store's (sql.h).
 */
#ifndef STORE_TOOL_SQL_H
#define STORE_TOOL_SQL_H

/* Of the service's catalog, and of a private copy. */
#define TOOL_SQL_SOURCE "PRAGMA query_only = ON; PRAGMA cache_size = -4096;"
#define TOOL_SQL_ALONE                                            \
    "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF;" \
    "PRAGMA synchronous = OFF; PRAGMA cache_size = -16384;"
/* Of a new file that is about to become a copy. */
#define TOOL_SQL_COPY "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
#define TOOL_SQL_WAL                                              \
    "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;" \
    "PRAGMA wal_checkpoint(TRUNCATE);"

#define TOOL_SQL_APPLICATION "PRAGMA application_id"
#define TOOL_SQL_VERSION "PRAGMA user_version"
#define TOOL_SQL_ANY_OBJECT "SELECT 1 FROM object LIMIT 1"
#define TOOL_SQL_OBJECTS "SELECT number FROM object ORDER BY number"

#define TOOL_SQL_FILES                                 \
    "SELECT number, sha256, length FROM blob"          \
    " WHERE number > ?1 AND uses > 0 AND data IS NULL" \
    " ORDER BY number LIMIT ?2"
#define TOOL_SQL_SMALL              \
    "SELECT sha256, data FROM blob" \
    " WHERE uses > 0 AND data IS NOT NULL ORDER BY number"
#define TOOL_SQL_PIECES "SELECT count(*) FROM blob WHERE uses > 0"
#define TOOL_SQL_BYTES "SELECT coalesce(sum(length), 0) FROM blob WHERE uses > 0"
#define TOOL_SQL_GARBAGE "SELECT count(*) FROM blob WHERE uses = 0"
#define TOOL_SQL_KNOWN "SELECT number FROM blob WHERE sha256 = ?"
#define TOOL_SQL_USED TOOL_SQL_KNOWN " AND uses > 0"

/* ------------------------------------------------------------------ import */

#define TOOL_SQL_METADATA                                            \
    "UPDATE object SET version = ?, created_on = ?, created_by = ?," \
    " modified_on = ?, modified_by = ? WHERE number = ?"

/* ------------------------------------------------------------------ verify, on a private copy */

#define TOOL_SQL_INTEGRITY "PRAGMA integrity_check"
#define TOOL_SQL_INTEGRITY_QUICK "PRAGMA quick_check"
#define TOOL_SQL_POINTERS "CREATE INDEX verify_pointers ON element (blob) WHERE blob IS NOT NULL"
#define TOOL_SQL_BLOBS "SELECT number, sha256, length, uses, data FROM blob ORDER BY number"
#define TOOL_SQL_POINTING                                                        \
    "SELECT o.id, e.id FROM element e LEFT JOIN object o ON o.number = e.object" \
    " WHERE e.blob = ?1 ORDER BY e.object, e.ordinal"
/* On the service's catalog: it is still so. */
#define TOOL_SQL_STILL "SELECT 1 FROM blob WHERE number = ?1 AND uses > 0"

/* X(text): rows that contradict each other, as what is wrong, the object's id and the element's. */
#define TOOL_SQL_CONTRADICTIONS(X)                                                 \
    X("SELECT 'the object that it belongs to is not there', NULL, e.id"            \
      " FROM element e WHERE NOT EXISTS"                                           \
      " (SELECT 1 FROM object o WHERE o.number = e.object)")                       \
    X("SELECT 'the bytes that it points to are not known',"                        \
      " (SELECT o.id FROM object o WHERE o.number = e.object), e.id"               \
      " FROM element e WHERE e.blob IS NOT NULL"                                   \
      " AND NOT EXISTS (SELECT 1 FROM blob b WHERE b.number = e.blob)")            \
    X("SELECT 'the bytes ' || lower(hex(b.sha256)) || ' have ' || b.uses ||"       \
      " ' uses, but ' || (SELECT count(*) FROM element e WHERE e.blob = b.number)" \
      " || ' elements point to them', NULL, NULL FROM blob b"                      \
      " WHERE b.uses <> (SELECT count(*) FROM element e WHERE e.blob = b.number)") \
    X("SELECT 'usage is ' || coalesce((" SQL_USAGE_NOW "), 'missing')"             \
      " || ', but all bytes together are ' || coalesce(sum(length), 0),"           \
      " NULL, NULL FROM blob"                                                      \
      " HAVING coalesce(sum(length), 0) IS NOT (" SQL_USAGE_NOW ")")               \
    X("SELECT 'the attributes are not JSON', o.id, NULL FROM object o"             \
      " WHERE o.attributes IS NOT NULL AND NOT json_valid(o.attributes)")          \
    X("SELECT 'the attributes are not JSON',"                                      \
      " (SELECT o.id FROM object o WHERE o.number = e.object), e.id"               \
      " FROM element e WHERE e.attributes IS NOT NULL AND NOT json_valid(e.attributes)")

/* ------------------------------------------------------------------ stats */

/* X(name, text): numbers, in their order. */
#define TOOL_SQL_NUMBERS(X)                                                       \
    X("objects", "SELECT count(*) FROM object")                                   \
    X("elements", "SELECT count(*) FROM element")                                 \
    X("pieces", TOOL_SQL_PIECES)                                                  \
    X("bytes", TOOL_SQL_BYTES)                                                    \
    X("logicalBytes", "SELECT coalesce(sum(length * uses), 0) FROM blob")         \
    X("garbage", TOOL_SQL_GARBAGE)                                                \
    X("garbageBytes", "SELECT coalesce(sum(length), 0) FROM blob WHERE uses = 0") \
    X("oldestCreatedOn", "SELECT min(created_on) FROM object")                    \
    X("newestModifiedOn", "SELECT max(modified_on) FROM object")                  \
    X("schemaVersion", TOOL_SQL_VERSION)
#define TOOL_SQL_TYPES \
    "SELECT type, count(*) FROM object GROUP BY type ORDER BY count(*) DESC, type LIMIT 20"

#endif
