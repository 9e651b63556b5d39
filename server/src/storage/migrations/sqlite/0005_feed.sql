-- What is new for a device is noted where it is written, for each device that carries it: a sync reads ranges of indexes
-- and takes time by the news, not by the caseload.
-- `touched`: where the card's case was last touched, or the document last got a change by another device. `shown`: the
-- hash of the card as it was last sent. `reason`: why it is to be purged, while the device has not said that it is.
ALTER TABLE carries ADD COLUMN touched BIGINT NOT NULL DEFAULT 0;
ALTER TABLE carries ADD COLUMN shown BLOB;
ALTER TABLE carries ADD COLUMN reason TEXT;
UPDATE carries SET touched = coalesce((SELECT max(n) FROM touches WHERE touches.case_id = carries.case_id), 0)
WHERE document_id = '';
UPDATE carries SET touched = coalesce(
    (SELECT max(n) FROM changes WHERE changes.document_id = carries.document_id AND changes.device_id <> carries.device_id), 0)
WHERE document_id <> '';
DROP TABLE touches;
DROP INDEX carries_case;
CREATE INDEX carries_case ON carries (case_id, document_id);
CREATE INDEX carries_document ON carries (document_id) WHERE document_id <> '';
CREATE INDEX carries_device_case ON carries (device_id, case_id);
CREATE INDEX carries_sent ON carries (device_id, n);
CREATE INDEX carries_touched ON carries (device_id, touched);

-- The sum over what a device carries (`sync_core::protocol::CarriedDigest`). No row: it is summed when it is next needed.
CREATE TABLE carried_digests (
    device_id TEXT PRIMARY KEY,
    digest    BLOB NOT NULL
);

-- What the person of a device chose to carry, or not to carry any more.
CREATE TABLE chosen (
    device_id TEXT NOT NULL,
    case_id   TEXT NOT NULL,
    carry     BOOLEAN NOT NULL,
    PRIMARY KEY (device_id, case_id)
);
CREATE INDEX chosen_case ON chosen (case_id);

-- `n`: the ledger's place at which it was last written. A right gained or lost is news behind a number, or between two
-- times.
ALTER TABLE reach ADD COLUMN n BIGINT NOT NULL DEFAULT 0;
DROP INDEX reach_account;
CREATE INDEX reach_account ON reach (account_id, n);
CREATE INDEX reach_starts ON reach (account_id, starts_at);
CREATE INDEX reach_ends ON reach (account_id, ends_at);
ALTER TABLE accounts ADD COLUMN n BIGINT NOT NULL DEFAULT 0;

-- Counts the changes of accounts and organisations, so that whoever knows them all notices.
INSERT INTO counters (name, value) VALUES ('directory', 0);
