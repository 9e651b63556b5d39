-- The device's store, version 1 (`PRAGMA user_version`). Nothing here reads without the key but random ids, counts
-- and sizes: values are sealed, names are keyed hashes.

-- Exactly one row. `digest` is SHA-256 over the other three, so that damage is told from a wrong key.
CREATE TABLE header (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    store       BLOB NOT NULL,
    wrapped     BLOB NOT NULL,
    check_value BLOB NOT NULL,
    digest      BLOB NOT NULL
) STRICT;

-- The store's generations, 1 first; the last is the present one.
CREATE TABLE generation (
    n      INTEGER PRIMARY KEY,
    sealed BLOB NOT NULL
) STRICT;

-- The key of each case, sealed by the store's key. To delete the row is to destroy every value of the case.
CREATE TABLE case_key (
    case_hash BLOB PRIMARY KEY,
    sealed    BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Every row of every shelf. AUTOINCREMENT: a number is never used again, also after the newest row is gone.
CREATE TABLE entry (
    n          INTEGER PRIMARY KEY AUTOINCREMENT,
    shelf      INTEGER NOT NULL,
    group_hash BLOB NOT NULL,
    key_hash   BLOB,
    case_hash  BLOB,
    generation INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    value      BLOB NOT NULL
) STRICT;

CREATE UNIQUE INDEX entry_by_key ON entry (shelf, key_hash) WHERE key_hash IS NOT NULL;
CREATE INDEX entry_by_shelf ON entry (shelf);
CREATE INDEX entry_by_group ON entry (shelf, group_hash, n);
CREATE INDEX entry_by_case ON entry (case_hash) WHERE case_hash IS NOT NULL;
