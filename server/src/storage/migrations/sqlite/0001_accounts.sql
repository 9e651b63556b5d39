-- Who the server is, who may speak to it, and with what.
-- Ids are text, times are milliseconds since 1970 in UTC.

CREATE TABLE schema_migrations (
    number     BIGINT PRIMARY KEY,
    name       TEXT NOT NULL,
    applied_at BIGINT NOT NULL
);

-- One row: this data folder, for ever.
CREATE TABLE server (
    only      BIGINT PRIMARY KEY CHECK (only = 1),
    server_id TEXT NOT NULL,
    made_at   BIGINT NOT NULL
);

-- The lives of the data folder. A restore from backup ends one and begins the next.
CREATE TABLE epochs (
    epoch    TEXT PRIMARY KEY,
    number   BIGINT NOT NULL UNIQUE,
    began_at BIGINT NOT NULL
);

-- What the server signs with. A retired key is kept for ever: what it signed must stay provable.
CREATE TABLE server_keys (
    id             TEXT PRIMARY KEY,
    purpose        TEXT NOT NULL,
    public_key     BLOB NOT NULL,
    wrapped_secret BLOB NOT NULL,
    valid_from     BIGINT NOT NULL,
    retired_at     BIGINT
);
CREATE UNIQUE INDEX server_keys_current ON server_keys (purpose) WHERE retired_at IS NULL;

-- Numbers that only grow.
CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('device', 0);

CREATE TABLE organisations (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    name_key     TEXT NOT NULL UNIQUE,
    is_authority BOOLEAN NOT NULL,
    made_at      BIGINT NOT NULL
);
CREATE UNIQUE INDEX organisations_authority ON organisations (is_authority) WHERE is_authority;

-- Staff. `sign_in` is in lower case.
CREATE TABLE accounts (
    id              TEXT PRIMARY KEY,
    sign_in         TEXT NOT NULL UNIQUE,
    full_name       TEXT NOT NULL,
    role            TEXT NOT NULL,
    organisation_id TEXT NOT NULL REFERENCES organisations (id),
    password_hash   TEXT,
    enabled         BOOLEAN NOT NULL,
    hcpc_number     TEXT,
    hcpc_checked_at BIGINT,
    hcpc_result     TEXT,
    hcpc_checked_by TEXT,
    made_at         BIGINT NOT NULL
);
CREATE INDEX accounts_organisation ON accounts (organisation_id);

CREATE TABLE sessions (
    id               TEXT PRIMARY KEY,
    account_id       TEXT NOT NULL REFERENCES accounts (id),
    secret_hash      BLOB NOT NULL,
    previous_hash    BLOB,
    authenticated_at BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,
    revoked_at       BIGINT
);
CREATE INDEX sessions_account ON sessions (account_id);

-- One-time codes, by their hash.
CREATE TABLE enrolment_codes (
    code_hash  BLOB PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    made_at    BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT
);
CREATE INDEX enrolment_codes_account ON enrolment_codes (account_id);

-- `number` is never used again: keys inside documents begin with it. A row is one store generation of one device.
CREATE TABLE devices (
    id             TEXT PRIMARY KEY,
    number         BIGINT NOT NULL UNIQUE,
    account_id     TEXT NOT NULL REFERENCES accounts (id),
    generation     TEXT NOT NULL UNIQUE,
    public_key     BLOB NOT NULL UNIQUE,
    name           TEXT NOT NULL,
    enrolled_at    BIGINT NOT NULL,
    revoked_at     BIGINT,
    stopped_at     BIGINT,
    last_counter   BIGINT,
    last_digest    BLOB,
    before_counter BIGINT,
    before_digest  BLOB,
    bytes_day      BIGINT NOT NULL,
    bytes_taken    BIGINT NOT NULL
);
CREATE INDEX devices_account ON devices (account_id);
