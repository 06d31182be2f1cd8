//! Applying change sets within a transaction.

use super::codec::{self, store_int};
use crate::{ChangeSet, EventRow, Key, Op, Refusal, StoreError, UpdateType};
use bulkhead_ids::Id;
use rusqlite::{OptionalExtension, Params, Transaction};
use std::collections::BTreeMap;
use std::path::Path;

/// Why an op failed.
enum Failure {
    Engine(rusqlite::Error),
    Refused(Refusal),
}

impl From<rusqlite::Error> for Failure {
    fn from(e: rusqlite::Error) -> Self {
        Self::Engine(e)
    }
}

impl From<Refusal> for Failure {
    fn from(r: Refusal) -> Self {
        Self::Refused(r)
    }
}

/// What a batch changes in rows that every change set touches: written once, at its end.
#[derive(Default)]
struct Totals {
    /// By organisation: how many change sets it has seen, as far as this batch raised it.
    revisions: BTreeMap<u32, u64>,
    /// By organisation: how many events came, less those that went.
    events: BTreeMap<u32, i64>,
    /// By organisation and name.
    counters: BTreeMap<(u32, &'static str), i64>,
}

/// Applies a batch; the caller commits or rolls back.
pub(super) fn batch(
    tx: &Transaction<'_>,
    batch: &[ChangeSet],
    path: &Path,
) -> Result<(), StoreError> {
    let mut totals = Totals::default();
    for (changeset, set) in batch.iter().enumerate() {
        let org = set.org;
        let found = match totals.revisions.get(&org) {
            Some(raised) => *raised,
            None => revision(tx, org).map_err(|e| codec::error(e, path))?,
        };
        if let Some(expected) = set.expected_revision.filter(|e| *e != found) {
            return Err(StoreError::Conflict { changeset, org, expected, found });
        }
        for (op, it) in set.ops.iter().enumerate() {
            apply(tx, it, &mut totals).map_err(|failure| match failure {
                Failure::Engine(e) => codec::error(e, path),
                Failure::Refused(refusal) => StoreError::Rejected { changeset, op, refusal },
            })?;
        }
        totals.revisions.insert(org, found + 1);
    }
    totals.write(tx).map_err(|e| codec::error(e, path))
}

fn revision(tx: &Transaction<'_>, org: u32) -> rusqlite::Result<u64> {
    let mut q = tx.prepare_cached("SELECT revision FROM org_state WHERE org = ?1")?;
    q.query_row([org], |row| row.get(0)).optional().map(Option::unwrap_or_default)
}

impl Totals {
    fn write(&self, tx: &Transaction<'_>) -> rusqlite::Result<()> {
        for (org, revision) in &self.revisions {
            let sql = "INSERT INTO org_state (org, revision) VALUES (?1, ?2)
                       ON CONFLICT (org) DO UPDATE SET revision = excluded.revision";
            run(tx, sql, (org, revision))?;
        }
        for (org, change) in &self.events {
            let sql = "INSERT INTO org_state (org, events) VALUES (?1, ?2)
                       ON CONFLICT (org) DO UPDATE SET events = events + excluded.events";
            run(tx, sql, (org, change))?;
        }
        for ((org, name), value) in &self.counters {
            let sql = "INSERT INTO counter (org, name, value) VALUES (?1, ?2, ?3)
                       ON CONFLICT (org, name) DO UPDATE SET value = excluded.value";
            run(tx, sql, (org, name, value))?;
        }
        Ok(())
    }

