-- How many change sets an organisation has seen, and how many events it has.
CREATE TABLE IF NOT EXISTS org_state (
    org INTEGER PRIMARY KEY,
    revision INTEGER NOT NULL DEFAULT 0,
    events INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE IF NOT EXISTS counter (
    org INTEGER NOT NULL,
    name TEXT NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (org, name)
) STRICT, WITHOUT ROWID;

-- Unversioned objects, and drafts that differ from the active side.
-- Documents are too large for tables without rowid: interior pages would hold them too.
CREATE TABLE IF NOT EXISTS current (
    org INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    parent BLOB CHECK (length(parent) = 16),
    pending INTEGER CHECK (pending BETWEEN 1 AND 3),
    doc BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS current_key ON current (org, kind, id);

-- Open version rows: apart from closed ones, so that loading does not read past history.
CREATE TABLE IF NOT EXISTS active (
    org INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    parent BLOB CHECK (length(parent) = 16),
    from_version INTEGER NOT NULL CHECK (from_version >= 0),
    doc BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS active_key ON active (org, kind, id);
CREATE INDEX IF NOT EXISTS active_parent ON active (org, kind, parent) WHERE parent IS NOT NULL;
CREATE INDEX IF NOT EXISTS active_from ON active (org, from_version);

-- Closed version rows: active in versions from_version .. until_version - 1.
CREATE TABLE IF NOT EXISTS history (
    org INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    parent BLOB CHECK (length(parent) = 16),
    from_version INTEGER NOT NULL CHECK (from_version >= 0),
    until_version INTEGER NOT NULL CHECK (until_version > from_version),
    doc BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS history_key ON history (org, kind, id, from_version);
CREATE INDEX IF NOT EXISTS history_kind ON history (org, kind, until_version, from_version);
CREATE INDEX IF NOT EXISTS history_parent
    ON history (org, kind, parent, until_version, from_version) WHERE parent IS NOT NULL;
CREATE INDEX IF NOT EXISTS history_from ON history (org, from_version);
CREATE INDEX IF NOT EXISTS history_until ON history (org, until_version);

-- Results of jobs: body is one zstd frame that unpacks to size bytes.
CREATE TABLE IF NOT EXISTS blob (
    org INTEGER NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    expires_us INTEGER NOT NULL,
    size INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS blob_key ON blob (org, id);
CREATE INDEX IF NOT EXISTS blob_expires ON blob (expires_us);

-- Audit events; status and created_by are empty where an event has none.
CREATE TABLE IF NOT EXISTS event (
    seq INTEGER PRIMARY KEY,
    org INTEGER NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    timestamp_us INTEGER NOT NULL,
    event_type TEXT NOT NULL,
    status TEXT NOT NULL,
    severity TEXT NOT NULL,
    created_by TEXT NOT NULL,
    doc BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS event_key ON event (org, id);
CREATE INDEX IF NOT EXISTS event_by_time ON event (org, timestamp_us, seq, status, severity);
CREATE INDEX IF NOT EXISTS event_by_type
    ON event (org, event_type, timestamp_us, seq, status, severity);
CREATE INDEX IF NOT EXISTS event_by_actor
    ON event (org, created_by, timestamp_us, seq, event_type, status, severity);
