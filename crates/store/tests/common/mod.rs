//! What the tests of the store share: short names for ops, and readable views of its state.
#![allow(dead_code, reason = "each test program uses its part")]

use bulkhead_ids::{Id, Kind};
use bulkhead_store::{ChangeSet, EventPage, EventRow, Key, Loaded, Op, SqliteStore, Store};
use tempfile::TempDir;

/// A back end with an empty store.
pub(crate) trait Fresh: Sized {
    /// Makes one.
    fn fresh() -> Self;
    /// The store, as the tests see it.
    fn store(&self) -> &dyn Store;
}

/// The embedded back end in a directory of its own.
pub(crate) struct Sqlite {
    store: SqliteStore,
    _dir: TempDir,
}

impl Fresh for Sqlite {
    fn fresh() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { store: SqliteStore::open(dir.path()).unwrap(), _dir: dir }
    }

    fn store(&self) -> &dyn Store {
        &self.store
    }
}

pub(crate) fn id(n: u64) -> Id {
    Id::int(n)
}

pub(crate) fn key(org: u32, kind: Kind, n: u64) -> Key {
    Key { org, kind, id: id(n) }
}

pub(crate) fn changes(org: u32, ops: Vec<Op>) -> ChangeSet {
    ChangeSet { org, expected_revision: None, ops }
}

pub(crate) fn put(key: Key, doc: &str) -> Op {
    Op::PutCurrent { key, parent: None, pending: None, doc: doc.as_bytes().into() }
}

pub(crate) fn delete(key: Key) -> Op {
    Op::DeleteCurrent { key }
}

pub(crate) fn open(key: Key, parent: Option<Id>, from: u64, doc: &str) -> Op {
    Op::OpenVersion { key, parent, from, doc: doc.as_bytes().into() }
}

pub(crate) fn close(key: Key, at: u64) -> Op {
    Op::CloseVersion { key, at }
}

/// An event at `10 * n` microseconds.
pub(crate) fn event(org: u32, n: u64) -> EventRow {
    EventRow {
        org,
        id: id(n),
        timestamp_us: 10 * n as i64,
        event_type: "label.create".into(),
        status: Some("success".into()),
        severity: "info".into(),
        created_by: "/users/1".into(),
        doc: format!("event {n}").into_bytes().into(),
    }
}

pub(crate) fn add_event(event: EventRow) -> Op {
    Op::AddEvent(event)
}

fn text(doc: &[u8]) -> String {
    String::from_utf8(doc.to_vec()).unwrap()
}

/// Everything that is loaded, one line a row, sorted.
pub(crate) fn snapshot(store: &dyn Store) -> Vec<String> {
    let mut out = Vec::new();
    let line = |row: Loaded<'_>| match row {
        Loaded::Revision { org, revision } => format!("revision {org} {revision}"),
        Loaded::Counter { org, name, value } => format!("counter {org} {name} {value}"),
        Loaded::Current { key, parent, pending, doc } => {
            format!("current {key} under {parent:?} {pending:?}: {}", text(doc))
        }
        Loaded::Active { key, parent, from, doc } => {
            format!("active {key} under {parent:?} from {from}: {}", text(doc))
        }
    };
    store.load(&mut |row| out.push(line(row))).unwrap();
    out.sort();
    out
}

/// Documents of the open version rows, sorted.
pub(crate) fn actives(store: &dyn Store) -> Vec<String> {
    let mut out = Vec::new();
    let mut add = |row: Loaded<'_>| {
        if let Loaded::Active { doc, .. } = row {
            out.push(text(doc));
        }
    };
    store.load(&mut add).unwrap();
    out.sort();
    out
}

/// Documents active in a version of organisation 1, as `doc@from`.
pub(crate) fn version_docs(
    store: &dyn Store,
    version: u64,
    kind: Option<Kind>,
    parent: Option<Id>,
) -> Vec<String> {
    let rows = store.version_rows(1, version, kind, parent).unwrap();
    rows.iter().map(|row| format!("{}@{}", text(&row.doc), row.from)).collect()
}

/// What a version of organisation 1 changed, as `update doc`.
pub(crate) fn modified(store: &dyn Store, version: u64) -> Vec<String> {
    let rows = store.modified(1, version).unwrap();
    rows.iter().map(|row| format!("{} {}", row.update.as_str(), text(&row.doc))).collect()
}

pub(crate) fn event_docs(page: &EventPage) -> Vec<String> {
    page.rows.iter().map(|doc| text(doc)).collect()
}
