-- How many bytes an account asked at the API on the last day (UTC, counted from 1970) on which it asked anything.
CREATE TABLE asked_days (
    account_id TEXT PRIMARY KEY,
    day        INTEGER NOT NULL,
    bytes      INTEGER NOT NULL
) STRICT;
-- How many changes were pushed, so that a list opens no push. Null for what was set aside before this column was there.
ALTER TABLE quarantine ADD COLUMN changes INTEGER;
CREATE INDEX quarantine_order ON quarantine (n, place);
-- What the card of a document shows is found without the rest of its case.
CREATE INDEX asks_decides ON asks (decides) WHERE decides IS NOT NULL;
