-- Who signed a submitted version, one row a signature, never changed: the last that is needed makes the signed version.
-- Which submission it was is told by who submitted it and when. What the signer wrote is sealed.
CREATE TABLE sign_offs (
    ask_id       TEXT PRIMARY KEY,
    document_id  TEXT NOT NULL,
    case_id      TEXT NOT NULL,
    account_id   TEXT NOT NULL,
    signed_at    INTEGER NOT NULL,
    heads        BLOB NOT NULL,
    basis        BLOB NOT NULL,
    submitted_by TEXT NOT NULL,
    submitted_at INTEGER NOT NULL,
    n            INTEGER NOT NULL,
    place        INTEGER NOT NULL,
    sealed       BLOB NOT NULL
) STRICT;
CREATE INDEX sign_offs_document ON sign_offs (document_id, n, place);
CREATE INDEX sign_offs_case ON sign_offs (case_id);
