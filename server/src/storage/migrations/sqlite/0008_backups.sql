-- The newest backup that was recorded of each life of the server (epoch): everything up to the number up_to of the ledger is
-- in it; n is the place at which it was recorded, by which devices hear of it.
CREATE TABLE backups (
    epoch       TEXT PRIMARY KEY,
    up_to       INTEGER NOT NULL,
    digest      BLOB NOT NULL,
    recorded_at INTEGER NOT NULL,
    n           INTEGER NOT NULL
) STRICT;
