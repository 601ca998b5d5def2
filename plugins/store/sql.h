/*
 * All SQL of the store: the schema, each statement once, and the pieces that a search is composed
 * of (with operators between them, where.c and listing.c). It is included by connection.h, and so
 * by all that work on a connection.
 *
 * The schema's version is in `PRAGMA user_version`: the number of steps taken (schema.c).
 *
 *   object    One row per object; `attributes` is JSON text as it will be sent (NULL: none), but
 *             for `metadata`, which is made of version, created_* and modified_* (milliseconds
 *             since 1970).
 *   element   Its elements in their order; `blob` NULL: no data.
 *   blob      Element bytes by content, stored once each; `data` NULL: they are a file. `uses`
 *             counts the elements that point to it. A row without uses is garbage: its file goes
 *             first, then the row. `added` is the length of all blobs that there were up to this
 *             one.
 *   past      One row, of what is gone (the triggers keep it): the highest number that an object
 *             and a blob have left behind, as numbers never come again; that blob's `added`; and
 *             the length of all removed blobs. So creates need not count in a row of its own.
 *   change    What the index (index.h) must look at again: objects updated or deleted (the
 *             triggers keep it). New objects it knows by their numbers.
 *   identity  One row: what tells this catalog from others.
 *
 * The index, index.db, has a version of its own, which is never brought up to date but made anew.
 *
 *   state     One row: whose index it is, and what it has taken in (index_impl.h).
 *   entry     One row per object, by object.number, with what can be searched and sorted by.
 *   path      The places in attributes that have ever had a value: JSON pointers below
 *             attributes, array indexes as "_".
 *   field     The values there, for ranges and sorting; strings are cut (index_entry.h).
 *   word      Full-text index over the words of each object (words.h), by object.number.
 *   vocabulary  Its words.
 */
#ifndef STORE_SQL_H
#define STORE_SQL_H

#define SQL_APPLICATION 0x444f4950 /* "DOIP" */

#define SQL_SCHEMA_1                                                                         \
    "CREATE TABLE object ("                                                                  \
    "  number INTEGER PRIMARY KEY AUTOINCREMENT,"                                            \
    "  id TEXT NOT NULL UNIQUE,"                                                             \
    "  type TEXT NOT NULL,"                                                                  \
    "  version INTEGER NOT NULL DEFAULT 1,"                                                  \
    "  created_on INTEGER NOT NULL,"                                                         \
    "  created_by TEXT,"                                                                     \
    "  modified_on INTEGER NOT NULL,"                                                        \
    "  modified_by TEXT,"                                                                    \
    "  attributes TEXT"                                                                      \
    ") STRICT;"                                                                              \
    "CREATE INDEX object_type ON object (type);"                                             \
    "CREATE TABLE blob ("                                                                    \
    "  number INTEGER PRIMARY KEY AUTOINCREMENT,"                                            \
    "  sha256 BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),"                             \
    "  length INTEGER NOT NULL CHECK (length >= 0),"                                         \
    "  uses INTEGER NOT NULL DEFAULT 0 CHECK (uses >= 0)"                                    \
    ") STRICT;"                                                                              \
    "CREATE INDEX blob_garbage ON blob (number) WHERE uses = 0;"                             \
    "CREATE TABLE element ("                                                                 \
    "  object INTEGER NOT NULL,"                                                             \
    "  ordinal INTEGER NOT NULL,"                                                            \
    "  id TEXT NOT NULL,"                                                                    \
    "  type TEXT,"                                                                           \
    "  blob INTEGER,"                                                                        \
    "  attributes TEXT,"                                                                     \
    "  PRIMARY KEY (object, ordinal),"                                                       \
    "  UNIQUE (object, id)"                                                                  \
    ") STRICT, WITHOUT ROWID;"                                                               \
    "CREATE TRIGGER element_added AFTER INSERT ON element WHEN NEW.blob IS NOT NULL BEGIN"   \
    "  UPDATE blob SET uses = uses + 1 WHERE number = NEW.blob;"                             \
    "END;"                                                                                   \
    "CREATE TRIGGER element_removed AFTER DELETE ON element WHEN OLD.blob IS NOT NULL BEGIN" \
    "  UPDATE blob SET uses = uses - 1 WHERE number = OLD.blob;"                             \
    "END;"                                                                                   \
    "CREATE TRIGGER element_changed AFTER UPDATE OF blob ON element"                         \
    "  WHEN NEW.blob IS NOT OLD.blob BEGIN"                                                  \
    "  UPDATE blob SET uses = uses + 1 WHERE number = NEW.blob;"                             \
    "  UPDATE blob SET uses = uses - 1 WHERE number = OLD.blob;"                             \
    "END;"                                                                                   \
    "CREATE VIRTUAL TABLE word USING"                                                        \
    "  fts5(text, content='', columnsize=0, tokenize='unicode61 remove_diacritics 2');"

