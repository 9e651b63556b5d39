-- The document whose card shows what was granted: an assessment that was completed, a prescription that Housing decided
-- on. Null where no card does, and for what was granted before this column was there.
ALTER TABLE asks ADD COLUMN decides TEXT;
