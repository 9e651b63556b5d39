-- What devices signed that they have destroyed: ids only, so nothing is sealed. One row for each case or document that a
-- signed receipt names; document_id is empty where the whole case went.
CREATE TABLE purge_receipts (
    device_id   TEXT NOT NULL,
    case_id     TEXT NOT NULL,
    document_id TEXT NOT NULL,
    signature   BLOB NOT NULL,
    receipt     BLOB NOT NULL,
    came_at     INTEGER NOT NULL,
    n           INTEGER NOT NULL,
    place       INTEGER NOT NULL,
    PRIMARY KEY (device_id, case_id, document_id, signature)
) STRICT;

CREATE INDEX purge_receipts_by_case ON purge_receipts (case_id, n, place);