#define SQL_SCHEMA_2              \
    "CREATE TABLE small ("        \
    "  blob INTEGER PRIMARY KEY," \
    "  data BLOB NOT NULL"        \
    ") STRICT;"

#define SQL_SCHEMA_3                                                                      \
    "CREATE TABLE path ("                                                                 \
    "  number INTEGER PRIMARY KEY,"                                                       \
    "  pointer TEXT NOT NULL UNIQUE"                                                      \
    ") STRICT;"                                                                           \
    "CREATE TABLE field ("                                                                \
    "  object INTEGER NOT NULL,"                                                          \
    "  path INTEGER NOT NULL,"                                                            \
    "  value ANY NOT NULL,"                                                               \
    "  PRIMARY KEY (object, path, value)"                                                 \
    ") STRICT, WITHOUT ROWID;"                                                            \
    "CREATE INDEX field_value ON field (path, value);"                                    \
    "CREATE INDEX object_created_on ON object (created_on);"                              \
    "CREATE INDEX object_modified_on ON object (modified_on);"                            \
    "CREATE INDEX object_created_by ON object (created_by) WHERE created_by IS NOT NULL;" \
    "DROP TABLE word;"                                                                    \
    "CREATE VIRTUAL TABLE word USING"                                                     \
    "  fts5(text, content='', columnsize=0, tokenize='unicode61 remove_diacritics 2');"   \
    "CREATE VIRTUAL TABLE vocabulary USING fts5vocab(word, row);"

#define SQL_SCHEMA_4                                               \
    "CREATE TABLE usage (bytes INTEGER NOT NULL) STRICT;"          \
    "INSERT INTO usage SELECT coalesce(sum(length), 0) FROM blob;" \
    "CREATE TRIGGER blob_added AFTER INSERT ON blob BEGIN"         \
    "  UPDATE usage SET bytes = bytes + NEW.length;"               \
    "END;"                                                         \
    "CREATE TRIGGER blob_removed AFTER DELETE ON blob BEGIN"       \
    "  UPDATE usage SET bytes = bytes - OLD.length;"               \
    "END;"

#define SQL_SCHEMA_5                                             \
    "DROP TABLE vocabulary;"                                     \
    "DROP TABLE word;"                                           \
    "DROP TABLE field;"                                          \
    "DROP TABLE path;"                                           \
    "DROP INDEX object_type;"                                    \
    "DROP INDEX object_created_on;"                              \
    "DROP INDEX object_modified_on;"                             \
    "DROP INDEX object_created_by;"                              \
    "CREATE TABLE identity (catalog BLOB NOT NULL) STRICT;"      \
    "INSERT INTO identity VALUES (randomblob(16));"              \
    "CREATE TABLE change ("                                      \
    "  seq INTEGER PRIMARY KEY AUTOINCREMENT,"                   \
    "  object INTEGER NOT NULL"                                  \
    ") STRICT;"                                                  \
    "CREATE TRIGGER object_changed AFTER UPDATE ON object BEGIN" \
    "  INSERT INTO change (object) VALUES (NEW.number);"         \
    "END;"                                                       \
    "CREATE TRIGGER object_removed AFTER DELETE ON object BEGIN" \
    "  INSERT INTO change (object) VALUES (OLD.number);"         \
    "END;"

