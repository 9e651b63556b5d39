-- The ledger: what devices and people did, in the server's order.
-- Columns named `sealed…` hold `storage::seal` values of the row's case; every table names the case, so that all of it
-- can be found and erased. No references between tables: asks and quarantine name what may never have been here.
-- `n` is the place of a plan in the ledger, `place` that of a row within its plan.

-- Plans queue on this row, so that numbers become visible in their order.
INSERT INTO counters (name, value) VALUES ('ledger', 0);

CREATE TABLE cases (
    case_id         TEXT PRIMARY KEY,
    reference       TEXT UNIQUE,
    organisation_id TEXT NOT NULL,
    state           TEXT NOT NULL,
    name            TEXT NOT NULL,
    address         TEXT NOT NULL,
    contact         TEXT,
    visitor_risk    TEXT,
    uprn            TEXT,
    born            TEXT,
    nhs_number      TEXT,
    opened_by       TEXT,
    created_at      BIGINT NOT NULL,
    released_at     BIGINT,
    released_by     TEXT
);

-- Who may reach a case, how, from when until when.
CREATE TABLE reach (
    case_id       TEXT NOT NULL,
    account_id    TEXT NOT NULL,
    relation      TEXT NOT NULL,
    commission_id TEXT,
    starts_at     BIGINT NOT NULL,
    ends_at       BIGINT,
    PRIMARY KEY (case_id, account_id, relation)
);
CREATE INDEX reach_account ON reach (account_id);

CREATE TABLE commissions (
    commission_id   TEXT PRIMARY KEY,
    case_id         TEXT NOT NULL,
    account_id      TEXT NOT NULL,
    organisation_id TEXT NOT NULL,
    starts_at       BIGINT NOT NULL,
    ends_at         BIGINT NOT NULL,
    version         BIGINT NOT NULL,
    sealed_scope    BLOB NOT NULL
);
CREATE INDEX commissions_case ON commissions (case_id);

-- `heads` is a CBOR array of change hashes.
CREATE TABLE documents (
    document_id   TEXT PRIMARY KEY,
    case_id       TEXT NOT NULL,
    kind          TEXT NOT NULL,
    commission_id TEXT,
    about         TEXT,
    version       BIGINT NOT NULL,
    heads         BLOB NOT NULL
);
CREATE INDEX documents_case ON documents (case_id);

CREATE TABLE document_authors (
    document_id TEXT NOT NULL,
    account_id  TEXT NOT NULL,
    case_id     TEXT NOT NULL,
    n           BIGINT NOT NULL,
    place       BIGINT NOT NULL,
    PRIMARY KEY (document_id, account_id)
);
CREATE INDEX document_authors_case ON document_authors (case_id);

-- The truth: append-only. The same bytes can be valid in two documents. `version` is the document's after the push
-- that brought the change, and finds its envelope.
CREATE TABLE changes (
    document_id TEXT NOT NULL,
    hash        TEXT NOT NULL,
    case_id     TEXT NOT NULL,
    device_id   TEXT NOT NULL,
    account_id  TEXT NOT NULL,
    version     BIGINT NOT NULL,
    n           BIGINT NOT NULL,
    place       BIGINT NOT NULL,
    sealed      BLOB NOT NULL,
    PRIMARY KEY (document_id, hash)
);
CREATE UNIQUE INDEX changes_n ON changes (n, place);
CREATE INDEX changes_document ON changes (document_id, n, place);
CREATE INDEX changes_case ON changes (case_id);

-- What a device signed for a push.
CREATE TABLE envelopes (
    document_id TEXT NOT NULL,
    version     BIGINT NOT NULL,
    case_id     TEXT NOT NULL,
    device_id   TEXT NOT NULL,
    account_id  TEXT NOT NULL,
    taken_at    BIGINT NOT NULL,
    sealed      BLOB NOT NULL,
    PRIMARY KEY (document_id, version)
);
CREATE INDEX envelopes_case ON envelopes (case_id);

-- A cache: each document saved with all its changes, rebuildable from them.
CREATE TABLE snapshots (
    document_id TEXT PRIMARY KEY,
    case_id     TEXT NOT NULL,
    version     BIGINT NOT NULL,
    sealed      BLOB NOT NULL
);
CREATE INDEX snapshots_case ON snapshots (case_id);

-- `waiting`: submitted, or submitted and awaiting photos.
CREATE TABLE prescriptions (
    document_id   TEXT PRIMARY KEY,
    case_id       TEXT NOT NULL,
    thread_id     TEXT NOT NULL,
    waiting       BOOLEAN NOT NULL,
    submitted_by  TEXT,
    submitted_at  BIGINT,
    version       BIGINT NOT NULL,
    sealed_state  BLOB NOT NULL
);
CREATE INDEX prescriptions_case ON prescriptions (case_id);
CREATE INDEX prescriptions_waiting ON prescriptions (waiting) WHERE waiting;

-- Never changed but for what became of it.
CREATE TABLE signed_versions (
    document_id      TEXT NOT NULL,
    number           BIGINT NOT NULL,
    case_id          TEXT NOT NULL,
    sealed           BLOB NOT NULL,
    basis            BLOB NOT NULL,
    standing_version BIGINT NOT NULL,
    sealed_standing  BLOB NOT NULL,
    PRIMARY KEY (document_id, number)
);
CREATE INDEX signed_versions_case ON signed_versions (case_id);

CREATE TABLE quarantine (
    quarantine_id TEXT PRIMARY KEY,
    case_id       TEXT NOT NULL,
    document_id   TEXT NOT NULL,
    device_id     TEXT NOT NULL,
    account_id    TEXT NOT NULL,
    came_at       BIGINT NOT NULL,
    n             BIGINT NOT NULL,
    place         BIGINT NOT NULL,
    sealed_reason BLOB NOT NULL,
    sealed_push   BLOB NOT NULL
);
CREATE INDEX quarantine_case ON quarantine (case_id);

CREATE TABLE asks (
    ask_id         TEXT PRIMARY KEY,
    case_id        TEXT NOT NULL,
    account_id     TEXT NOT NULL,
    n              BIGINT NOT NULL,
    place          BIGINT NOT NULL,
    sealed         BLOB NOT NULL,
    sealed_verdict BLOB NOT NULL
);
CREATE INDEX asks_account ON asks (account_id, n, place);
CREATE INDEX asks_case ON asks (case_id);

-- Photos whose bytes are here and verified.
CREATE TABLE photos (
    document_id TEXT NOT NULL,
    hash        TEXT NOT NULL,
    case_id     TEXT NOT NULL,
    bytes       BIGINT NOT NULL,
    account_id  TEXT NOT NULL,
    came_at     BIGINT NOT NULL,
    n           BIGINT NOT NULL,
    place       BIGINT NOT NULL,
    PRIMARY KEY (document_id, hash)
);
CREATE INDEX photos_case ON photos (case_id);

-- What a device has been sent whole; an empty `document_id` is the case's card.
CREATE TABLE carries (
    device_id   TEXT NOT NULL,
    document_id TEXT NOT NULL,
    case_id     TEXT NOT NULL,
    n           BIGINT NOT NULL,
    PRIMARY KEY (device_id, document_id, case_id)
);
CREATE INDEX carries_case ON carries (case_id);

-- Something that a case's card shows has changed.
CREATE TABLE touches (
    n       BIGINT NOT NULL,
    case_id TEXT NOT NULL,
    PRIMARY KEY (n, case_id)
);
CREATE INDEX touches_case ON touches (case_id);
