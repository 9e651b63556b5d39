-- Counts the changes of a case and of who is tied to it, so that whoever decides on them writes only while they stand.
ALTER TABLE cases ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