/* A create writes as few pages as can be: the tables that it adds to have no second tree but for
 * what must be found by it, and nothing else changes. */
#define SQL_SCHEMA_6                                                                         \
    "DROP TRIGGER element_added;"                                                            \
    "DROP TRIGGER element_removed;"                                                          \
    "DROP TRIGGER element_changed;"                                                          \
    "DROP TRIGGER blob_added;"                                                               \
    "DROP TRIGGER blob_removed;"                                                             \
    "DROP TRIGGER object_changed;"                                                           \
    "DROP TRIGGER object_removed;"                                                           \
    "CREATE TABLE past ("                                                                    \
    "  object INTEGER NOT NULL,"                                                             \
    "  blob INTEGER NOT NULL,"                                                               \
    "  added INTEGER NOT NULL,"                                                              \
    "  removed INTEGER NOT NULL"                                                             \
    ") STRICT;"                                                                              \
    "INSERT INTO past SELECT"                                                                \
    "  coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'object'), 0),"                \
    "  coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'blob'), 0),"                  \
    "  coalesce((SELECT sum(length) FROM blob), 0), 0;"                                      \
    "ALTER TABLE object RENAME TO object_5;"                                                 \
    "CREATE TABLE object ("                                                                  \
    "  number INTEGER PRIMARY KEY,"                                                          \
    "  id TEXT NOT NULL UNIQUE,"                                                             \
    "  type TEXT NOT NULL,"                                                                  \
    "  version INTEGER NOT NULL DEFAULT 1,"                                                  \
    "  created_on INTEGER NOT NULL,"                                                         \
    "  created_by TEXT,"                                                                     \
    "  modified_on INTEGER NOT NULL,"                                                        \
    "  modified_by TEXT,"                                                                    \
    "  attributes TEXT"                                                                      \
    ") STRICT;"                                                                              \
    "INSERT INTO object SELECT number, id, type, version, created_on, created_by,"           \
    "  modified_on, modified_by, attributes FROM object_5 ORDER BY number;"                  \
    "DROP TABLE object_5;"                                                                   \
    "ALTER TABLE blob RENAME TO blob_5;"                                                     \
    "DROP INDEX blob_garbage;"                                                               \
    "CREATE TABLE blob ("                                                                    \
    "  number INTEGER PRIMARY KEY,"                                                          \
    "  sha256 BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),"                             \
    "  length INTEGER NOT NULL CHECK (length >= 0),"                                         \
    "  uses INTEGER NOT NULL CHECK (uses >= 0),"                                             \
    "  added INTEGER NOT NULL,"                                                              \
    "  data BLOB"                                                                            \
    ") STRICT;"                                                                              \
    "INSERT INTO blob SELECT b.number, b.sha256, b.length, b.uses, 0, s.data"                \
    "  FROM blob_5 b LEFT JOIN small s ON s.blob = b.number ORDER BY b.number;"              \
    "CREATE INDEX blob_garbage ON blob (number) WHERE uses = 0;"                             \
    "DROP TABLE blob_5;"                                                                     \
    "DROP TABLE small;"                                                                      \
    "DROP TABLE usage;"                                                                      \
    "ALTER TABLE element RENAME TO element_5;"                                               \
    "CREATE TABLE element ("                                                                 \
    "  object INTEGER NOT NULL,"                                                             \
    "  id TEXT NOT NULL,"                                                                    \
    "  ordinal INTEGER NOT NULL,"                                                            \
    "  type TEXT,"                                                                           \
    "  blob INTEGER,"                                                                        \
    "  attributes TEXT,"                                                                     \
    "  PRIMARY KEY (object, id)"                                                             \
    ") STRICT, WITHOUT ROWID;"                                                               \
    "INSERT INTO element SELECT object, id, ordinal, type, blob, attributes"                 \
    "  FROM element_5 ORDER BY object, id;"                                                  \
    "DROP TABLE element_5;"                                                                  \
    "CREATE TRIGGER element_removed AFTER DELETE ON element WHEN OLD.blob IS NOT NULL BEGIN" \
    "  UPDATE blob SET uses = uses - 1 WHERE number = OLD.blob;"                             \
    "END;"                                                                                   \
    "CREATE TRIGGER blob_removed AFTER DELETE ON blob BEGIN"                                 \
    "  UPDATE past SET removed = removed + OLD.length;"                                      \
    "  UPDATE past SET blob = OLD.number, added = OLD.added WHERE OLD.number > blob"         \
    "    AND NOT EXISTS (SELECT 1 FROM blob WHERE number > OLD.number);"                     \
    "END;"                                                                                   \
    "CREATE TRIGGER object_changed AFTER UPDATE ON object BEGIN"                             \
    "  INSERT INTO change (object) VALUES (NEW.number);"                                     \
    "END;"                                                                                   \
    "CREATE TRIGGER object_removed AFTER DELETE ON object BEGIN"                             \
    "  INSERT INTO change (object) VALUES (OLD.number);"                                     \
    "  UPDATE past SET object = OLD.number WHERE OLD.number > object"                        \
    "    AND NOT EXISTS (SELECT 1 FROM object WHERE number > OLD.number);"                   \
    "END;"