    /// Counts events, so that a page need not count them all.
    fn count_events(&mut self, org: u32, change: i64) {
        *self.events.entry(org).or_default() += change;
    }
}

/// Runs a statement that is kept prepared, and returns how many rows it changed.
fn run(tx: &Transaction<'_>, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
    tx.prepare_cached(sql)?.execute(params)
}

fn apply(tx: &Transaction<'_>, op: &Op, totals: &mut Totals) -> Result<(), Failure> {
    match op {
        Op::PutCurrent { key, parent, pending, doc } => {
            put_current(tx, key, *parent, *pending, doc)?;
        }
        Op::DeleteCurrent { key } => {
            let sql = "DELETE FROM current WHERE org = ?1 AND kind = ?2 AND id = ?3";
            run(tx, sql, (key.org, key.kind.name(), key.id.to_bytes()))?;
        }
        Op::OpenVersion { key, parent, from, doc } => open_version(tx, key, *parent, *from, doc)?,
        Op::CloseVersion { key, at } => close_version(tx, key, *at)?,
        Op::PutBlob { org, id, expires_us, body } => put_blob(tx, *org, *id, *expires_us, body)?,
        Op::DeleteBlob { org, id } => {
            run(tx, "DELETE FROM blob WHERE org = ?1 AND id = ?2", (org, id.to_bytes()))?;
        }
        Op::AddEvent(event) => {
            add_event(tx, event)?;
            totals.count_events(event.org, 1);
        }
        Op::PruneEvents { org, before_us } => {
            let sql = "DELETE FROM event WHERE org = ?1 AND timestamp_us < ?2";
            let gone = run(tx, sql, (org, before_us))?;
            totals.count_events(*org, -i64::try_from(gone).unwrap_or(i64::MAX));
        }
        Op::SetCounter { org, name, value } => {
            totals.counters.insert((*org, name), store_int("counter", *value)?);
        }
    }
    Ok(())
}

fn put_current(
    tx: &Transaction<'_>,
    key: &Key,
    parent: Option<Id>,
    pending: Option<UpdateType>,
    doc: &[u8],
) -> rusqlite::Result<usize> {
    let (parent, pending) = (parent.map(Id::to_bytes), pending.map(|p| p as u8));
    run(
        tx,
        "INSERT INTO current (org, kind, id, parent, pending, doc)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (org, kind, id) DO UPDATE SET
             parent = excluded.parent, pending = excluded.pending, doc = excluded.doc",
        (key.org, key.kind.name(), key.id.to_bytes(), parent, pending, doc),
    )
}

fn open_version(
    tx: &Transaction<'_>,
    key: &Key,
    parent: Option<Id>,
    from: u64,
    doc: &[u8],
) -> Result<(), Failure> {
    let from = store_int("version", from)?;
    let (kind, id) = (key.kind.name(), key.id.to_bytes());
    let mut last = tx.prepare_cached(
        "SELECT until_version FROM history WHERE org = ?1 AND kind = ?2 AND id = ?3
         ORDER BY from_version DESC LIMIT 1",
    )?;
    let last: Option<i64> = last.query_row((key.org, kind, id), |row| row.get(0)).optional()?;
    if last.is_some_and(|until| until > from) {
        return Err(Refusal::Interval(*key).into());
    }
    let insert = run(
        tx,
        "INSERT INTO active (org, kind, id, parent, from_version, doc)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        (key.org, kind, id, parent.map(Id::to_bytes), from, doc),
    );
    match insert {
        Err(e) if codec::is_constraint(&e) => Err(Refusal::AlreadyActive(*key).into()),
        Err(e) => Err(e.into()),
        Ok(_) => Ok(()),
    }
}

fn close_version(tx: &Transaction<'_>, key: &Key, at: u64) -> Result<(), Failure> {
    let at = store_int("version", at)?;
    let (kind, id) = (key.kind.name(), key.id.to_bytes());
    let moved = run(
        tx,
        "INSERT INTO history (org, kind, id, parent, from_version, until_version, doc)
         SELECT org, kind, id, parent, from_version, ?4, doc FROM active
         WHERE org = ?1 AND kind = ?2 AND id = ?3",
        (key.org, kind, id, at),
    );
    match moved {
        Err(e) if codec::is_constraint(&e) => return Err(Refusal::Interval(*key).into()),
        Err(e) => return Err(e.into()),
        Ok(0) => return Err(Refusal::NotActive(*key).into()),
        Ok(_) => {}
    }
    let sql = "DELETE FROM active WHERE org = ?1 AND kind = ?2 AND id = ?3";
    run(tx, sql, (key.org, kind, id))?;
    Ok(())
}

fn put_blob(
    tx: &Transaction<'_>,
    org: u32,
    id: Id,
    expires_us: i64,
    body: &[u8],
) -> Result<(), Failure> {
    let (size, packed) = (store_int("result", body.len() as u64)?, codec::pack(body)?);
    run(
        tx,
        "INSERT INTO blob (org, id, expires_us, size, body) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (org, id) DO UPDATE SET
             expires_us = excluded.expires_us, size = excluded.size, body = excluded.body",
        (org, id.to_bytes(), expires_us, size, packed),
    )?;
    Ok(())
}

fn add_event(tx: &Transaction<'_>, event: &EventRow) -> Result<(), Failure> {
    let insert = run(
        tx,
        "INSERT INTO event (org, id, timestamp_us, event_type, status, severity, created_by, doc)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        (
            event.org,
            event.id.to_bytes(),
            event.timestamp_us,
            &*event.event_type,
            event.status.as_deref().unwrap_or_default(),
            &*event.severity,
            &*event.created_by,
            &*event.doc,
        ),
    );
    match insert {
        Err(e) if codec::is_constraint(&e) => Err(Refusal::EventExists.into()),
        Err(e) => Err(e.into()),
        Ok(_) => Ok(()),
    }
}
