CREATE TABLE active (
    org INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    parent BLOB CHECK (length(parent) = 16),
    from_version INTEGER NOT NULL CHECK (from_version >= 0),
    doc BLOB NOT NULL
) STRICT;
CREATE INDEX active_from ON active (org, from_version);
CREATE UNIQUE INDEX active_key ON active (org, kind, id);
CREATE INDEX active_parent ON active (org, kind, parent) WHERE parent IS NOT NULL;
CREATE TABLE blob (
    org INTEGER NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    expires_us INTEGER NOT NULL,
    size INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX blob_expires ON blob (expires_us);
CREATE UNIQUE INDEX blob_key ON blob (org, id);
CREATE TABLE counter (
    org INTEGER NOT NULL,
    name TEXT NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (org, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE current (
    org INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    parent BLOB CHECK (length(parent) = 16),
    pending INTEGER CHECK (pending BETWEEN 1 AND 3),
    doc BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX current_key ON current (org, kind, id);
CREATE TABLE event (
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
CREATE INDEX event_by_actor
    ON event (org, created_by, timestamp_us, seq, event_type, status, severity);
CREATE INDEX event_by_time ON event (org, timestamp_us, seq, status, severity);
CREATE INDEX event_by_type
    ON event (org, event_type, timestamp_us, seq, status, severity);
CREATE UNIQUE INDEX event_key ON event (org, id);
CREATE TABLE history (
    org INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    parent BLOB CHECK (length(parent) = 16),
    from_version INTEGER NOT NULL CHECK (from_version >= 0),
    until_version INTEGER NOT NULL CHECK (until_version > from_version),
    doc BLOB NOT NULL
) STRICT;
CREATE INDEX history_from ON history (org, from_version);
CREATE UNIQUE INDEX history_key ON history (org, kind, id, from_version);
CREATE INDEX history_kind ON history (org, kind, until_version, from_version);
CREATE INDEX history_parent
    ON history (org, kind, parent, until_version, from_version) WHERE parent IS NOT NULL;
CREATE INDEX history_until ON history (org, until_version);
CREATE TABLE org_state (
    org INTEGER PRIMARY KEY,
    revision INTEGER NOT NULL DEFAULT 0,
    events INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE schema_migration (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum BLOB NOT NULL) STRICT;