/* X(text): each leads to the next version, from an empty file on. They stay as they are for ever:
 * a change is a new step. */
#define SQL_SCHEMA_STEPS(X) \
    X(SQL_SCHEMA_1)         \
    X(SQL_SCHEMA_2) X(SQL_SCHEMA_3) X(SQL_SCHEMA_4) X(SQL_SCHEMA_5) X(SQL_SCHEMA_6)
#define SQL_SCHEMA_ONE(text) +1
enum { SQL_SCHEMA_VERSION = SQL_SCHEMA_STEPS(SQL_SCHEMA_ONE) };

/* The index as it is made; any change of it, or of what words.h gives, is a new version. It has no
 * triggers: for each statement with one, SQLite makes a savepoint, at which FTS5 writes all words
 * that it has collected. That would be more than all the rest. */
#define SQL_INDEX_VERSION 3
#define SQL_INDEX                                                                          \
    "CREATE TABLE state ("                                                                 \
    "  number INTEGER NOT NULL,"                                                           \
    "  change INTEGER NOT NULL,"                                                           \
    "  entries INTEGER NOT NULL,"                                                          \
    "  text INTEGER NOT NULL,"                                                             \
    "  catalog BLOB NOT NULL"                                                              \
    ") STRICT;"                                                                            \
    "CREATE TABLE entry ("                                                                 \
    "  number INTEGER PRIMARY KEY,"                                                        \
    "  id TEXT NOT NULL,"                                                                  \
    "  type TEXT NOT NULL,"                                                                \
    "  version INTEGER NOT NULL,"                                                          \
    "  created_on INTEGER NOT NULL,"                                                       \
    "  created_by TEXT,"                                                                   \
    "  modified_on INTEGER NOT NULL,"                                                      \
    "  modified_by TEXT,"                                                                  \
    "  audience INTEGER NOT NULL"                                                          \
    ") STRICT;"                                                                            \
    "CREATE INDEX entry_audience ON entry (audience);"                                     \
    "CREATE TABLE audience ("                                                              \
    "  number INTEGER PRIMARY KEY,"                                                        \
    "  text TEXT NOT NULL UNIQUE,"                                                         \
    "  entries INTEGER NOT NULL DEFAULT 0"                                                 \
    ") STRICT;"                                                                            \
    "CREATE INDEX entry_id ON entry (id);"                                                 \
    "CREATE INDEX entry_type ON entry (type);"                                             \
    "CREATE INDEX entry_version ON entry (version);"                                       \
    "CREATE INDEX entry_created_on ON entry (created_on);"                                 \
    "CREATE INDEX entry_created_by ON entry (created_by) WHERE created_by IS NOT NULL;"    \
    "CREATE INDEX entry_modified_on ON entry (modified_on);"                               \
    "CREATE INDEX entry_modified_by ON entry (modified_by) WHERE modified_by IS NOT NULL;" \
    "CREATE TABLE path ("                                                                  \
    "  number INTEGER PRIMARY KEY,"                                                        \
    "  pointer TEXT NOT NULL UNIQUE"                                                       \
    ") STRICT;"                                                                            \
    "CREATE TABLE field ("                                                                 \
    "  object INTEGER NOT NULL,"                                                           \
    "  path INTEGER NOT NULL,"                                                             \
    "  value ANY NOT NULL,"                                                                \
    "  PRIMARY KEY (object, path, value)"                                                  \
    ") STRICT, WITHOUT ROWID;"                                                             \
    "CREATE INDEX field_value ON field (path, value);"                                     \
    "CREATE VIRTUAL TABLE word USING"                                                      \
    "  fts5(text, columnsize=0, tokenize='unicode61 remove_diacritics 2');"                \
    "CREATE VIRTUAL TABLE vocabulary USING fts5vocab(word, row);"

