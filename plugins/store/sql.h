/*
 * All SQL of the store: the schema, each statement once, and the pieces that a search is composed
 * of. Only connection.c and database.c (which prepare statements) and catalog.c and listing.c
 * (which bind and step them) include it.
 *
 * The schema's version is in `PRAGMA user_version`. A change here that an older catalog does not
 * have needs a new version and a migration in database.c.
 *
 *   object    One row per object; `attributes` is JSON text as it will be sent (NULL: none), but
 *             for `metadata`, which is made of version, created_* and modified_* (milliseconds
 *             since 1970).
 *   element   Its elements in their order; `blob` NULL: no data.
 *   blob      Element bytes by content, stored once each; `uses` counts the elements that point
 *             to it (the triggers keep it). A row without uses is garbage: its file goes first,
 *             then the row.
 *   word      Full-text index over words_text() of each object, by object.number. It holds no
 *             text of its own: what is taken out must be the very text that was put in, so a
 *             change of words_text() needs a new schema version too.
 */
#ifndef STORE_SQL_H
#define STORE_SQL_H

#define SQL_VERSION 1
#define SQL_APPLICATION 0x444f4950 /* "DOIP" */

#define SQL_SCHEMA                                                                           \
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

/* The first connection of a process runs SQL_JOURNAL, every connection SQL_CONNECTION. */
#define SQL_JOURNAL "PRAGMA journal_mode = WAL"
#define SQL_CONNECTION "PRAGMA synchronous = FULL; PRAGMA cache_size = -1024;"
#define SQL_CONNECTION_READER SQL_CONNECTION "PRAGMA query_only = ON;"

#define SQL_OBJECT_COLUMNS                                                     \
    "SELECT number, id, type, attributes, version, created_on, created_by," \
    " modified_on, modified_by FROM object"
#define SQL_ELEMENT_COLUMNS                                 \
    "SELECT e.id, e.type, e.attributes, b.length, b.sha256" \
    " FROM element e LEFT JOIN blob b ON b.number = e.blob WHERE e.object = ?"

/* X(name, text) */
#define SQL_STATEMENTS(X)                                                                    \
    X(READ, "BEGIN")                                                                         \
    X(WRITE, "BEGIN IMMEDIATE")                                                              \
    X(COMMIT, "COMMIT")                                                                      \
    X(ROLLBACK, "ROLLBACK")                                                                  \
    X(USER_VERSION, "PRAGMA user_version")                                                   \
    X(FIND, "SELECT number, version FROM object WHERE id = ?")                               \
    X(ID, "SELECT id FROM object WHERE number = ?")                                          \
    X(OBJECT, SQL_OBJECT_COLUMNS " WHERE number = ?")                                        \
    X(ELEMENTS, SQL_ELEMENT_COLUMNS " ORDER BY e.ordinal")                                   \
    X(ELEMENT, SQL_ELEMENT_COLUMNS " AND e.id = ?")                                          \
    X(OBJECT_ADD, "INSERT INTO object (id, type, attributes, created_on, modified_on, "      \
                  "created_by, modified_by)"                                                 \
                  " VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?5)")                                    \
    X(OBJECT_CHANGE,                                                                         \
      "UPDATE object SET type = coalesce(?2, type), attributes = coalesce(?3, attributes),"  \
      " version = version + 1, modified_on = ?4, modified_by = ?5 WHERE number = ?1")        \
    X(OBJECT_REMOVE, "DELETE FROM object WHERE number = ?")                                  \
    X(ELEMENT_ADD,                                                                           \
      "INSERT INTO element (object, ordinal, id, type, attributes, blob)"                    \
      " VALUES (?1, (SELECT coalesce(max(ordinal), 0) + 1 FROM element WHERE object = ?1),"  \
      " ?2, ?3, ?4, ?5)")                                                                    \
    X(ELEMENT_CHANGE,                                                                        \
      "UPDATE element SET type = coalesce(?3, type), attributes = coalesce(?4, attributes)," \
      " blob = coalesce(?5, blob) WHERE object = ?1 AND id = ?2")                            \
    X(ELEMENT_REMOVE, "DELETE FROM element WHERE object = ? AND id = ?")                     \
    X(ELEMENTS_REMOVE, "DELETE FROM element WHERE object = ?")                               \
    X(BLOB_FIND, "SELECT number FROM blob WHERE sha256 = ?")                                 \
    X(BLOB_ADD, "INSERT INTO blob (sha256, length) VALUES (?, ?) ON CONFLICT DO NOTHING")    \
    X(GARBAGE, "SELECT number, sha256 FROM blob WHERE uses = 0 LIMIT ?")                     \
    X(BLOB_REMOVE, "DELETE FROM blob WHERE number = ? AND uses = 0")                         \
    X(WORDS_ADD, "INSERT INTO word (rowid, text) VALUES (?, ?)")                             \
    X(WORDS_REMOVE, "INSERT INTO word (word, rowid, text) VALUES ('delete', ?, ?)")

enum sql {
#define SQL_NAME(name, text) SQL_##name,
    SQL_STATEMENTS(SQL_NAME)
#undef SQL_NAME
    SQL_COUNT
};

/* A search: what it selects, from where, its conditions and its order. Conditions that hold no
 * words need only `object`; words alone need only `word`, which gives its rows by rowid without
 * sorting. */
#define SQL_SEARCH_COUNT "SELECT count(*)"
#define SQL_SEARCH_OBJECTS " FROM object o WHERE 1"
#define SQL_SEARCH_NUMBERS "SELECT o.number"
#define SQL_SEARCH_WORD_NUMBERS "SELECT w.rowid"
#define SQL_SEARCH_WORDS " FROM word w WHERE w.word MATCH ?1"
#define SQL_SEARCH_BOTH \
    " FROM word w CROSS JOIN object o ON o.number = w.rowid WHERE w.word MATCH ?1"
#define SQL_SEARCH_ID " AND o.id = ?"
#define SQL_SEARCH_TYPE " AND o.type = ?"
#define SQL_SEARCH_ORDER " ORDER BY "
#define SQL_SEARCH_BY_ID "o.id"
#define SQL_SEARCH_BY_TYPE "o.type"
#define SQL_SEARCH_BY_NUMBER "o.number"
#define SQL_SEARCH_BY_ROWID "w.rowid"
#define SQL_SEARCH_DESCENDING " DESC"
#define SQL_SEARCH_PAGE " LIMIT ? OFFSET ?"

#endif
