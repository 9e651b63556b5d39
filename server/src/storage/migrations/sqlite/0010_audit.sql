-- Who did what, by ids; `entry` is the truth (`storage::audit::Entry`), chained by hashes, the other columns find it.
-- Whose rights or work an entry is about is `whom_id`.
CREATE TABLE audit (
    n          INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    account_id TEXT,
    whom_id    TEXT,
    case_id    TEXT,
    entry      BLOB NOT NULL
) STRICT;
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_account ON audit (account_id, n) WHERE account_id IS NOT NULL;
CREATE INDEX audit_whom ON audit (whom_id, n) WHERE whom_id IS NOT NULL;
CREATE INDEX audit_case ON audit (case_id, n) WHERE case_id IS NOT NULL;

-- How far it had come, signed by the server (`storage::audit::Checkpoint`).
CREATE TABLE audit_checkpoints (
    n          INTEGER PRIMARY KEY,
    checkpoint BLOB NOT NULL,
    signature  BLOB NOT NULL
) STRICT;

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