/* The index loses nothing that can't be had again: what has not been synced is taken in again. */
#define SQL_CONNECTION_INDEXER                                 \
    "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -32768;" \
    "PRAGMA journal_size_limit = 67108864;"
/* The first connection of a process runs SQL_JOURNAL, every connection SQL_CONNECTION. */
#define SQL_JOURNAL "PRAGMA journal_mode = WAL"
#define SQL_CONNECTION "PRAGMA synchronous = FULL;"
#define SQL_CONNECTION_WRITER \
    SQL_CONNECTION "PRAGMA cache_size = -8192; PRAGMA journal_size_limit = 67108864;"
#define SQL_CONNECTION_READER SQL_CONNECTION "PRAGMA cache_size = -16384; PRAGMA query_only = ON;"

#define SQL_OBJECT_COLUMNS                                                  \
    "SELECT number, id, type, attributes, version, created_on, created_by," \
    " modified_on, modified_by"
/* Whether there is any is cheaper to be told with the row than to be asked for. */
#define SQL_OBJECT_WHOLE \
    SQL_OBJECT_COLUMNS ", EXISTS (SELECT 1 FROM element WHERE object = number) FROM object"
#define SQL_ELEMENT_COLUMNS                                                      \
    "SELECT e.id, e.type, e.attributes, b.length, b.sha256, b.number, e.ordinal" \
    " FROM element e LEFT JOIN blob b ON b.number = e.blob WHERE e.object = ?"

/* The highest number that an object, a blob has or had; the length of all blobs that there were. */
#define SQL_LAST_OBJECT \
    "(SELECT max(p.object, coalesce((SELECT max(number) FROM object), 0)) FROM past p)"
#define SQL_LAST_BLOB \
    "(SELECT max(p.blob, coalesce((SELECT max(number) FROM blob), 0)) FROM past p)"
#define SQL_ADDED                                                                              \
    "(SELECT max(p.added, coalesce((SELECT added FROM blob ORDER BY number DESC LIMIT 1), 0))" \
    " FROM past p)"
#define SQL_USAGE_NOW "SELECT " SQL_ADDED " - (SELECT removed FROM past)"

