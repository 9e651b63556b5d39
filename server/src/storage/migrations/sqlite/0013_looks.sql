-- What somebody was last shown of a prescription, and what they were shown before that was different.
CREATE TABLE looks (
    document_id TEXT NOT NULL,
    account_id  TEXT NOT NULL,
    case_id     TEXT NOT NULL,
    version     INTEGER NOT NULL,
    sealed      BLOB NOT NULL,
    PRIMARY KEY (document_id, account_id)
) STRICT;
CREATE INDEX looks_case ON looks (case_id);
