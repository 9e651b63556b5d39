-- Asks that supervisors are told of: somebody stood in for others, or asked too late.
ALTER TABLE asks ADD COLUMN told BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX asks_told ON asks (n, place) WHERE told;
-- All asks, in their order.
CREATE INDEX asks_order ON asks (n, place);