/* X(name, text) */
#define SQL_STATEMENTS(X)                                                                      \
    X(READ, "BEGIN")                                                                           \
    X(WRITE, "BEGIN IMMEDIATE")                                                                \
    X(COMMIT, "COMMIT")                                                                        \
    X(ROLLBACK, "ROLLBACK")                                                                    \
    X(USER_VERSION, "PRAGMA user_version")                                                     \
    X(APPLICATION_ID, "PRAGMA application_id")                                                 \
    X(FIND, "SELECT number, version FROM object WHERE id = ?")                                 \
    X(OBJECT, SQL_OBJECT_WHOLE " WHERE number = ?")                                            \
    X(OBJECT_NAMED, SQL_OBJECT_WHOLE " WHERE id = ?")                                          \
    X(OBJECTS_AFTER, SQL_OBJECT_COLUMNS " FROM object WHERE number > ? ORDER BY number")       \
    X(ELEMENTS, SQL_ELEMENT_COLUMNS " ORDER BY e.ordinal")                                     \
    X(ELEMENTS_UNSORTED, SQL_ELEMENT_COLUMNS)                                                  \
    X(ELEMENT, SQL_ELEMENT_COLUMNS " AND e.id = ?")                                            \
    X(OBJECT_ADD, "INSERT INTO object (number, id, type, attributes, created_on, modified_on," \
                  " created_by, modified_by)"                                                  \
                  " VALUES (" SQL_LAST_OBJECT " + 1, ?1, ?2, ?3, ?4, ?4, ?5, ?5)")             \
    X(OBJECT_CHANGE,                                                                           \
      "UPDATE object SET type = coalesce(?2, type), attributes = coalesce(?3, attributes),"    \
      " version = version + 1, modified_on = ?4, modified_by = ?5 WHERE number = ?1")          \
    X(OBJECT_REMOVE, "DELETE FROM object WHERE number = ?")                                    \
    X(ELEMENT_LAST, "SELECT coalesce(max(ordinal), 0) FROM element WHERE object = ?")          \
    X(ELEMENT_ADD, "INSERT INTO element (object, ordinal, id, type, attributes, blob)"         \
                   " VALUES (?, ?, ?, ?, ?, ?)")                                               \
    X(ELEMENT_CHANGE,                                                                          \
      "UPDATE element SET type = coalesce(?3, type), attributes = coalesce(?4, attributes),"   \
      " blob = coalesce(?5, blob) WHERE object = ?1 AND id = ?2")                              \
    X(ELEMENT_REMOVE, "DELETE FROM element WHERE object = ? AND id = ?")                       \
    X(ELEMENTS_REMOVE, "DELETE FROM element WHERE object = ?")                                 \
    X(USAGE, SQL_USAGE_NOW)                                                                    \
    X(BLOB_FIND, "SELECT number FROM blob WHERE sha256 = ?")                                   \
    X(BLOB_ADD, "INSERT INTO blob (number, sha256, length, uses, added, data)"                 \
                " VALUES (" SQL_LAST_BLOB " + 1, ?1, ?2, ?3, " SQL_ADDED " + ?2, ?4)")         \
    X(BLOB_AGAIN, "UPDATE blob SET data = coalesce(data, ?2) WHERE number = ?1")               \
    X(BLOB_USE, "UPDATE blob SET uses = uses + ?2 WHERE number = ?1")                          \
    X(BLOB_LEAVE, "UPDATE blob SET uses = uses - 1 WHERE number ="                             \
                  " (SELECT blob FROM element WHERE object = ? AND id = ?)")                   \
    X(SMALL, "SELECT data FROM blob WHERE number = ? AND data IS NOT NULL")                    \
    X(GARBAGE, "SELECT number, sha256, data IS NOT NULL, length FROM blob WHERE uses = 0"      \
               " LIMIT ?")                                                                     \
    X(BLOB_REMOVE, "DELETE FROM blob WHERE number = ? AND uses = 0")                           \
    X(TABLES, "SELECT count(*) FROM sqlite_schema")                                            \
    X(FEED, "SELECT coalesce((SELECT max(number) FROM object), 0),"                            \
            " coalesce((SELECT max(seq) FROM change), 0)")                                     \
    X(IDENTITY, "SELECT " SQL_LAST_OBJECT ","                                                  \
                " coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'change'), 0),"       \
                " catalog, (SELECT min(seq) - 1 FROM change) FROM identity")                   \
    X(CHANGES_AFTER, "SELECT max(seq), object FROM"                                            \
                     " (SELECT seq, object FROM change WHERE seq > ? ORDER BY seq LIMIT 4000)" \
                     " GROUP BY object ORDER BY max(seq)")                                     \
    X(CHANGES_COUNT, "SELECT count(*) FROM (SELECT 1 FROM change WHERE seq <= ? LIMIT ?)")     \
    X(CHANGES_FORGET, "DELETE FROM change WHERE seq IN"                                        \
                      " (SELECT seq FROM change WHERE seq <= ? ORDER BY seq LIMIT ?)")         \
    X(INDEX_BEGIN,                                                                             \
      "INSERT INTO state (number, change, entries, catalog, text) VALUES (0, ?, 0, ?, ?)")     \
    X(INDEX_STATE, "SELECT number, change, catalog, entries, text FROM state")                 \
    X(INDEX_TAKEN, "UPDATE state SET number = ?, change = ?, entries = entries + ?")           \
    X(ENTRY_ADD, "INSERT INTO entry (number, id, type, version, created_on, created_by,"       \
                 " modified_on, modified_by, audience) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")    \
    X(AUDIENCE, "SELECT number FROM audience WHERE text = ?")                                  \
    X(AUDIENCE_ADD, "INSERT INTO audience (text) VALUES (?)")                                  \
    X(AUDIENCE_ENTER, "UPDATE audience SET entries = entries + 1 WHERE number = ?")            \
    X(AUDIENCE_LEAVE, "UPDATE audience SET entries = entries - 1 WHERE number ="               \
                      " (SELECT audience FROM entry WHERE number = ?)")                        \
    X(AUDIENCE_CLOSE, "DELETE FROM audience WHERE entries = 0 AND number ="                    \
                      " (SELECT audience FROM entry WHERE number = ?)")                        \
    X(AUDIENCES, "SELECT number, text, entries FROM audience")                                 \
    X(ENTRIES, "SELECT number FROM entry ORDER BY number")                                     \
    X(ENTRY_REMOVE, "DELETE FROM entry WHERE number = ?")                                      \
    X(PATH, "SELECT number FROM path WHERE pointer = ?")                                       \
    X(PATH_ADD, "INSERT INTO path (pointer) VALUES (?)")                                       \
    X(FIELD_ADD, "INSERT INTO field (object, path, value) VALUES (?, ?, ?)"                    \
                 " ON CONFLICT DO NOTHING")                                                    \
    X(FIELDS_REMOVE, "DELETE FROM field WHERE object = ?")                                     \
    X(TERMS, "SELECT term FROM vocabulary WHERE term >= ?1 AND term < ?2 AND term GLOB ?3"     \
             " LIMIT ?4")                                                                      \
    X(WORDS_ADD, "INSERT INTO word (rowid, text) VALUES (?, ?)")                               \
    X(WORDS_REMOVE, "DELETE FROM word WHERE rowid = ?")

