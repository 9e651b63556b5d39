-- The document whose card shows what was granted: an assessment that was completed, a prescription that Housing decided
-- on. Null where no card does.
ALTER TABLE asks ADD COLUMN decides TEXT;