enum sql {
#define SQL_NAME(name, text) SQL_##name,
    SQL_STATEMENTS(SQL_NAME)
#undef SQL_NAME
        SQL_COUNT
};

/* A search is composed of these, and of what walk.c, where.c and listing.c write between them. */
#define SQL_WORDS "SELECT rowid FROM word WHERE word MATCH "
#define SQL_WALK_OBJECTS "SELECT object"
#define SQL_WALK_VALUES "SELECT object, value"
#define SQL_WALK_FIELD " FROM field"
#define SQL_WALK_PATH " WHERE path = "
#define SQL_WALK_COLUMN "SELECT number, %s"
#define SQL_WALK_ENTRY " FROM entry"
#define SQL_WALK_THERE " WHERE %s IS NOT NULL"
/* Some numbers, as a JSON array; the other table is looked into for each of them. */
#define SQL_WALK_AMONG " FROM (SELECT value AS wanted FROM json_each("
#define SQL_WALK_AMONG_FIELD ")) CROSS JOIN field ON object = wanted"
#define SQL_WALK_AMONG_ENTRY ")) CROSS JOIN entry ON number = wanted"
/* Objects of some audiences, as a JSON array; all, or among some numbers. */
#define SQL_AUDIENCE_ALL "SELECT number FROM entry WHERE audience IN (SELECT value FROM json_each("
#define SQL_AUDIENCE_AMONG "SELECT number" SQL_WALK_AMONG
#define SQL_AUDIENCE_IS " WHERE audience IN (SELECT value FROM json_each("
#define SQL_WALK_COUNT "SELECT count(*) FROM ("
#define SQL_SORT_ALL "SELECT o.number FROM entry o"
#define SQL_SORT_SOME "SELECT o.number FROM entry o WHERE o.number IN (SELECT value FROM json_each("
#define SQL_SORT_LEAST "(SELECT min(value) FROM field WHERE object = o.number AND path = "
#define SQL_SORT_GREATEST "(SELECT max(value) FROM field WHERE object = o.number AND path = "

#endif
